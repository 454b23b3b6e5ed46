"""One reservation in the stock table: its items, and the states of its head.

    (none) ──> reserving ──> reserved          every chunk is held
      │            │  └────> failing ─> failed     a chunk was short: held chunks go back first, then it is final
      │            └──> releasing <── reserved
      │                     └────> released        every held chunk is back
      ├──> released                                the release came first: nothing will ever be held
      └──> reserved ──> released                   in one transaction each, where all of it is one chunk

What one transaction can hold (every ordinary order) has no chunks: its head says itself what is held, so that it is one item less to
write in each of two transactions. Reservations of before November 2026 have one chunk instead. A build from then cannot read such a head
(there is no `chunks` in it) and leaves it to this one.

A chunk is held by one transaction with its SKUs, and only while the head says `reserving`; so once the head has left that
state, what is held can only become less, and whoever comes next can finish the way back.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from msgspec import Meta

from orderstore.domain.events import MissingStock
from workers.inventory.stock import Level
from workers.tables.port import OPERATIONS_MAX, Change, Check, Item, Key, Operation, PutNew
from workers.tables.rows import typed

# A chunk's transaction holds its SKUs, its own record and the head.
CHUNK_SKUS_MAX: Final = OPERATIONS_MAX - 10
CHUNKS_MAX: Final = 1_000  # far more than the largest order has
# An order that is short of more is no less short; the head stays far below DynamoDB's 400 KB for an item.
MISSING_TOLD_MAX: Final = 100


@dataclass(frozen=True, slots=True)
class Chunk:
    """A part of a reservation that one transaction can hold."""

    key: Key
    quantities: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class _Head:
    state: Literal["reserving", "reserved", "failing", "failed", "releasing", "released"]
    chunks: Annotated[int, Meta(ge=0, le=CHUNKS_MAX)]
    missing: tuple[MissingStock, ...]


@dataclass(frozen=True, slots=True)
class _Whole:
    state: Literal["reserved", "releasing", "released"]
    quantities: Mapping[str, Annotated[int, Meta(ge=1)]]
    untracked: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Record:
    state: Literal["held", "released"]
    quantities: Mapping[str, Annotated[int, Meta(ge=1)]]
    untracked: tuple[str, ...]


def chunks_of(prefix: str, quantities: Mapping[str, int]) -> tuple[Chunk, ...]:
    """The same quantities give the same chunks, whenever they are asked for."""
    skus = sorted(quantities)
    starts = range(0, len(skus), CHUNK_SKUS_MAX)
    return tuple(
        Chunk(chunk_key(prefix, number), {sku: quantities[sku] for sku in skus[start : start + CHUNK_SKUS_MAX]})
        for number, start in enumerate(starts)
    )


def head_key(reservation_id: str) -> Key:
    """The reservation's head."""
    return {"key": f"reservation/{reservation_id}"}


def chunk_key(prefix: str, number: int) -> Key:
    """A chunk of a reservation or of a receipt."""
    return {"key": f"{prefix}/{number}"}


def sku_key(sku: str) -> Key:
    """The level of one SKU."""
    return {"key": f"sku/{sku}"}


def level_of(item: Item | None) -> Level | None:
    """The level in an item; None for a SKU that stock has never heard of."""
    return None if item is None else typed(Level, item, "a stock level")


def head_of(item: Item | None) -> Item | None:
    """A reservation's head, looked at before anybody acts on it: a state that is not known is never taken for another.

    Raises RowUnreadable.
    """
    if item is not None:
        typed(_Whole if is_whole(item) else _Head, item, "a reservation")
    return item


def records_of(items: Sequence[Item | None]) -> tuple[Item | None, ...]:
    """The chunks' records, looked at in the same way. Raises RowUnreadable."""
    for item in items:
        if item is not None:
            typed(_Record, item, "a part of a reservation")
    return tuple(items)


def put_head(reservation_id: str, state: str, *, chunks: int, missing: Sequence[MissingStock] = ()) -> PutNew:
    """The first word about a reservation."""
    return PutNew(head_key(reservation_id), {"state": state, "chunks": chunks, "missing": _stored(missing)})


