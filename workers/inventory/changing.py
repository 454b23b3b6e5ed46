"""What happens to goods that are set aside: they leave with a parcel, come back in part, or come in later.

Each happens once, by its id, in the transaction that changes the levels. What does not fit into one transaction (a parcel of more than
98 articles and locations, or of several chunks) is done in several, each with an id of its own that follows from the first: a repeat
does those that were not done.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from workers.inventory import reservation as r
from workers.inventory.allocation import Strategy
from workers.inventory.levels import available_at, goods_at, leaves, places_in, returns, takes
from workers.inventory.locations import Locations
from workers.inventory.parts import PLACES_MAX, Part, digest_of, whole_of
from workers.inventory.patience import LOOKS_MAX, PatientTable
from workers.inventory.releasing import Releasing
from workers.inventory.stock import Filled, Goods, GoodsAt, NotHeld, Place, StockContended, Withdrawn
from workers.tables.errors import TransactionRefused
from workers.tables.port import Change

Moves = Callable[[Mapping[Place, int]], Iterator[Change]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """What one transaction does with one row."""

    operation: str
    part: Part
    pieces: Mapping[Place, int]
    unwanted: Goods

    @property
    def digest(self) -> str:
        return digest_of(self.pieces, self.unwanted)


class Changing:
    """Parts of reservations that are made."""

    def __init__(self, table: PatientTable, *, locations: Locations, strategy: Strategy) -> None:
        self._table = table
        self._releasing = Releasing(table)
        self._locations = locations
        self._strategy = strategy

    async def commit(self, reservation_id: str, shipment_id: str, pieces: GoodsAt) -> None:
        """See `Stock.commit`."""
        await self._once(reservation_id, f"commit/{shipment_id}", pieces, {}, leaves)

    async def release_part(self, reservation_id: str, release_id: str, pieces: GoodsAt, unwanted: Goods) -> None:
        """See `Stock.release_part`."""
        await self._once(reservation_id, f"release/{release_id}", pieces, unwanted, returns)

    async def fill(self, reservation_id: str, fill_id: str, *, destination: str | None) -> Filled | Withdrawn:
        """See `Stock.fill`."""
        for _ in range(LOOKS_MAX):
            parts = await self._parts(reservation_id)
            if all(part.is_released for part in parts):
                return Withdrawn()
            if not await self._fill(parts, fill_id, destination):
                continue
            parts = await self._parts(reservation_id)
            held = goods_at(item for part in parts for item in places_in(part.filled_by(fill_id) or {}).items())
            missing = {sku: pieces for part in parts for sku, pieces in part.missing.items()}
            return Filled(held=held, missing=missing)
        raise StockContended(f"filling {reservation_id} was overtaken {LOOKS_MAX} times")

    async def holding(self, reservation_id: str) -> GoodsAt:
        """See `TableStock.holding`."""
        try:
            parts = await self._parts(reservation_id)
        except NotHeld:
            return {}
        return goods_at(item for part in parts for item in part.held.items())

    async def forgo(self, reservation_id: str, fill_id: str, unwanted: Goods) -> None:
        """See `Stock.forgo`."""
        for _ in range(LOOKS_MAX):
            parts = await self._parts(reservation_id)
            _check_known(reservation_id, parts, list(unwanted))
            done = [await self._forgo(part, fill_id, unwanted) for part in parts if not part.is_released]
            if all(done):
                return
        raise StockContended(f"{fill_id} of {reservation_id} was overtaken {LOOKS_MAX} times")

    async def _forgo(self, part: Part, fill_id: str, unwanted: Goods) -> bool:
        """Whether the row is as if the fill had never been; else somebody has changed it."""
        mine = {sku: count for sku, count in unwanted.items() if part.knows(sku) and sku not in part.untracked}
        if part.was_in_vain(fill_id, mine):
            return True
        back = places_in(part.filled_by(fill_id) or {})
        if not (mine or back or part.missing):
            return True
        for sku, count in mine.items():
            waiting = part.missing.get(sku, 0) + sum(back[place] for place in back if place.sku == sku)
            if waiting < count:
                raise NotHeld(f"forgo: {count} missing pieces of {sku}, waiting for {waiting}")
        try:
            await self._table.transact([part.without_fill(fill_id, mine), *returns(back)])
        except TransactionRefused as refusal:
            if 0 not in refusal.refused:
                raise  # a level says that less is reserved than we hold: for a person
            return False
        return True

    async def _once(self, reservation_id: str, operation: str, pieces: GoodsAt, unwanted: Goods, moves: Moves) -> None:
        wanted = places_in(pieces)
        if any(count < 1 for count in [*wanted.values(), *unwanted.values()]):
            raise ValueError("one piece or more of each article")
        if not wanted and not unwanted:
            return
        for _ in range(LOOKS_MAX):
            parts = await self._parts(reservation_id)
            steps = [step for part in parts for step in _steps(part, operation, wanted, unwanted)]
            _check_known(reservation_id, parts, [*(place.sku for place in wanted), *unwanted])
            if await self._all_done(steps, moves):
                return
        raise StockContended(f"{operation} of {reservation_id} was overtaken {LOOKS_MAX} times")

    async def _all_done(self, steps: Sequence[_Step], moves: Moves) -> bool:
        """Whether every step is done; else a row has changed, be it by the step before."""
        for step in steps:
            if step.part.has_done(step.operation, step.digest):
                continue
            _check_held(step)
            change = step.part.after(step.operation, step.digest, step.pieces, step.unwanted)
            try:
                await self._table.transact([change, *moves(step.pieces)])
            except TransactionRefused as refusal:
                if 0 not in refusal.refused:
                    raise  # a level says that less is reserved than we hold: for a person
                return False
        return True

    async def _fill(self, parts: Sequence[Part], fill_id: str, destination: str | None) -> bool:
        """Whether every row has what there is; else somebody has changed a row, or was faster with the goods."""
        waiting = [part for part in parts if part.missing and part.filled_by(fill_id) is None]
        wanted = {sku: pieces for part in waiting for sku, pieces in part.missing.items()}
        if not wanted:
            return True
        levels = await self._table.levels([Place(name, sku) for sku in wanted for name in self._locations.names])
        plan = self._strategy(wanted, available_at(levels), destination)
        for part in waiting:
            mine = {place: count for place, count in places_in(plan.held).items() if place.sku in part.missing}
            came = dict(list(mine.items())[:PLACES_MAX])
            if not came:
                continue
            try:
                await self._table.transact([part.with_more(fill_id, came), *takes(came)])
            except TransactionRefused:
                return False
        return True

    async def _parts(self, reservation_id: str) -> Sequence[Part]:
        """The rows of a reservation that was made. Raises NotHeld."""
        head = r.head_of(await self._table.get(r.head_key(reservation_id)))
        if head is not None and r.is_whole(head):
            return [whole_of(head)]
        if head is None or head["state"] not in ("reserved", "releasing", "released"):
            raise NotHeld(f"reservation {reservation_id} was not made")
        return await self._releasing.records(reservation_id, head)


def _steps(part: Part, operation: str, wanted: Mapping[Place, int], unwanted: Goods) -> Iterator[_Step]:
    """What of it is this row's. The same pieces give the same steps, whatever has been done of them."""
    mine = [(place, count) for place, count in wanted.items() if part.knows(place.sku)]
    mine = [(place, count) for place, count in mine if place.sku not in part.untracked]
    dropped = {sku: count for sku, count in unwanted.items() if part.knows(sku) and sku not in part.untracked}
    for number, start in enumerate(range(0, max(len(mine), 1), PLACES_MAX)):
        pieces = dict(mine[start : start + PLACES_MAX])
        last = start + PLACES_MAX >= len(mine)
        if pieces or dropped:
            name = operation if number == 0 else f"{operation}#{number}"
            yield _Step(operation=name, part=part, pieces=pieces, unwanted=dropped if last else {})


def _check_known(reservation_id: str, parts: Sequence[Part], skus: Sequence[str]) -> None:
    for sku in skus:
        if not any(part.knows(sku) for part in parts):
            raise NotHeld(f"reservation {reservation_id} never held {sku}")


def _check_held(step: _Step) -> None:
    held, missing = step.part.held, step.part.missing
    for place, count in step.pieces.items():
        if held.get(place, 0) < count:
            raise NotHeld(f"{step.operation}: {count} of {place.sku} at {place.location}, held {held.get(place, 0)}")
    for sku, count in step.unwanted.items():
        if missing.get(sku, 0) < count:
            raise NotHeld(f"{step.operation}: {count} missing pieces of {sku}, waiting for {missing.get(sku, 0)}")
