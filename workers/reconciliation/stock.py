"""The levels of stock against what its reservations hold, and both against the orders. What does not fit is told; a person, or `repair`,
puts it right.

    reserved_differs    a level says that more, or fewer, pieces are set aside than the reservations hold there
    does_not_add_up     on hand is not available + reserved + committed + damaged, or one of them is below zero
    order_ended         a reservation holds pieces of an order that the log says is at its end without them
    order_unknown       the same, of an order that the log does not know
    unreadable          a row that this service did not write

TooManyDoubts   more does not fit than a run can look at again: no discrepancies but another table, or one that was lost.

A scan is no snapshot: orders move goods while it reads. So what does not fit is looked at again, between two looks at the level: each move
of a reservation moves its levels in the same transaction, and a level's `moves` counts them. Where it stood still over the whole scan, what
was summed is exact. Where it never did, the article is named as `unsettled`: the run of another hour will tell.
"""

import zlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

import anyio

from workers.inventory import reservation as r
from workers.inventory.levels import LevelRow, level_key, place_of, row_of
from workers.inventory.parts import Part, chunk_of, whole_of
from workers.inventory.stock import Place
from workers.tables.errors import RowUnreadable
from workers.tables.port import Item, Table

Kind = Literal["reserved_differs", "does_not_add_up", "order_ended", "order_unknown", "unreadable"]
Wants = Literal["goods", "nothing", "unknown"]
OrderWants = Callable[[str], Awaitable[Wants]]
"""What the log says of the order of a reservation: whether it still holds goods."""

LOOKS_MAX: Final = 3
LOOK_AGAIN_S: Final = 60.0
PLACES_MAX: Final = 200_000
"""Articles and locations that are summed at once; of more, the table is read again for each part of them."""
DOUBTS_MAX: Final = 10_000