def move_head(reservation_id: str, before: str, after: str, *, missing: Sequence[MissingStock] = ()) -> Change:
    """From one state to the next, if nobody else was faster."""
    told = {"missing": _stored(missing)} if missing else {}
    return Change(key=head_key(reservation_id), assign={"state": after, **told}, equals={"state": before})


def hold(head: Check, chunk: Chunk, tracked: Sequence[str]) -> tuple[Operation, ...]:
    """Set a chunk aside: head first, then the chunk's record, then its tracked SKUs in order."""
    held = {sku: chunk.quantities[sku] for sku in tracked}
    untracked = [sku for sku in chunk.quantities if sku not in held]
    record = PutNew(chunk.key, {"state": "held", "quantities": held, "untracked": untracked})
    return (head, record, *_takes(held))


def hold_whole(reservation_id: str, chunk: Chunk | None, tracked: Sequence[str]) -> tuple[Operation, ...]:
    """Set all of a reservation aside at once: its head first, then the tracked SKUs in order. No chunk: there is nothing to set aside."""
    wanted = {} if chunk is None else chunk.quantities
    held = {sku: wanted[sku] for sku in tracked}
    untracked = [sku for sku in wanted if sku not in held]
    told = {"state": "reserved", "quantities": held, "untracked": untracked}
    return (PutNew(head_key(reservation_id), told), *_takes(held))


def is_whole(head: Item) -> bool:
    """Whether the head says itself what is held."""
    return "quantities" in head


def held_anything(head: Item) -> bool:
    """Whether there ever was something to put back, or that needed no stock; for a head that says it itself."""
    return bool(head["quantities"] or head["untracked"])


def give_back_whole(reservation_id: str, head: Item) -> tuple[Operation, ...]:
    """Put all of it back at once: the head first, then its SKUs."""
    moved = Change(key=head_key(reservation_id), assign={"state": "released"}, equals={"state": head["state"]})
    return (moved, *_returns(head["quantities"]))


def still_reserving(reservation_id: str) -> Check:
    """What every chunk of a long reservation demands of the head."""
    return Check(head_key(reservation_id), {"state": "reserving"})


def give_back(key: Key, quantities: Mapping[str, int]) -> tuple[Operation, ...]:
    """Put a held chunk back: its record first, then its SKUs."""
    record = Change(key=key, assign={"state": "released"}, equals={"state": "held"})
    return (record, *_returns(quantities))


def _takes(quantities: Mapping[str, int]) -> Iterator[Operation]:
    for sku, wanted in quantities.items():
        yield Change(key=sku_key(sku), add={"available": -wanted, "reserved": wanted}, at_least={"available": wanted})


def _returns(quantities: Mapping[str, int]) -> Iterator[Operation]:
    for sku, held in quantities.items():
        yield Change(key=sku_key(sku), add={"available": held, "reserved": -held}, at_least={"reserved": held})


def book_in(chunk: Chunk) -> tuple[Operation, ...]:
    """Goods-in: the receipt's record first, then its SKUs."""
    record = PutNew(chunk.key, {"quantities": dict(chunk.quantities)})
    adds = (
        Change(key=sku_key(sku), add={"on_hand": pieces, "available": pieces, "reserved": 0})
        for sku, pieces in chunk.quantities.items()
    )
    return (record, *adds)


def short_of(quantities: Mapping[str, int], levels: Mapping[str, Level | None]) -> tuple[MissingStock, ...]:
    """What obviously does not suffice, without asking for it in a transaction."""
    return tuple(_short(quantities, levels))[:MISSING_TOLD_MAX]


def _short(quantities: Mapping[str, int], levels: Mapping[str, Level | None]) -> Iterator[MissingStock]:
    for sku, wanted in quantities.items():
        level = levels[sku]
        available = 0 if level is None else level.available
        if available < wanted:
            yield MissingStock(sku=sku, wanted=wanted, available=available)


def missing_of(head: Item) -> tuple[MissingStock, ...]:
    """What a failed reservation was short of."""
    return tuple(
        MissingStock(sku=short["sku"], wanted=short["wanted"], available=short["available"])
        for short in head["missing"]
    )


def _stored(missing: Sequence[MissingStock]) -> list[dict[str, str | int]]:
    return [{"sku": short.sku, "wanted": short.wanted, "available": short.available} for short in missing]
