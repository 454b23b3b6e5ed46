"""Random stories of orders at several locations, with a process that dies at random calls: whatever happens, the levels are what a model
says, and the sum of what reservations hold is what they say is reserved.
"""

import random
from collections import Counter
from typing import Any

import pytest

from tests.virtual_time import run_virtual
from tests.workers.inventory.stocks import all_levels
from tests.workers.world import Crash, Faults
from workers.inventory.allocation import STRATEGIES, strategy_of
from workers.inventory.levels import places_in
from workers.inventory.locations import locations_in
from workers.inventory.stock import Filled, Level, PartlyReserved, Place, Reserved
from workers.inventory.table_stock import TableStock
from workers.reconciliation.stock import StockReconciliation
from workers.tables.memory import MemoryTable

LOCATIONS = locations_in("main,north=SE,south=IT")
SKUS = ("A", "B", "C")
STEPS = 60
SEEDS = range(40)


class Story:
    """One story, told to the stock and to a model."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.table = MemoryTable()
        self.faults = Faults()
        self.stock = TableStock(
            self.faults.wrap("table", self.table),
            random=self.random,
            locations=LOCATIONS,
            strategy=strategy_of(STRATEGIES[seed % 2], LOCATIONS),
        )
        self.levels: dict[Place, Counter[str]] = {}
        self.held: dict[str, Counter[Place]] = {}
        self.missing: dict[str, Counter[str]] = {}
        self.ids = 0

    async def sure(self, act: Any) -> Any:
        """Try until it ends, a process dying at random calls; then once more."""
        while True:
            self.faults.calls = 0
            self.faults.at = self.random.choice([None, None, 1, 2, 3, 4])
            self.faults.after = self.random.random() < 0.5
            try:
                answer = await act()
            except Crash:
                continue
            self.faults.at = None
            assert await act() == answer
            return answer

    def moved(self, place: Place, pieces: int, source: str, target: str) -> None:
        level = self.levels.setdefault(place, Counter())
        level[source] -= pieces
        level[target] += pieces

    def some_of(self, held: Counter[Any]) -> dict[Any, int]:
        chosen = [place for place in sorted(held) if held[place] and self.random.random() < 0.6]
        return {place: self.random.randint(1, held[place]) for place in chosen}

    async def step(self) -> None:
        self.ids += 1
        name = f"id-{self.ids}"
        ways = [self.receive, self.reserve, self.fill, self.part, self.part, self.release, self.keep, self.close]
        await self.random.choice(ways)(name)
        self.check()

    async def receive(self, name: str) -> None:
        location, goods = self.random.choice(LOCATIONS.names), self.some_of(Counter(dict.fromkeys(SKUS, 5)))
        await self.sure(lambda: self.stock.receive(name, goods, location=location))
        for sku, pieces in goods.items():
            self.levels.setdefault(Place(location, sku), Counter())["available"] += pieces

    async def reserve(self, name: str) -> None:
        wanted = {sku: self.random.randint(1, 6) for sku in self.random.sample(SKUS, self.random.randint(1, 3))}
        partial = self.random.random() < 0.5
        there = {
            sku: sum(self.levels.get(Place(at, sku), Counter())["available"] for at in LOCATIONS.names)
            for sku in wanted
        }
        country = self.random.choice([None, "SE", "IT"])
        answer = await self.sure(lambda: self.stock.reserve(name, wanted, partial=partial, destination=country))
        enough = all(there[sku] >= pieces for sku, pieces in wanted.items())
        assert isinstance(answer, Reserved) == enough
        assert isinstance(answer, PartlyReserved) == (partial and not enough)
        if isinstance(answer, Reserved | PartlyReserved):
            self.held[name] = Counter(places_in(answer.held))
            self.missing[name] = Counter(answer.missing if isinstance(answer, PartlyReserved) else {})
            for sku, pieces in wanted.items():
                held = sum(count for place, count in self.held[name].items() if place.sku == sku)
                assert held == min(pieces, there[sku]) == pieces - self.missing[name][sku]
            for place, count in self.held[name].items():
                self.moved(place, count, "available", "reserved")

    async def fill(self, name: str) -> None:
        waiting = [order for order in self.held if +self.missing[order]]
        if not waiting:
            return
        order = self.random.choice(waiting)
        answer = await self.sure(lambda: self.stock.fill(order, name))
        assert isinstance(answer, Filled)
        if self.random.random() < 0.3:
            unwanted = self.some_of(self.missing[order])
            await self.sure(lambda: self.stock.forgo(order, name, unwanted))
            self.missing[order] -= Counter(unwanted)
            assert await self.stock.fill(order, name) == Filled(held={}, missing=dict(+self.missing[order]))
            return
        came = Counter(places_in(answer.held))
        for place, count in came.items():
            self.missing[order][place.sku] -= count
            self.moved(place, count, "available", "reserved")
        self.held[order] += came
        assert +self.missing[order] == Counter(answer.missing)
        for sku in answer.missing:
            assert all(self.levels.get(Place(at, sku), Counter())["available"] == 0 for at in LOCATIONS.names)

    async def part(self, name: str) -> None:
        if not self.held:
            return
        order = self.random.choice(sorted(self.held))
        pieces = self.some_of(self.held[order])
        goods: dict[str, dict[str, int]] = {}
        for place, count in pieces.items():
            goods.setdefault(place.location, {})[place.sku] = count
        if self.random.random() < 0.5:
            await self.sure(lambda: self.stock.commit(order, name, goods))
            target = "committed"
        else:
            unwanted = self.some_of(self.missing[order])
            await self.sure(lambda: self.stock.release_part(order, name, goods, unwanted=unwanted))
            self.missing[order] -= Counter(unwanted)
            target = "available"
        for place, count in pieces.items():
            self.moved(place, count, "reserved", target)
        self.held[order] -= Counter(pieces)

    async def release(self, name: str) -> None:
        order = self.random.choice([*sorted(self.held), name])
        await self.sure(lambda: self.stock.release(order))
        for place, count in self.held.pop(order, Counter()).items():
            self.moved(place, count, "reserved", "available")
        self.missing.pop(order, None)

    async def keep(self, name: str) -> None:
        known = [place for place in sorted(self.levels) if self.levels[place]["available"]]
        if not known:
            return
        place = self.random.choice(known)
        pieces = self.random.randint(1, self.levels[place]["available"])
        match self.random.choice(["move", "damage", "count", "return"]):
            case "move":
                target = self.random.choice([at for at in LOCATIONS.names if at != place.location])
                await self.sure(lambda: self.stock.move(name, place.sku, pieces, source=place.location, target=target))
                self.levels[place]["available"] -= pieces
                self.levels.setdefault(Place(target, place.sku), Counter())["available"] += pieces
            case "damage":
                await self.sure(lambda: self.stock.mark_damaged(name, place, pieces))
                await self.sure(lambda: self.stock.write_off(name, place, pieces))
                self.levels[place]["available"] -= pieces
            case "count":
                level = self.levels[place]
                there = level["available"] + level["reserved"] + level["damaged"] - pieces
                await self.sure(lambda: self.stock.count(name, place, there))
                level["available"] -= pieces
            case "return":
                back = {place.location: {place.sku: pieces}}
                await self.sure(lambda: self.stock.restock(name, sellable=back, damaged=back))
                self.levels[place].update(available=pieces, damaged=pieces)

    async def close(self, _name: str) -> None:
        sku = self.random.choice(SKUS)
        before = sum(level["committed"] for place, level in self.levels.items() if place.sku == sku)
        self.faults.at = None
        assert await self.stock.close(sku) == before
        for place, level in self.levels.items():
            if place.sku == sku:
                level["committed"] = 0

    def check(self) -> None:
        expected = {
            place: Level(level.total(), level["available"], level["reserved"], level["committed"], level["damaged"])
            for place, level in self.levels.items()
        }
        found = all_levels(self.table)
        assert found == expected
        assert all(level.adds_up for level in found.values())


async def _told(seed: int) -> None:
    story = Story(seed)
    for _ in range(STEPS):
        await story.step()

    async def goods(_order: str) -> Any:
        return "goods"

    report = await StockReconciliation(story.table, goods, look_again_s=0).reconcile()
    assert (report.findings, report.unsettled) == ((), ())
    assert report.levels == len(story.levels)
    story.faults.armed = False
    for order in story.held:
        await story.stock.release(order)
    assert {level.reserved for level in all_levels(story.table).values()} <= {0}


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_happens_and_wherever_it_is_cut_off_the_levels_are_the_models(seed: int) -> None:
    """Sixty steps, each tried again until it ends, and once more."""
    run_virtual(_told, seed)