class TooManyDoubts(Exception):
    """More than one run looks at again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A discrepancy. `ours`: what the reservations hold, or the sum of the parts; `theirs`: what the level says, or the log.

    `subject`: the reservation, or the row, that it is about, where it is about one; `seen`: the level, as it stood still.
    """

    kind: Kind
    sku: str
    location: str
    ours: int
    theirs: int
    subject: str = ""
    seen: LevelRow | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What one run came to. `holding`: rows of reservations that hold something, of which a long one has several."""

    findings: tuple[Finding, ...]
    unsettled: tuple[Place, ...]
    levels: int
    holding: int


class StockReconciliation:
    """Reads the whole table, twice where something does not fit. Memory: a number for each of `places_max` places that are not yet even."""

    def __init__(
        self, table: Table, wants: OrderWants, *, look_again_s: float = LOOK_AGAIN_S, places_max: int = PLACES_MAX
    ) -> None:
        self._table = table
        self._wants = wants
        self._look_again_s = look_again_s
        self._places_max = places_max

    async def reconcile(self) -> Report:
        """Compare. Raises StoreError, TableError, TooManyDoubts; a run that breaks off may be repeated."""
        first = _First()
        doubts = [place async for place in self._uneven(first)]
        _bounded(doubts)
        if not doubts and not first.ended:
            return self._report(first, [], [])
        await anyio.sleep(self._look_again_s)
        found: list[Finding] = []
        for look in range(LOOKS_MAX):
            settled, held = await self._look_again(doubts, first.ended if look == 0 else {})
            found += [finding for place in settled if (finding := _judged(place, *settled[place])) is not None]
            found += await self._of_orders(held)
            doubts = [place for place in doubts if place not in settled]
            if not doubts:
                break
        return self._report(first, found, doubts)

    def _report(self, first: "_First", found: Iterable[Finding], unsettled: Iterable[Place]) -> Report:
        return Report(
            findings=(*first.findings, *found),
            unsettled=tuple(unsettled),
            levels=first.levels,
            holding=first.holding,
        )

    async def _uneven(self, first: "_First") -> AsyncIterator[Place]:
        """Places whose level and reservations differ, as far as a scan can tell; and what one row alone tells, noted in `first`."""
        work, is_first = [(0, 1)], True
        while work:
            index, slices = work.pop()
            sums: Counter[Place] = Counter()
            async for item in self._table.scan():
                if is_first:
                    await self._note(first, item)
                for place, pieces in _weighed(item):
                    if _slice(place, slices) == index:
                        sums[place] += pieces
                        if not sums[place]:
                            del sums[place]
                while len(sums) > self._places_max:
                    work.append((index + slices, slices * 2))
                    slices *= 2
                    sums = Counter({place: sums[place] for place in sums if _slice(place, slices) == index})
            is_first = False
            for place in sums.keys() - first.unreadable:
                yield place

    async def _note(self, first: "_First", item: Item) -> None:
        key = str(item.get("key"))
        try:
            row, part = _level_in(item), _part_in(item)
        except RowUnreadable:
            about = place_of(key) or Place("", "")
            first.unreadable.add(about)
            unreadable = Finding(
                kind="unreadable", sku=about.sku, location=about.location, ours=0, theirs=0, subject=key
            )
            first.findings.append(unreadable)
            return
        place = place_of(key)
        if row is not None and place is not None:
            first.levels += 1
            if not row.level.adds_up:
                first.findings.append(_not_even(place, row))
        if part is not None and part.held:
            await self._note_reservation(first, r.reservation_of(key) or key)

    async def _note_reservation(self, first: "_First", reservation_id: str) -> None:
        first.holding += 1
        if reservation_id in first.ended:
            return
        wants = await self._wants(reservation_id)
        if wants != "goods":
            first.ended[reservation_id] = wants
            _bounded(first.ended)

    async def _look_again(
        self, doubts: list[Place], ended: Mapping[str, Wants]
    ) -> tuple[dict[Place, tuple[int, LevelRow | None]], dict[str, Counter[Place]]]:
        """What the reservations hold, of places whose level stood still meanwhile; and what reservations of ended orders hold."""
        before = await self._rows(doubts)
        sums, held = Counter[Place](), {reservation_id: Counter[Place]() for reservation_id in ended}
        async for item in self._table.scan():
            try:
                part = _part_in(item)
            except RowUnreadable:
                continue
            for place, pieces in part.held.items() if part is not None else ():
                if place in before:
                    sums[place] += pieces
                of_ended = held.get(r.reservation_of(str(item["key"])) or "")
                if of_ended is not None:
                    of_ended[place] += pieces
        after = await self._rows(doubts)
        settled = {place: (sums[place], after[place]) for place in doubts if before[place] == after[place]}
        return settled, held

    async def _of_orders(self, held: Mapping[str, Counter[Place]]) -> list[Finding]:
        """Of orders whose last word may only just have been written, those that still hold something after a while."""
        found = []
        for reservation_id, pieces in held.items():
            wants = await self._wants(reservation_id) if pieces else "goods"
            if wants == "goods":
                continue
            kind: Kind = "order_ended" if wants == "nothing" else "order_unknown"
            found += [
                Finding(kind=kind, sku=place.sku, location=place.location, ours=count, theirs=0, subject=reservation_id)
                for place, count in sorted(pieces.items())
            ]
        return found

    async def _rows(self, places: list[Place]) -> dict[Place, LevelRow | None]:
        items = await self._table.get_many([level_key(place) for place in places]) if places else ()
        return dict(zip(places, map(row_of, items), strict=True))


class _First:
    """What the first scan has seen."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self.ended: dict[str, Wants] = {}
        self.unreadable: set[Place] = set()
        self.levels = 0
        self.holding = 0


def _weighed(item: Item) -> Iterable[tuple[Place, int]]:
    """What a reservation's row holds counts up, what a level says is reserved counts down."""
    try:
        row, part = _level_in(item), _part_in(item)
    except RowUnreadable:
        return
    place = place_of(str(item["key"]))
    if row is not None and place is not None:
        yield place, -row.reserved
    elif part is not None:
        yield from part.held.items()


def _level_in(item: Item) -> LevelRow | None:
    return row_of(item) if place_of(str(item["key"])) is not None else None


def _part_in(item: Item) -> Part | None:
    """What the row holds by itself; None for rows that hold nothing, such as the head of a long reservation."""
    key = str(item["key"])
    if r.reservation_of(key) is None or not r.is_whole(item):
        return None
    return chunk_of(item) if key.count("/") > 1 else whole_of(item)


def _judged(place: Place, ours: int, row: LevelRow | None) -> Finding | None:
    theirs = 0 if row is None else row.reserved
    if ours == theirs:
        return None
    return Finding(kind="reserved_differs", sku=place.sku, location=place.location, ours=ours, theirs=theirs, seen=row)


def _not_even(place: Place, row: LevelRow) -> Finding:
    parts = row.available + row.reserved + row.committed + row.damaged
    return Finding(
        kind="does_not_add_up", sku=place.sku, location=place.location, ours=parts, theirs=row.on_hand, seen=row
    )


def _slice(place: Place, slices: int) -> int:
    return zlib.crc32("\n".join(place).encode()) % slices


def _bounded(doubts: list[Place] | dict[str, Wants]) -> None:
    if len(doubts) > DOUBTS_MAX:
        raise TooManyDoubts(f"more than {DOUBTS_MAX} things do not fit: is this the right table?")
