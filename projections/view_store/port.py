"""The port to where views are kept: one document per key, written only on top of the commit that the writer started from.

    ViewStoreError
    ├── ViewStoreThrottled     asked to go slower, also after the bounded retries; some of the writes may have landed
    ├── ViewStoreUnavailable   failing or unreachable, after the bounded retries; some of the writes may have landed
    ├── ViewStoreRefused       permissions, a missing table, a bug: trying again does not help
    ├── UnreadableDocument     what is stored in a document's place is none: for a person, or a rebuild of the view
    └── DocumentTooLarge       a view that does not bound its documents: a bug

Writes that landed although an error was raised do no harm: repeated, they meet their own commit as a `Conflict`.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

from projections.views.view import Generations

# A DynamoDB item ends at 400 KB, its key, its list names and the attributes' own names included.
DOCUMENT_BYTES_MAX: Final = 380_000
LIST_PAGE_MAX: Final = 1_000
# What one write may move: a transaction has at most 100 items (AWS, "TransactWriteItems"), the document among them.
ADDITIONS_MAX: Final = 90


Consumed = Callable[[float], Awaitable[None]]
"""Told of the read units that a page of a scan has taken, before the next one is read; it may take its time."""


class ViewStoreError(Exception):
    """The view store could not do what it was asked to."""


class ViewStoreThrottled(ViewStoreError):
    """Too fast for the database."""


class ViewStoreUnavailable(ViewStoreError):
    """The database, or the way to it, failed."""


class ViewStoreRefused(ViewStoreError):
    """The database understood and said no."""


class UnreadableDocument(ViewStoreError):
    """What is stored is no document of a view."""


class DocumentTooLarge(ViewStoreError):
    """A document passes `DOCUMENT_BYTES_MAX`. Nothing of the call was stored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A document (JSON bytes) as it lies in the store: folded up to `commit`, in the words of `schema`, and its place in a list.

    `contribution` is what is in the totals because of it (`projections/projecting/contributions.py`); "" is nothing.
    """

    key: str
    commit: int
    schema: int
    document: bytes
    list_key: str | None = None
    list_sort: str | None = None
    contribution: str = ""


@dataclass(frozen=True, slots=True)
class Addition:
    """Amounts, which may be negative, to be added to the totals of a name; measures that were never added to stand at 0."""

    sum_key: str
    amounts: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """Put `document` where the stored commit is `expected_commit`; None: where there is nothing yet.

    `list_key` and `list_sort` place it in a list, both or neither. `additions` are carried out with the document or not at all, and only
    where the stored contribution is `expected_contribution`: so each is carried out once, however often the write is tried and by
    however many, also when the document is folded anew at the commit that it has.
    """

    key: str
    expected_commit: int | None
    commit: int
    schema: int
    document: bytes
    list_key: str | None = None
    list_sort: str | None = None
    contribution: str = ""
    expected_contribution: str = ""
    additions: tuple[Addition, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what would go backwards, or what no store could hold or count once.

        Raises:
            ValueError: the commit lies before the expected one (an equal one is a document folded anew), half a list's name is missing,
                there are more than ADDITIONS_MAX additions, or some though the contribution stays as it is.
            DocumentTooLarge: the document, with its contribution, passes the limit.
        """
        if self.commit < max(1, self.expected_commit or 0):
            raise ValueError(f"{self.key}: commit {self.commit} lies before {self.expected_commit}")
        if (self.list_key is None) != (self.list_sort is None):
            raise ValueError(f"{self.key}: a place in a list has a key and a sort")
        if len(self.additions) > ADDITIONS_MAX:
            raise ValueError(f"{self.key}: {len(self.additions)} additions are more than {ADDITIONS_MAX}")
        if self.additions and not self.counts:
            raise ValueError(f"{self.key}: additions, and a contribution that stays as it is")
        if self.expected_commit is None and self.expected_contribution:
            raise ValueError(f"{self.key}: where nothing is stored, nothing is contributed")
        size = len(self.document) + len(self.contribution.encode())
        if size > DOCUMENT_BYTES_MAX:
            raise DocumentTooLarge(f"{self.key}: {size} bytes are more than {DOCUMENT_BYTES_MAX}")

    @property
    def counts(self) -> bool:
        """Whether the document's contribution to the totals changes."""
        return self.contribution != self.expected_contribution


@dataclass(frozen=True, slots=True)
class Written:
    """The document is durable."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """Another commit or contribution than the expected one is stored, and nothing of the write was carried out now; `current_commit` is
    the commit, or None: not known, or nothing is stored. Who finds the commit that he wanted to write has his write in there, or its
    twin by somebody else, and its additions were carried out with that one."""

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

    def keys(self, prefix: str, *, consumed: Consumed | None = None) -> AsyncIterator[str]:
        """Every key that begins with `prefix`, in no order, in bounded memory: a scan of the whole store, and `consumed` is told of all of
        it, whatever its prefix."""
        ...

    async def totals(self, sum_keys: Sequence[str]) -> Mapping[str, Mapping[str, int]]:
        """The totals of these names, those that there are. What was added before the call is in them; of what is added during the call, any
        part may be."""
        ...

    def sum_keys(self, prefix: str, *, consumed: Consumed | None = None) -> AsyncIterator[str]:
        """Every name of totals that begins with `prefix`, each once, in bounded memory apart from the names: a scan of the whole store, of
        which `consumed` is told as by `keys`."""
        ...

    async def delete(self, keys: Sequence[str]) -> None:
        """Take these documents away, whatever commit they stand at; one that is not there is no error."""
        ...

    async def delete_totals(self, sum_keys: Sequence[str]) -> None:
        """Take the totals of these names away."""
        ...

    async def generations(self, views: Sequence[str]) -> Mapping[str, Generations]:
        """For each of these views which generations there are, consistently; the first alone when nobody ever began another."""
        ...

    async def change_generations(self, view: str, *, before: Generations, after: Generations) -> bool:
        """Make it `after` if it still is `before`, or is `after` already: True. False when somebody else changed it meanwhile; nothing is
        changed then."""
        ...
