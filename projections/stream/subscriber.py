"""What a subscription does with the records: the one thing that whoever uses the reader has to write."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Protocol

from projections.stream.source import Record


class Subscriber(Protocol):
    """Takes records at least once.

    Records of one item, and of one lane (`StreamReader`'s `lane_of`: an order), arrive in the shard's order, each call after the one
    before has returned; after a crash, an expired iterator or a change of hands some arrive again. Calls for different lanes and
    different shards overlap. `backfill` may overlap with `apply`.
    """

    async def apply(self, records: Sequence[Record]) -> None:
        """Make the effect of these records durable, in order, before returning.

        Raising means that nothing is known to be done: the same records come again after a back-off. None is ever skipped.
        """
        ...

    async def backfill(self, since_ms: int) -> None:
        """Heal from the table what the stream may have lost: everything recorded at or after `since_ms` (wall clock).

        Raising means that it has to be done again; so does a crash. When it returns, everything that stood in the table when it
        was called, and was recorded since `since_ms`, has been applied durably.
        """
        ...


class KeyedSubscriber(Protocol):
    """What the package `quarantine` makes a `Subscriber` of: one whose work falls apart into keys (orders), none of which needs another.

    A record's key is what the reader's `lane_of` gives for it.
    """

    async def apply(self, records: Sequence[Record]) -> None:
        """See `Subscriber.apply`."""
        ...

    def keys(self, since_ms: int) -> AsyncIterator[str]:
        """Every key with something recorded at or after `since_ms` in the table, each at least once, in bounded memory."""
        ...

    async def repair(self, keys: Sequence[str], *, since_ms: int) -> None:
        """`Subscriber.backfill`, for these keys alone. Returns when all of it is durable; raising says nothing of any of them."""
        ...

    async def resume(self, key: str, *, first: Mapping[str, Any], last: Mapping[str, Any] | None = None) -> None:
        """Make durable, in order, what the table holds of this key from the record with the item keys `first` on, that one included.

        Up to the record with the keys `last`, that one included, where they are given: nothing behind it is even read. Only a subscriber of
        which records can be passed over for good need keep to `last`.
        """
        ...
