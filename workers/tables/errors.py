"""What can go wrong with a service table.

TableError
├── ConditionRefused      the condition does not hold; carries the item that stands. Nothing was stored.
├── TransactionRefused    a condition of the transaction does not hold; carries which, and the items. Nothing was stored.
├── TableContended        another transaction holds an item right now: try again. Nothing was stored.
├── TableThrottled        too fast for the database, after the client's bounded retries. Try later.
├── TableUnavailable      unreachable or failing: a write may or may not have landed. Try the same again later.
├── TableRefused          permissions, configuration or a bug: trying again does not help.
└── RowUnreadable         what is stored is no row of this service's: for a person. Nothing was changed.
"""

from collections.abc import Mapping
from typing import Final

from workers.tables.port import Item

REASON_CHARACTERS_MAX: Final = 200


class TableError(Exception):
    """The table could not do what it was asked to."""


class ConditionRefused(TableError):
    """The item is not as the writer believed."""

    def __init__(self, existing: Item | None) -> None:
        """Carry the item that stands; None when there is none."""
        super().__init__("the condition of a write does not hold; nothing was stored")
        self.existing = existing


class TransactionRefused(TableError):
    """At least one item of a transaction is not as the writer believed."""

    def __init__(self, refused: Mapping[int, Item | None]) -> None:
        """Carry, by the position of the operation, the item that stands; None when there is none."""
        super().__init__(f"the conditions of {len(refused)} operations do not hold; nothing was stored")
        self.refused = refused


class TableContended(TableError):
    """Another transaction is at work on one of the items."""


class TableThrottled(TableError):
    """The database asked to go slower."""


class TableUnavailable(TableError):
    """No usable answer; nobody knows whether the write landed."""


class TableRefused(TableError):
    """The database understood and said no."""


class RowUnreadable(TableError):
    """A stored row is not one that this service wrote, or not of this build's kind."""

    def __init__(self, what: str, reason: str) -> None:
        """Name the kind of row, and say what is wrong in at most some words: they name fields and types."""
        super().__init__(f"{what} cannot be read as it is stored: {reason[:REASON_CHARACTERS_MAX]}")
        self.what = what
