"""Which PaymentIntent belongs to which attempt: written down before the intent is confirmed, and so before any money can move.

An intent that nobody confirmed holds nothing. So whoever confirms takes the intent that stands here, whatever Stripe has forgotten:
an attempt has one intent for ever, and an intent succeeds at most once.
"""

from collections.abc import Callable
from typing import Final, Protocol

from workers.tables.errors import RowUnreadable
from workers.tables.port import Item, PutNew, Table

SUFFIX: Final = ":intent"
"""Of the keys of these rows; they stand beside the attempts, in the payment worker's table."""


class IntentBook(Protocol):
    """Methods raise `workers.tables.errors.TableError`."""

    async def find(self, attempt_key: str) -> str | None:
        """The attempt's intent, read consistently."""
        ...

    async def keep(self, attempt_key: str, intent: str) -> str:
        """Write it down if the attempt has none; the one that stands is returned."""
        ...


class TableIntents(IntentBook):
    """In a service table whose key is `attempt`. `now_ms` is the wall clock in milliseconds since 1970."""

    def __init__(self, table: Table, *, now_ms: Callable[[], int]) -> None:
        self._table = table
        self._now_ms = now_ms

    async def find(self, attempt_key: str) -> str | None:
        """See `IntentBook.find`."""
        row = await self._table.get({"attempt": f"{attempt_key}{SUFFIX}"})
        return None if row is None else _intent_in(row)

    async def keep(self, attempt_key: str, intent: str) -> str:
        """See `IntentBook.keep`."""
        row = {"intent": intent, "kept_at_ms": self._now_ms()}
        standing = await self._table.put_new(PutNew({"attempt": f"{attempt_key}{SUFFIX}"}, row))
        return intent if standing is None else _intent_in(standing)


def _intent_in(row: Item) -> str:
    """Raises RowUnreadable: another intent than the attempt's could take the money a second time."""
    match row.get("intent"):
        case str(intent) if intent:
            return intent
        case _:
            raise RowUnreadable("a payment attempt's intent", "it names none")
