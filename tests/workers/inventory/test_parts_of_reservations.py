"""Goods that are set aside leave in parcels, come back in part, or come in later: each once, and what is still held is always known."""

import random
from typing import Any

import anyio
import pytest

from tests.workers.inventory.stocks import OLD_WHOLE, all_levels, put_old, reserved
from tests.workers.service_tables import KINDS, open_table
from workers.inventory import parts
from workers.inventory.locations import ONE_LOCATION, Locations, locations_in
from workers.inventory.stock import (
    ChangedTooOften,
    Filled,
    Level,
    NotHeld,
    PartlyReserved,
    Place,
    Reserved,
    Short,
    UsedOtherwise,
    Withdrawn,
)
from workers.inventory.table_stock import TableStock
from workers.tables.memory import MemoryTable

TWO = locations_in("main,north=SE")
SKUS = [f"SKU-{number:04d}" for number in range(250)]


def stock_on(table: Any, locations: Locations = ONE_LOCATION, untracked: Any = "refuse") -> TableStock:
    return TableStock(table, random=random.Random(1), locations=locations, untracked=untracked)


@pytest.mark.parametrize("kind", KINDS)
async def test_an_order_in_two_parcels_with_a_backorder_and_a_change_of_mind(kind: str, request: Any) -> None:
    """The whole life of a reservation at two locations, each step repeated, and the levels after it."""
    async with open_table(kind, "inventory", request) as table:
        stock = stock_on(table, TWO)
        await stock.receive("r1", {"A": 3, "B": 1})
        await stock.receive("r2", {"A": 2, "C": 5}, location="north")

        for _ in range(2):
            answer = await stock.reserve("order", {"A": 5, "B": 4, "C": 1}, partial=True)
            held = {"main": {"A": 3, "B": 1}, "north": {"A": 2, "C": 1}}
            assert answer == PartlyReserved(held=held, missing={"B": 3})
        for _ in range(2):
            await stock.commit("order", "s1", {"north": {"A": 2}})
        assert await stock.fill("order", "f0") == Filled(held={}, missing={"B": 3})
        await stock.receive("r3", {"B": 2}, location="north")
        for _ in range(2):
            assert await stock.fill("order", "f1") == Filled(held={"north": {"B": 2}}, missing={"B": 1})
        for _ in range(2):
            await stock.release_part("order", "c1", {"main": {"A": 1}}, unwanted={"B": 1})
        await stock.receive("r4", {"B": 9})
        for _ in range(2):
            assert await stock.fill("order", "f2") == Filled(held={}, missing={})
            await stock.commit("order", "s2", {"main": {"A": 1, "B": 1}, "north": {"B": 1}})
        assert await stock.everywhere(["A", "B", "C"]) == (
            {"main": Level(3, 1, 1, 1), "north": Level(2, 0, 0, 2)},
            {"main": Level(10, 9, 0, 1), "north": Level(2, 0, 1, 1)},
            {"north": Level(5, 4, 1)},
        )
        for _ in range(2):
            assert await stock.release("order") is True
            assert await stock.fill("order", "f3") == Withdrawn()
            await stock.commit("order", "s2", {"main": {"A": 1, "B": 1}, "north": {"B": 1}})
        assert await stock.everywhere(["A", "B", "C"]) == (
            {"main": Level(3, 2, 0, 1), "north": Level(2, 0, 0, 2)},
            {"main": Level(10, 9, 0, 1), "north": Level(2, 1, 0, 1)},
            {"north": Level(5, 5, 0)},
        )
        with pytest.raises(NotHeld):
            await stock.commit("order", "s3", {"main": {"A": 1}})


async def test_all_or_nothing_asks_every_location_before_it_says_no() -> None:
    """And says what they have together."""
    stock = stock_on(MemoryTable(), TWO)
    await stock.receive("r1", {"A": 3})
    await stock.receive("r2", {"A": 2}, location="north")
    short = await stock.reserve("too many", {"A": 6})
    assert isinstance(short, Short)
    assert [(one.wanted, one.available) for one in short.missing] == [(6, 5)]
    assert await stock.reserve("all", {"A": 5}) == Reserved(held={"main": {"A": 3}, "north": {"A": 2}})


async def test_the_destination_chooses_where_goods_are_taken() -> None:
    """What lies near to Sweden goes to Sweden."""
    stock = stock_on(MemoryTable(), TWO)
    for location in TWO.names:
        await stock.receive(f"r-{location}", {"A": 3}, location=location)
    assert await stock.reserve("home", {"A": 1}) == reserved({"A": 1})
    assert await stock.reserve("there", {"A": 1}, destination="SE") == reserved({"A": 1}, at="north")


