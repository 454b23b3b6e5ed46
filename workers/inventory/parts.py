"""What one row of a reservation holds: the head of an ordinary reservation, or one chunk of a long one.

    reserved, held ──> released                 in one transaction: nothing else has ever happened to it
       │       │
       └──> parted ──> parted ──> released      pieces have left, have come back, have come in later, or are missing
                └──> releasing ──> released     more places than a transaction takes: put back in several

A row that is `reserved` (or, of a chunk, `held`) never changes but by leaving that state; from then on each change counts `revision` up.
So a condition on the state, or on the revision, says that the row is as it was read. What has happened once is remembered by its id: in
`done` with a digest of its pieces, a fill in `filled` with the pieces themselves. A place never leaves `quantities` and `elsewhere`, its
pieces only fall to 0: so it stays known which row an article belongs to.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal

from msgspec import Meta

from workers.inventory.levels import goods_at, places_in
from workers.inventory.stock import MAIN, ChangedTooOften, Goods, GoodsAt, Place, UsedOtherwise
from workers.tables.port import OPERATIONS_MAX, Change, Item, Key, PutNew
from workers.tables.rows import typed

# A transaction has the row itself, and for a chunk its head.
PLACES_MAX: Final = OPERATIONS_MAX - 2
CHANGES_MAX: Final = 400
"""Parcels, partial releases and fills of one row: each is some 60 bytes of it, far below DynamoDB's 400 KB."""
DIGEST_CHARACTERS: Final = 12

_Pieces = Annotated[int, Meta(ge=0)]


@dataclass(frozen=True, slots=True)
class _Row:
    key: str
    state: str
    quantities: Mapping[str, _Pieces]
    untracked: tuple[str, ...]
    elsewhere: Mapping[str, Mapping[str, _Pieces]] = field(default_factory=dict)
    awaited: Mapping[str, _Pieces] = field(default_factory=dict)
    done: Mapping[str, str] = field(default_factory=dict)
    filled: Mapping[str, Mapping[str, Mapping[str, _Pieces]]] = field(default_factory=dict)
    revision: Annotated[int, Meta(ge=1)] | None = None


@dataclass(frozen=True, slots=True)
class _Whole(_Row):
    state: Literal["reserved", "parted", "releasing", "released"]


