"""The rows of the levels: one for each SKU and location, and the only ways in which one is ever written.

    sku/<SKU>              at the location `main`; rows of before November 2026 have no `committed`, `damaged` and `moves`: they are 0
    at/<location>/<SKU>    at any other

Every change takes from one number what it adds to another, and demands that so much was there: so the invariant holds after it if it held
before it, and nothing falls below zero. `moves` counts the changes: a row with the same `moves` has not been touched in between.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from workers.inventory.stock import MAIN, GoodsAt, Level, Place
from workers.tables.port import Change, Item, Key, PutNew
from workers.tables.rows import typed


@dataclass(frozen=True, slots=True)
class LevelRow:
    """A level as it is stored."""

    on_hand: int
    available: int
    reserved: int
    committed: int = 0
    damaged: int = 0
    moves: int | None = None

    @property
    def level(self) -> Level:
        """Its numbers."""
        return Level(self.on_hand, self.available, self.reserved, self.committed, self.damaged)


def level_key(place: Place) -> Key:
    """The row of an article at a location."""
    return {"key": f"sku/{place.sku}" if place.location == MAIN else f"at/{place.location}/{place.sku}"}


def place_of(key: str) -> Place | None:
    """The article and location of a row; None for a row that is no level."""
    kind, _, rest = key.partition("/")
    match kind:
        case "sku":
            return Place(MAIN, rest)
        case "at":
            location, _, sku = rest.partition("/")
            return Place(location, sku)
        case _:
            return None


def row_of(item: Item | None) -> LevelRow | None:
    """The row in an item; None for an SKU that has never been there. Raises RowUnreadable."""
    return None if item is None else typed(LevelRow, item, "a stock level")


def level_of(item: Item | None) -> Level | None:
    """The level in an item."""
    row = row_of(item)
    return None if row is None else row.level


def places_in(goods: GoodsAt) -> dict[Place, int]:
    """Pieces by place, in a fixed order."""
    return {Place(location, sku): goods[location][sku] for location in sorted(goods) for sku in sorted(goods[location])}


def goods_at(pieces: Mapping[Place, int] | Iterable[tuple[Place, int]]) -> dict[str, dict[str, int]]:
    """The other way round; places without pieces are not named."""
    found: dict[str, dict[str, int]] = {}
    for place, count in pieces.items() if isinstance(pieces, Mapping) else pieces:
        if count:
            at = found.setdefault(place.location, {})
            at[place.sku] = at.get(place.sku, 0) + count
    return found


def available_at(levels: Mapping[Place, Level | None]) -> dict[str, dict[str, int]]:
    """What a strategy is shown."""
    return goods_at((place, max(0, level.available)) for place, level in levels.items() if level is not None)


def takes(held: Mapping[Place, int]) -> Iterator[Change]:
    """Set pieces aside."""
    for place, pieces in held.items():
        yield _moved(place, pieces, "available", "reserved")


def returns(held: Mapping[Place, int]) -> Iterator[Change]:
    """Put them back."""
    for place, pieces in held.items():
        yield _moved(place, pieces, "reserved", "available")


def leaves(held: Mapping[Place, int]) -> Iterator[Change]:
    """They have left with a parcel."""
    for place, pieces in held.items():
        yield _moved(place, pieces, "reserved", "committed")


def damages(place: Place, pieces: int) -> Change:
    """They are not for sale any more."""
    return _moved(place, pieces, "available", "damaged")


def comes_in(place: Place, *, sellable: int = 0, damaged: int = 0) -> Change:
    """New or returned pieces."""
    add = {"on_hand": sellable + damaged, "available": sellable, "reserved": 0, "moves": 1}
    return Change(key=level_key(place), add={**add, "damaged": damaged} if damaged else add)


def goes_out(place: Place, pieces: int, part: str) -> Change:
    """Pieces are not there any more: closed (`committed`), written off (`damaged`) or carried elsewhere (`available`)."""
    return Change(
        key=level_key(place),
        add={"on_hand": -pieces, part: -pieces, "moves": 1},
        at_least={"on_hand": pieces, part: pieces},
    )


def counted(place: Place, row: LevelRow | None, pieces: int) -> Change | PutNew:
    """So many are there, by a person's count, if the row is as it was when that was weighed. The difference is in what is available."""
    if row is None:
        numbers = {"on_hand": pieces, "available": pieces, "reserved": 0, "moves": 1}
        return PutNew(level_key(place), numbers)
    more = pieces - row.level.there
    return Change(
        key=level_key(place), add={"on_hand": more, "available": more, "moves": 1}, equals=untouched(row), at_least={}
    )


def untouched(row: LevelRow) -> dict[str, int]:
    """What a row that nobody has touched since has. One without `moves` was last written by an older build: its numbers must do."""
    numbers = {"on_hand": row.on_hand, "available": row.available, "reserved": row.reserved}
    return numbers if row.moves is None else {**numbers, "moves": row.moves}


def _moved(place: Place, pieces: int, source: str, target: str) -> Change:
    add = {source: -pieces, target: pieces, "moves": 1}
    return Change(key=level_key(place), add=add, at_least={source: pieces})