async def test_a_partial_reservation_of_nothing_waits() -> None:
    """It holds nothing and is no refusal; a release of it has nothing to put back."""
    stock = stock_on(MemoryTable())
    for order in ("waits", "gives up"):
        assert await stock.reserve(order, {"A": 2}, partial=True) == PartlyReserved(held={}, missing={"A": 2})
    assert await stock.release("gives up") is False
    await stock.receive("r", {"A": 5})
    assert await stock.fill("waits", "f") == Filled(held={"main": {"A": 2}}, missing={})
    assert await stock.reserve("waits", {"A": 2}, partial=True) == reserved({"A": 2})
    assert await stock.release("waits") is True


@pytest.mark.parametrize("skus", [SKUS[:1], SKUS[:130]], ids=["an ordinary order", "a long one"])
async def test_a_fill_that_was_in_vain_goes_back_and_is_waited_for_again(skus: list[str]) -> None:
    """But for what nobody wants any more; and under its name nothing is ever set aside again, whether it had taken anything or not."""
    table = MemoryTable()
    stock = stock_on(table)
    assert isinstance(await stock.reserve("order", dict.fromkeys(skus, 5), partial=True), PartlyReserved)
    await stock.receive("r", dict.fromkeys(skus, 2))
    first = Filled(held={"main": dict.fromkeys(skus, 2)}, missing=dict.fromkeys(skus, 3))
    assert await stock.fill("order", "5") == first
    for fill_id, left in (("5", 4), ("4", 3)):
        for _ in range(2):
            await stock.forgo("order", fill_id, dict.fromkeys(skus, 1))
            assert await stock.fill("order", fill_id) == Filled(held={}, missing=dict.fromkeys(skus, left))
        assert set(all_levels(table).values()) == {Level(2, 2, 0)}
    with pytest.raises(UsedOtherwise):
        await stock.forgo("order", "5", dict.fromkeys(skus, 2))
    with pytest.raises(NotHeld):
        await stock.forgo("order", "3", dict.fromkeys(skus, 4))
    with pytest.raises(NotHeld):
        await stock.forgo("order", "3", {"never heard of": 1})
    last = Filled(held={"main": dict.fromkeys(skus, 2)}, missing=dict.fromkeys(skus, 1))
    assert await stock.fill("order", "3") == last
    assert await stock.release("order") is True
    await stock.forgo("order", "3", dict.fromkeys(skus, 1))
    assert set(all_levels(table).values()) == {Level(2, 2, 0)}


@pytest.mark.parametrize("chunked", [False, True], ids=["in its head", "in a chunk"])
async def test_reservations_of_older_builds_leave_in_parcels_too(chunked: bool) -> None:
    """Their rows, and those of their levels, are read as they are."""
    table = MemoryTable()
    stock = stock_on(table)
    await put_old(table, chunked=chunked, begun=False)
    for _ in range(2):
        await stock.commit("order-1", "s1", {"main": {"A": 1}})
    assert await stock.levels(["A"]) == (Level(5, 3, 1, 1),)
    assert await stock.reserve("order-1", {"A": 2}) == reserved({"A": 1})
    assert await stock.release("order-1") is True
    assert await stock.levels(["A"]) == (Level(5, 4, 0, 1),)


async def test_an_ordinary_row_is_as_older_builds_wrote_it() -> None:
    """Nothing is paid for locations and parts by an order that has none."""
    table = MemoryTable()
    stock = stock_on(table)
    await stock.receive("r", {"A": 5})
    await stock.reserve("order", {"A": 2})
    assert await table.get({"key": "reservation/order"}) == {"key": "reservation/order", **OLD_WHOLE}


async def test_an_id_that_was_used_for_other_pieces_is_refused() -> None:
    """A shipment is not sent a second time with something else in it, nor is what is not held sent at all."""
    stock = stock_on(MemoryTable())
    await stock.receive("r", {"A": 5, "B": 5})
    await stock.reserve("order", {"A": 3})
    await stock.commit("order", "s1", {"main": {"A": 1}})
    with pytest.raises(UsedOtherwise):
        await stock.commit("order", "s1", {"main": {"A": 2}})
    for pieces in ({"main": {"A": 3}}, {"main": {"B": 1}}, {"north": {"A": 1}}):
        with pytest.raises(NotHeld):
            await stock.commit("order", "s2", pieces)
        with pytest.raises(NotHeld):
            await stock.release_part("order", "c2", pieces)
    with pytest.raises(NotHeld):
        await stock.release_part("order", "c3", {}, unwanted={"A": 1})
    with pytest.raises(NotHeld):
        await stock.commit("nobody's", "s1", {"main": {"A": 1}})
    with pytest.raises(ValueError, match="one piece or more"):
        await stock.commit("order", "s4", {"main": {"A": 0}})
    assert await stock.levels(["A"]) == (Level(5, 2, 2, 1),)


