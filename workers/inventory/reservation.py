"""One reservation in the stock table: its items, and the states of its head.

    (none) ──> reserving ──> reserved          every chunk is held
      │            │  └────> failing ─> failed     a chunk was short: held chunks go back first, then it is final
      │            └──> releasing <── reserved
      │                     └────> released        every held chunk is back
      ├──> released                                the release came first: nothing will ever be held
      └──> reserved or parted ──> released         in one transaction each, where all of it is one row (`parts.py`)

What one transaction can hold (every ordinary order) has no chunks: its head says itself what is held, so that it is one item less to
write in each of two transactions. Reservations of before November 2026 have one chunk instead. A build from then cannot read such a head
(there is no `chunks` in it) and leaves it to this one.

A chunk is held by one transaction with its SKUs, and only while the head says `reserving`; so once the head has left that
state, what is held can only become less, and whoever comes next can finish the way back.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from msgspec import Meta

from orderstore.domain.events import MissingStock
from workers.inventory.levels import takes
from workers.inventory.parts import Part, begun, chunk_of, whole_of
from workers.inventory.stock import Goods, Place
from workers.tables.port import OPERATIONS_MAX, Change, Check, Item, Key, Operation, PutNew
from workers.tables.rows import typed

# A chunk's transaction holds its SKUs, its own record and the head. With several locations an SKU may be taken from each of them.
CHUNK_SKUS_MAX: Final = OPERATIONS_MAX - 10
CHUNKS_MAX: Final = 1_000  # far more than the largest order has
# An order that is short of more is no less short; the head stays far below DynamoDB's 400 KB for an item.
MISSING_TOLD_MAX: Final = 100


@dataclass(frozen=True, slots=True)
class Chunk:
    """A part of a reservation that one transaction can hold."""

    key: Key
    quantities: Goods


@dataclass(frozen=True, slots=True)
class _Head:
    state: Literal["reserving", "reserved", "failing", "failed", "releasing", "released"]
    chunks: Annotated[int, Meta(ge=0, le=CHUNKS_MAX)]
    missing: tuple[MissingStock, ...]
    size: Annotated[int, Meta(ge=1, le=CHUNK_SKUS_MAX)] = CHUNK_SKUS_MAX


def chunks_of(prefix: str, quantities: Goods, size: int = CHUNK_SKUS_MAX) -> tuple[Chunk, ...]:
    """The same quantities give the same chunks, whenever they are asked for."""
    skus = sorted(quantities)
    starts = range(0, len(skus), size)
    return tuple(
        Chunk(chunk_key(prefix, number), {sku: quantities[sku] for sku in skus[start : start + size]})
        for number, start in enumerate(starts)
    )


def chunk_size(locations: int) -> int:
    """How many SKUs a chunk has, so that each may be taken from every location."""
    return min(CHUNK_SKUS_MAX, max(1, (OPERATIONS_MAX - 2) // locations))


def head_key(reservation_id: str) -> Key:
    """The reservation's head."""
    return {"key": f"reservation/{reservation_id}"}


def chunk_key(prefix: str, number: int) -> Key:
    """A chunk of a reservation or of a receipt."""
    return {"key": f"{prefix}/{number}"}


def reservation_of(key: str) -> str | None:
    """Whose row it is, be it a head or a chunk; None for a row that is of no reservation. Reservations have the ids of orders."""
    kind, _, rest = key.partition("/")
    return rest.partition("/")[0] if kind == "reservation" else None


def head_of(item: Item | None) -> Item | None:
    """A reservation's head, looked at before anybody acts on it: a state that is not known is never taken for another.

    Raises RowUnreadable.
    """
    if item is not None and is_whole(item):
        whole_of(item)
    elif item is not None:
        typed(_Head, item, "a reservation")
    return item


def records_of(items: Sequence[Item | None]) -> tuple[Part | None, ...]:
    """The chunks' records, looked at in the same way. Raises RowUnreadable."""
    return tuple(None if item is None else chunk_of(item) for item in items)


def size_of(head: Item) -> int:
    """How many SKUs each of its chunks has, but the last."""
    return typed(_Head, head, "a reservation").size


def put_head(
    reservation_id: str,
    state: str,
    *,
    chunks: int,
    size: int = CHUNK_SKUS_MAX,
    missing: Sequence[MissingStock] = (),
) -> PutNew:
    """The first word about a reservation."""
    sized = {} if size == CHUNK_SKUS_MAX else {"size": size}
    told = {"state": state, "chunks": chunks, "missing": _stored(missing), **sized}
    return PutNew(head_key(reservation_id), told)


def move_head(reservation_id: str, before: str, after: str, *, missing: Sequence[MissingStock] = ()) -> Change:
    """From one state to the next, if nobody else was faster."""
    told = {"missing": _stored(missing)} if missing else {}
    return Change(key=head_key(reservation_id), assign={"state": after, **told}, equals={"state": before})


def hold(
    head: Check, key: Key, held: Mapping[Place, int], *, untracked: Sequence[str] = (), awaited: Goods
) -> tuple[Operation, ...]:
    """Set a chunk aside: head first, then the chunk's record, then its tracked SKUs in order."""
    return (head, begun(key, held, whole="held", untracked=untracked, awaited=awaited), *takes(held))


def hold_whole(
    reservation_id: str, held: Mapping[Place, int], *, untracked: Sequence[str] = (), awaited: Goods
) -> tuple[Operation, ...]:
    """Set all of a reservation aside at once: its head first, then the tracked SKUs in order. There may be nothing to set aside."""
    head = begun(head_key(reservation_id), held, whole="reserved", untracked=untracked, awaited=awaited)
    return (head, *takes(held))


def is_whole(head: Item) -> bool:
    """Whether the head says itself what is held."""
    return "quantities" in head


def still_reserving(reservation_id: str) -> Check:
    """What every chunk of a long reservation demands of the head."""
    return Check(head_key(reservation_id), {"state": "reserving"})


def missing_told(quantities: Goods, missing: Goods) -> tuple[MissingStock, ...]:
    """What obviously does not suffice, at all locations together, without asking for it in a transaction."""
    told = list(missing.items())[:MISSING_TOLD_MAX]
    return tuple(
        MissingStock(sku=sku, wanted=quantities[sku], available=quantities[sku] - pieces) for sku, pieces in told
    )


def missing_of(head: Item) -> tuple[MissingStock, ...]:
    """What a failed reservation was short of."""
    return tuple(
        MissingStock(sku=short["sku"], wanted=short["wanted"], available=short["available"])
        for short in head["missing"]
    )


def _stored(missing: Sequence[MissingStock]) -> list[dict[str, str | int]]:
    return [{"sku": short.sku, "wanted": short.wanted, "available": short.available} for short in missing]
