"""What keeps views from being brought up to the log, and which errors say nothing of the order in whose work they arose.

ProjectionError
├── Contended         others wrote first, again and again
└── LogBehindStream   the log lacks a commit that was seen
"""

from typing import Final

from orderstore.store.errors import CorruptCommit, StoreError, StreamTooLong
from projections.view_store import DocumentTooLarge, UnreadableDocument, ViewStoreError


class ProjectionError(Exception):
    """The views could not be brought up to the log."""


class Contended(ProjectionError):
    """Others wrote the same documents in every round; the records are to be applied again."""


class LogBehindStream(ProjectionError):
    """The stream shows a commit that a consistent read of the log does not: somebody has taken it away."""


NOBODYS_FAULT: Final[tuple[type[Exception], ...]] = (
    StoreError,
    ViewStoreError,
    ProjectionError,
    OSError,  # TimeoutError and ConnectionError among them
    MemoryError,
)
"""The log's, the views', the network's, the machine's, other workers': each tree as a whole, but for what stands in ONE_ORDERS_FAULT."""
ONE_ORDERS_FAULT: Final[tuple[type[Exception], ...]] = (
    CorruptCommit,
    StreamTooLong,
    LogBehindStream,
    DocumentTooLarge,
    UnreadableDocument,
)
"""Of those trees, what is wrong with one order."""


def says_nothing_of_an_order(error: Exception) -> bool:
    """Whether any order could have met this error. What is in no tree of ours, an upcaster's or a fold's say, is an order's."""
    return isinstance(error, NOBODYS_FAULT) and not isinstance(error, ONE_ORDERS_FAULT)
