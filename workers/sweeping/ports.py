"""What the sweeper reads and whom it wakes: two ports, so that it needs to know neither views nor queues.

ListsUnavailable   the lists cannot be read now, after bounded retries
HintNotTaken       the hint could not be handed on; nothing else is lost by it
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from orderstore.history import History


class ListsUnavailable(Exception):
    """The lists cannot be read now. Try again later."""


class HintNotTaken(ConnectionError):
    """The hint could not be handed on."""


@dataclass(frozen=True, slots=True)
class DueOrder:
    """An order, and since when the first of its deadlines is over (ms since 1970), as the list has it: perhaps a moment ago."""

    order_id: str
    due_at_ms: int


@dataclass(frozen=True, slots=True)
class DuePage:
    """A part of a list, the earliest first; `next` goes on behind it, None at the end of what is due."""

    orders: Sequence[DueOrder]
    next: str | None


class DueLists(Protocol):
    """What is due, in so many lists, each in the order of the due times."""

    shards: int

    async def due(self, shard: int, *, now_ms: int, limit: int, after: str | None) -> DuePage:
        """The beginning of one list, up to now. Raises ListsUnavailable."""
        ...


class WaitingForGoods(Protocol):
    """Orders that wait for goods to come, the longest waiting first."""

    async def waiting(self, *, limit: int, after: str | None) -> DuePage:
        """A page of them; `due_at_ms` is since when they wait. Raises ListsUnavailable."""
        ...


class Hints(Protocol):
    """Wakes a department for an order although no event tells it anything new."""

    async def hint(self, department: str, history: History) -> None:
        """Have the department look at the order. Raises HintNotTaken."""
        ...