async def test_what_needs_no_stock_leaves_and_comes_back_unseen() -> None:
    """A fee in a parcel, and in a return, is in no level."""
    table = MemoryTable()
    stock = stock_on(table, untracked="accept")
    await stock.receive("r", {"A": 5})
    assert await stock.reserve("order", {"A": 1, "FEE": 1}) == reserved({"A": 1}, "FEE")
    await stock.commit("order", "s1", {"main": {"A": 1, "FEE": 1}})
    await stock.restock("back", sellable={"main": {"A": 1, "FEE": 1}}, damaged={})
    assert all_levels(table) == {Place("main", "A"): Level(6, 5, 0, 1)}


@pytest.mark.parametrize("locations", [ONE_LOCATION, TWO], ids=["one location", "two"])
async def test_long_orders_leave_in_long_parcels(locations: Locations) -> None:
    """More articles than one transaction takes: half of each leaves, a quarter comes back, the rest is released."""
    table = MemoryTable()
    stock = stock_on(table, locations)
    names = locations.names
    for name in names:
        await stock.receive(f"r-{name}", dict.fromkeys(SKUS, 4), location=name)
    wanted = dict.fromkeys(SKUS, 4 * len(names))
    answer = await stock.reserve("order", wanted)
    assert answer == Reserved(held={name: dict.fromkeys(SKUS, 4) for name in names})
    for _ in range(2):
        await stock.commit("order", "s1", {name: dict.fromkeys(SKUS, 2) for name in names})
        await stock.release_part("order", "c1", {name: dict.fromkeys(SKUS, 1) for name in names})
    assert set(all_levels(table).values()) == {Level(4, 1, 1, 2)}
    for _ in range(2):
        assert await stock.release("order") is True
    assert set(all_levels(table).values()) == {Level(4, 2, 0, 2)}
    assert await stock.reserve("order", wanted) == Withdrawn()


async def test_long_orders_wait_for_what_is_missing_too() -> None:
    """Some pieces of each article are there; the others come in two deliveries, and one location after the other has them."""
    table = MemoryTable()
    stock = stock_on(table, TWO)
    await stock.receive("r1", dict.fromkeys(SKUS, 1))
    answer = await stock.reserve("order", dict.fromkeys(SKUS, 3), partial=True)
    assert answer == PartlyReserved(held={"main": dict.fromkeys(SKUS, 1)}, missing=dict.fromkeys(SKUS, 2))
    for number, name in enumerate(TWO.names):
        await stock.receive(f"more-{name}", dict.fromkeys(SKUS, 1), location=name)
        filled = await stock.fill("order", f"f{number}")
        assert filled == Filled(
            held={name: dict.fromkeys(SKUS, 1)}, missing=dict.fromkeys(SKUS, 1) if number == 0 else {}
        )
    assert await stock.release("order") is True
    assert {level.reserved for level in all_levels(table).values()} == {0}


async def test_an_ordinary_order_may_come_to_lie_in_more_places_than_one_transaction_takes() -> None:
    """It was one row for 90 articles, and is put back, or sent, in two transactions."""
    skus = SKUS[:90]
    for way in ("release", "commit"):
        table = MemoryTable()
        stock = stock_on(table, TWO)
        await stock.receive("r1", dict.fromkeys(skus, 1))
        await stock.reserve("order", dict.fromkeys(skus, 2), partial=True)
        await stock.receive("r2", dict.fromkeys(skus, 1), location="north")
        await stock.fill("order", "f")
        for _ in range(2):
            if way == "release":
                assert await stock.release("order") is True
            else:
                await stock.commit("order", "s", {name: dict.fromkeys(skus, 1) for name in TWO.names})
        left = Level(1, 1, 0) if way == "release" else Level(1, 0, 0, 1)
        assert set(all_levels(table).values()) == {left}


async def test_parcels_of_one_order_that_leave_at_once_leave_once_each() -> None:
    """Eight of them, each sent by two workers, while two others give a part back: none overwrites what another wrote."""
    stock = stock_on(MemoryTable())
    await stock.receive("r", {"A": 20})
    await stock.reserve("order", {"A": 20})
    async with anyio.create_task_group() as group:
        for number in range(16):
            group.start_soon(stock.commit, "order", f"s{number % 8}", {"main": {"A": 2}})
        for _ in range(2):
            group.start_soon(stock.release_part, "order", "p", {"main": {"A": 1}})
    assert await stock.reserve("order", {"A": 20}) == reserved({"A": 3})
    assert await stock.levels(["A"]) == (Level(20, 1, 3, 16),)


async def test_a_row_remembers_so_many_changes_and_refuses_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would grow past what DynamoDB takes; a release is always possible."""
    monkeypatch.setattr(parts, "CHANGES_MAX", 3)
    stock = stock_on(MemoryTable())
    await stock.receive("r", {"A": 9})
    await stock.reserve("order", {"A": 9})
    for number in range(3):
        await stock.commit("order", f"s{number}", {"main": {"A": 1}})
    with pytest.raises(ChangedTooOften):
        await stock.commit("order", "s3", {"main": {"A": 1}})
    assert await stock.release("order") is True
    assert await stock.levels(["A"]) == (Level(9, 6, 0, 3),)
