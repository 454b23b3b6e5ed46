"""Stock as the inventory worker sees it.

Per SKU, always: on hand = available + reserved, and none of them below zero.

    StockError
    ├── StockContended     others held the same goods in every one of the bounded tries; nothing is lost, try again
    └── ReceiptMismatch    goods-in under an id that was used for other goods
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from orderstore.domain.events import MissingStock, OrderCreated

Untracked = Literal["refuse", "accept"]
"""What an SKU means that stock has never heard of: nothing available, or a service or a fee that needs no stock."""


class StockError(Exception):
    """Stock could not do what it was asked to."""


class StockContended(StockError):
    """Too many others want the same goods at this moment."""


class ReceiptMismatch(StockError):
    """The receipt was booked before, with other goods or quantities."""


@dataclass(frozen=True, slots=True)
class Level:
    """How many pieces of one SKU there are."""

    on_hand: int
    available: int
    reserved: int


@dataclass(frozen=True, slots=True)
class Reserved:
    """Every quantity is set aside, but those of SKUs that need no stock."""

    untracked_skus: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Short:
    """Nothing is set aside: these SKUs do not suffice. Final for this reservation id."""

    missing: tuple[MissingStock, ...]


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """Nothing is set aside: the reservation was released, before it was made or since. Final."""


Answer = Reserved | Short | Withdrawn


class Stock(Protocol):
    """Every method may be repeated after any failure, also one in its middle: the repeat finishes it and answers the same.

    Methods raise `StockError` and `workers.tables.errors.TableError`.
    """

    async def reserve(self, reservation_id: str, quantities: Mapping[str, int]) -> Answer:
        """Set all of it aside, or nothing. A repeat comes with the same quantities."""
        ...

    async def release(self, reservation_id: str) -> bool:
        """Put back what is set aside and see to it that nothing will be; whether anything ever was."""
        ...

    async def receive(self, receipt_id: str, quantities: Mapping[str, int]) -> None:
        """Goods-in: add pieces (1 or more of each SKU), once per receipt id. SKUs become tracked by it."""
        ...

    async def levels(self, skus: Sequence[str]) -> tuple[Level | None, ...]:
        """How much there is of each, in order; None for an untracked SKU. Not a snapshot."""
        ...


StockFor = Callable[[OrderCreated], Stock]
"""Chooses the stock for an order. Only the sandbox's looks at the order's test hooks (`sandbox.SandboxStocks`)."""


def always(stock: Stock) -> StockFor:
    """The same stock for every order."""
    return lambda _order: stock