@dataclass(frozen=True, slots=True)
class _Chunk(_Row):
    state: Literal["held", "parted", "releasing", "released"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A row, as it was read."""

    row: _Row

    @property
    def key(self) -> Key:
        """Where it stands."""
        return {"key": self.row.key}

    @property
    def held(self) -> dict[Place, int]:
        """What is set aside by it at this moment."""
        return {} if self.row.state == "released" else {place: count for place, count in self._held.items() if count}

    @property
    def missing(self) -> dict[str, int]:
        """What it waits for."""
        return {} if self.row.state == "released" else {sku: count for sku, count in self.row.awaited.items() if count}

    @property
    def untracked(self) -> tuple[str, ...]:
        """What needs no stock."""
        return self.row.untracked

    @property
    def held_anything(self) -> bool:
        """Whether there ever was something to put back, or that needed no stock."""
        return bool(self._held or self.row.untracked)

    @property
    def is_released(self) -> bool:
        """It holds nothing any more, and never will."""
        return self.row.state == "released"

    def knows(self, sku: str) -> bool:
        """Whether the article belongs to this row."""
        places = any(sku in goods for goods in self.row.elsewhere.values())
        return places or sku in self.row.quantities or sku in self.row.awaited or sku in self.row.untracked

    def has_done(self, operation: str, digest: str) -> bool:
        """Whether it has happened. Raises UsedOtherwise: under the same id, with other pieces."""
        found = self.row.done.get(operation)
        if found is not None and found != digest:
            raise UsedOtherwise(f"{operation} was done with other pieces")
        return found is not None

    def filled_by(self, fill_id: str) -> GoodsAt | None:
        """What a fill has set aside; None: nothing, so far. Nothing at all, where it was in vain."""
        return {} if _in_vain(fill_id) in self.row.done else self.row.filled.get(fill_id)

    def was_in_vain(self, fill_id: str, unwanted: Goods) -> bool:
        """Whether the fill is undone. Raises UsedOtherwise: for the sake of other pieces."""
        return self.has_done(_in_vain(fill_id), digest_of({}, unwanted))

    def released(self) -> Change:
        """All that it holds is put back."""
        return self._change({"state": "released"})

    def without(self, places: Mapping[Place, int], *, state: Literal["parted", "releasing"]) -> Change:
        """Some of it is put back, on the way to all."""
        return self._change({"state": state, **_stored(self._less(places))})

    def after(self, operation: str, digest: str, gone: Mapping[Place, int], unwanted: Goods) -> Change:
        """Pieces have left or are back, or are not waited for any more."""
        self._check_room()
        awaited = {sku: count - unwanted.get(sku, 0) for sku, count in self.row.awaited.items()}
        done = {**self.row.done, operation: digest}
        return self._change({"state": "parted", **_stored(self._less(gone)), "awaited": awaited, "done": done})

    def with_more(self, fill_id: str, came: Mapping[Place, int]) -> Change:
        """Pieces that were missing are set aside."""
        self._check_room()
        held, awaited = dict(self._held), dict(self.row.awaited)
        for place, count in came.items():
            held[place] = held.get(place, 0) + count
            awaited[place.sku] -= count
        filled = {**self.row.filled, fill_id: goods_at(came)}
        return self._change({"state": "parted", **_stored(held), "awaited": awaited, "filled": filled})

    def without_fill(self, fill_id: str, unwanted: Goods) -> Change:
        """What a fill has set aside is put back and waited for again, but for what nobody waits for any more."""
        self._check_room()
        filled = dict(self.row.filled)
        back = places_in(filled.pop(fill_id, {}))
        awaited = Counter(self.row.awaited)
        for place, count in back.items():
            awaited[place.sku] += count
        awaited.subtract(unwanted)
        done = {**self.row.done, _in_vain(fill_id): digest_of({}, unwanted)}
        told = {**_stored(self._less(back)), "awaited": dict(awaited), "filled": filled, "done": done}
        return self._change({"state": "parted", **told})

    @property
    def _held(self) -> dict[Place, int]:
        main = {Place(MAIN, sku): count for sku, count in self.row.quantities.items()}
        others = self.row.elsewhere.items()
        return main | {Place(name, sku): count for name, goods in others for sku, count in goods.items()}

    def _less(self, places: Mapping[Place, int]) -> dict[Place, int]:
        return {place: count - places.get(place, 0) for place, count in self._held.items()}

    def _change(self, assign: Item) -> Change:
        revision = self.row.revision
        if revision is None:
            touched = {} if assign["state"] == "released" else {"revision": 1}
            return Change(key=self.key, assign={**assign, **touched}, equals={"state": self.row.state})
        seen = {"state": self.row.state, "revision": revision}
        return Change(key=self.key, assign={**assign, "revision": revision + 1}, equals=seen)

    def _check_room(self) -> None:
        if len(self.row.done) + len(self.row.filled) >= CHANGES_MAX:
            raise ChangedTooOften(f"{self.row.key} was changed {CHANGES_MAX} times")


def whole_of(head: Item) -> Part:
    """What a head that says it itself holds. Raises RowUnreadable."""
    return Part(row=typed(_Whole, head, "a reservation"))


def chunk_of(record: Item) -> Part:
    """What a chunk holds. Raises RowUnreadable."""
    return Part(row=typed(_Chunk, record, "a part of a reservation"))


def begun(key: Key, held: Mapping[Place, int], *, whole: str, untracked: Sequence[str], awaited: Goods) -> PutNew:
    """A row's first word: `whole` is its state where nothing is missing."""
    told: dict[str, Any] = {"state": "parted" if awaited else whole, **_stored(held), "untracked": list(untracked)}
    return PutNew(key, {**told, "awaited": dict(awaited), "revision": 1} if awaited else told)


def digest_of(pieces: Mapping[Place, int], unwanted: Goods) -> str:
    """What tells these pieces from others."""
    lines = [f"{place.location}\n{place.sku}\n{count}" for place, count in sorted(pieces.items())]
    lines += [f"\n{sku}\n{count}" for sku, count in sorted(unwanted.items())]
    return hashlib.sha256("\n\n".join(lines).encode()).hexdigest()[:DIGEST_CHARACTERS]


def _in_vain(fill_id: str) -> str:
    return f"forgo/{fill_id}"


def _stored(held: Mapping[Place, int]) -> dict[str, Any]:
    """Goods at the main location as they were always stored; others beside them, where there are any."""
    elsewhere: dict[str, dict[str, int]] = {}
    for place, count in held.items():
        if place.location != MAIN:
            elsewhere.setdefault(place.location, {})[place.sku] = count
    quantities = {place.sku: count for place, count in held.items() if place.location == MAIN}
    return {"quantities": quantities, **({"elsewhere": elsewhere} if elsewhere else {})}
