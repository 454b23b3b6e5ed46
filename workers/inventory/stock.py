"""Stock as the inventory worker sees it.

Per SKU and location, always: on hand = available + reserved + committed + damaged, and none of them below zero.

    StockError
    ├── StockContended     others held the same goods in every one of the bounded tries; nothing is lost, try again
    ├── UsedOtherwise      an id (of a receipt, a shipment, a return ...) that was used before, for something else
    ├── NotHeld            pieces are to leave, or to come back, that the reservation does not hold
    ├── NotThere           fewer pieces are there than a person says
    └── ChangedTooOften    a reservation was changed in more parts than its row may remember
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple, Protocol

from orderstore.domain.events import MissingStock, OrderCreated

Untracked = Literal["refuse", "accept"]
"""What an SKU means that stock has never heard of: nothing available, or a service or a fee that needs no stock."""

Goods = Mapping[str, int]
"""Pieces by SKU."""
GoodsAt = Mapping[str, Goods]
"""Pieces by SKU, by location."""

MAIN: Final = "main"
"""The location of goods that no other is named for."""


class StockError(Exception):
    """Stock could not do what it was asked to."""


class StockContended(StockError):
    """Too many others want the same goods at this moment."""


class UsedOtherwise(StockError):
    """The id was used before, with other goods or quantities."""


class NotHeld(StockError):
    """The reservation does not hold these pieces: it never did, or they have left or are back."""


class NotThere(StockError):
    """Fewer pieces are available, damaged or there at all than the words of a person would need."""


class ChangedTooOften(StockError):
    """More partial changes than a reservation's row may remember."""


class Place(NamedTuple):
    """One article at one location."""

    location: str
    sku: str


@dataclass(frozen=True, slots=True)
class Level:
    """How many pieces of one SKU there are at a location.

    `reserved`: set aside for orders. `committed`: left with a parcel since the books of the article were last closed. `damaged`: there,
    and not for sale.
    """

    on_hand: int
    available: int
    reserved: int
    committed: int = 0
    damaged: int = 0

    @property
    def adds_up(self) -> bool:
        """Whether the invariant holds."""
        parts = (self.available, self.reserved, self.committed, self.damaged)
        return min(parts) >= 0 and self.on_hand == sum(parts)

    @property
    def there(self) -> int:
        """What somebody who counts finds: all but what has left."""
        return self.on_hand - self.committed


@dataclass(frozen=True, slots=True)
class Reserved:
    """Every quantity is set aside, but those of SKUs that need no stock. `held`: where."""

    untracked_skus: tuple[str, ...] = ()
    held: GoodsAt = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PartlyReserved:
    """What there is, is set aside, which may be nothing; the reservation waits for what is missing (`Stock.fill`)."""

    held: GoodsAt
    missing: Goods
    untracked_skus: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Short:
    """Nothing is set aside: these SKUs do not suffice. Final for this reservation id."""

    missing: tuple[MissingStock, ...]


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """Nothing is set aside: the reservation was released, before it was made or since. Final."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """What one `fill` has set aside, which may be nothing, and what is still missing."""

    held: GoodsAt
    missing: Goods


Answer = Reserved | PartlyReserved | Short | Withdrawn


class Stock(Protocol):
    """What orders do with goods.

    Every method may be repeated after any failure, also one in its middle: the repeat finishes it and answers the same. What is to
    happen once has an id: a repeat comes with the same id and the same pieces. Methods raise `StockError` and
    `workers.tables.errors.TableError`.
    """

    async def reserve(
        self, reservation_id: str, quantities: Goods, *, partial: bool = False, destination: str | None = None
    ) -> Answer:
        """Set all of it aside, or nothing; or with `partial` what there is. `destination`: the country, by ISO 3166-1, that it goes to.

        A repeat comes with the same quantities. After `fill`, `commit` or `release_part` it tells what is held by then.
        """
        ...

    async def fill(self, reservation_id: str, fill_id: str, *, destination: str | None = None) -> Filled | Withdrawn:
        """Set aside what there is by now of what is missing. One that finds nothing leaves no trace, so that its id may find more later."""
        ...

    async def commit(self, reservation_id: str, shipment_id: str, pieces: GoodsAt) -> None:
        """A parcel has left with these pieces, once per shipment. Raises NotHeld."""
        ...

    async def release_part(
        self, reservation_id: str, release_id: str, pieces: GoodsAt, *, unwanted: Goods | None = None
    ) -> None:
        """Put these pieces back, once per id; `unwanted`: missing ones that are not waited for any more. Raises NotHeld."""
        ...

    async def forgo(self, reservation_id: str, fill_id: str, unwanted: Goods) -> None:
        """These missing pieces are not waited for any more, and this fill was in vain: what it has set aside goes back and is waited for
        like the rest, and it will set nothing aside. Once per fill. Raises NotHeld: fewer are missing.
        """
        ...

    async def release(self, reservation_id: str) -> bool:
        """Put back what is still set aside and see to it that nothing more will be; whether anything ever was."""
        ...

    async def restock(self, return_id: str, *, sellable: GoodsAt, damaged: GoodsAt) -> None:
        """Goods have come back, once per return; what needs no stock is passed over."""
        ...

    async def receive(self, receipt_id: str, quantities: Goods, *, location: str = MAIN) -> None:
        """Goods-in: add pieces (1 or more of each SKU), once per receipt id. SKUs become tracked by it."""
        ...

    async def levels(self, skus: Sequence[str], *, location: str = MAIN) -> tuple[Level | None, ...]:
        """How much there is of each at a location, in order; None where it has never been. Not a snapshot."""
        ...


class Storeroom(Protocol):
    """What people do with goods. The same promises; each id is a name that a person gave: a list's number, a photograph's."""

    async def count(self, count_id: str, place: Place, pieces: int) -> None:
        """So many pieces lie there, those set aside and the damaged ones among them; the difference is in what is available.

        Raises NotThere: fewer than are set aside or damaged. Release first what cannot be sent.
        """
        ...

    async def move(self, move_id: str, sku: str, pieces: int, *, source: str, target: str) -> None:
        """Carry available pieces to another location. Raises NotThere."""
        ...

    async def mark_damaged(self, damage_id: str, place: Place, pieces: int) -> None:
        """Available pieces are not for sale any more. Raises NotThere."""
        ...

    async def write_off(self, write_off_id: str, place: Place, pieces: int) -> None:
        """Damaged pieces are gone. Raises NotThere."""
        ...

    async def close(self, sku: str) -> int:
        """Close the books of an article: take what has left off what is on hand, at each location. How many pieces that were."""
        ...

    async def everywhere(self, skus: Sequence[str]) -> tuple[Mapping[str, Level], ...]:
        """The levels of each at every location where it has ever been, in order."""
        ...


StockFor = Callable[[OrderCreated], Stock]
"""Chooses the stock for an order. Only the sandbox's looks at the order's test hooks (`sandbox.SandboxStocks`)."""


def always(stock: Stock) -> StockFor:
    """The same stock for every order."""
    return lambda _order: stock
