"""The port to where views are kept: one document per key, written only on top of the commit that the writer started from.

    ViewStoreError
    ├── ViewStoreThrottled     asked to go slower, also after the bounded retries; some of the writes may have landed
    ├── ViewStoreUnavailable   failing or unreachable, after the bounded retries; some of the writes may have landed
    ├── ViewStoreRefused       permissions, a missing table, a bug: trying again does not help
    └── DocumentTooLarge       a view that does not bound its documents: a bug

Writes that landed although an error was raised do no harm: repeated, they meet their own commit as a `Conflict`.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

# A DynamoDB item ends at 400 KB, its key, its list names and the attributes' own names included.
DOCUMENT_BYTES_MAX: Final = 380_000
LIST_PAGE_MAX: Final = 1_000


class ViewStoreError(Exception):
    """The view store could not do what it was asked to."""


class ViewStoreThrottled(ViewStoreError):
    """Too fast for the database."""


class ViewStoreUnavailable(ViewStoreError):
    """The database, or the way to it, failed."""


class ViewStoreRefused(ViewStoreError):
    """The database understood and said no."""


class DocumentTooLarge(ViewStoreError):
    """A document passes `DOCUMENT_BYTES_MAX`. Nothing of the call was stored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A document (JSON bytes) as it lies in the store: folded up to `commit`, in the words of `schema`, and its place in a list."""

    key: str
    commit: int
    schema: int
    document: bytes
    list_key: str | None = None
    list_sort: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """Put `document` where the stored commit is `expected_commit`; None: where there is nothing yet.

    `list_key` and `list_sort` place it in a list, both or neither.
    """

    key: str
    expected_commit: int | None
    commit: int
    schema: int
    document: bytes
    list_key: str | None = None
    list_sort: str | None = None

    def __post_init__(self) -> None:
        """Refuse what would go backwards, or what no store could hold.

        Raises:
            ValueError: the commit lies before the expected one (an equal one is a document folded anew), or half a list's name is missing.
            DocumentTooLarge: the document passes the limit.
        """
        if self.commit < max(1, self.expected_commit or 0):
            raise ValueError(f"{self.key}: commit {self.commit} lies before {self.expected_commit}")
        if (self.list_key is None) != (self.list_sort is None):
            raise ValueError(f"{self.key}: a place in a list has a key and a sort")
        if len(self.document) > DOCUMENT_BYTES_MAX:
            raise DocumentTooLarge(f"{self.key}: {len(self.document)} bytes are more than {DOCUMENT_BYTES_MAX}")


@dataclass(frozen=True, slots=True)
class Written:
    """The document is durable."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """Another commit than the expected one is stored; `current_commit` is it, or None: not known, or nothing is stored."""

    current_commit: int | None


WriteResult = Written | Conflict


class Place(NamedTuple):
    """Where a page ended: the last document's sort and key."""

    sort: str
    key: str


@dataclass(frozen=True, slots=True)
class Page:
    """Documents of a list; `next` is where the following page begins after, None when there is none."""

    documents: tuple[Stored, ...]
    next: Place | None


class ViewStore(Protocol):
    """Documents of views. Every method raises `ViewStoreError` and nothing else of the service's."""

    async def get(self, keys: Sequence[str]) -> Mapping[str, Stored]:
        """The documents that are there, by key; consistent: what was written before the call is seen."""
        ...

    async def write(self, writes: Sequence[Write]) -> tuple[WriteResult, ...]:
        """Each write on its own condition, with a result for each in the order given. Raises ValueError for a key that stands twice."""
        ...

    async def listed(self, list_key: str, *, after: Place | None, limit: int, newest_first: bool) -> Page:
        """At most `limit` (1 to LIST_PAGE_MAX) documents of a list by ascending sort, or descending. It may lag a little behind `get`."""
        ...

    def keys(self, prefix: str) -> AsyncIterator[str]:
        """Every key that begins with `prefix`, in no order, in bounded memory: a scan of the whole store."""
        ...

    async def generation(self, view: str) -> int:
        """The generation that readers of a view are to use; the first when nobody ever switched."""
        ...
