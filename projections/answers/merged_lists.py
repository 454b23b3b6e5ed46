"""Several lists of views read as one, in the order of their sorts: a little ahead of whoever reads, and each no further than its bound."""

from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from heapq import heapify, heappop, heappush
from typing import Final, TypeVar

from projections.answers.cursors import Position, decode_cursor, encode_cursor
from projections.batches import run_all
from projections.view_store import LIST_PAGE_MAX, Place, Stored, ViewStore

LISTS_AT_ONCE: Final = 16
DOCUMENTS_MAX: Final = 1_000
"""Documents that are looked at for one page."""

T = TypeVar("T")


class _List:
    """One of them: the documents that were read and not taken yet, and whether more may follow."""

    def __init__(
        self, view_store: ViewStore, list_key: str, *, after: str | None, until: str | None, ahead: int
    ) -> None:
        self._view_store = view_store
        self._list_key = list_key
        # Queries begin behind a place. There need not be a document at it; where there is one, it may come again: the key is not its.
        self._after = None if after is None else Place(after, list_key)
        self._begins_after = after
        self._until = until
        self._ahead = ahead
        self.documents: deque[Stored] = deque()
        self.ended = False

    async def read(self) -> None:
        """Read on; each time twice as far, since a list that is read to its end once is long."""
        page = await self._view_store.listed(self._list_key, after=self._after, limit=self._ahead, newest_first=False)
        fresh = [one for one in page.documents if self._begins_after is None or _sort(one) > self._begins_after]
        within = [one for one in fresh if self._until is None or _sort(one) <= self._until]
        self.documents.extend(within)
        self._after = page.next
        self._ahead = min(LIST_PAGE_MAX, self._ahead * 2)
        self.ended = page.next is None or len(within) < len(fresh)


class MergedLists:
    """The documents of some lists by ascending sort; those of the same sort as their lists are given.

    `lists` tells of each list up to which sort it is read, None: to its end. `after` is a sort: what is up to it, in any of the lists, is
    not shown. `expected` is how many documents are likely to be taken: lists that fill evenly are read once for them, and little further.
    """

    def __init__(
        self, view_store: ViewStore, lists: Mapping[str, str | None], *, expected: int, after: str | None = None
    ) -> None:
        ahead = min(LIST_PAGE_MAX, max(1, -(-expected // max(1, len(lists)))) + 1)
        self._lists = [_List(view_store, key, after=after, until=until, ahead=ahead) for key, until in lists.items()]
        self._heads: list[tuple[str, int]] | None = None

    async def next(self) -> Stored | None:
        """The next document, None when there is none. Raises ViewStoreError."""
        if self._heads is None:
            await run_all([partial(self._fill, one) for one in self._lists], at_once=LISTS_AT_ONCE)
            self._heads = [(_sort(one.documents[0]), at) for at, one in enumerate(self._lists) if one.documents]
            heapify(self._heads)
        if not self._heads:
            return None
        _, at = heappop(self._heads)
        found = self._lists[at].documents.popleft()
        await self._fill(self._lists[at])
        if self._lists[at].documents:
            heappush(self._heads, (_sort(self._lists[at].documents[0]), at))
        return found

    async def _fill(self, one: _List) -> None:
        while not one.documents and not one.ended:
            await one.read()


def _sort(stored: Stored) -> str:
    if stored.list_sort is None:
        raise ValueError(f"{stored.key} stands in no list")
    return stored.list_sort


async def merged_page(
    view_store: ViewStore,
    lists: Mapping[str, str | None],
    shown: Callable[[Stored], T | None],
    *,
    name: str,
    limit: int,
    cursor: str | None,
) -> tuple[tuple[T, ...], str | None]:
    """What `shown` makes of the documents behind the cursor, without those of which it makes None, and the cursor to what follows.

    Every sort is a moment, a slash and the order's id. `name` is what cursors are held to. At most `limit` are shown (1 to LIST_PAGE_MAX),
    one more where two views place an order at the same moment, which a cursor cannot tell apart. Raises InvalidCursor, ViewStoreError.
    """
    limit = max(1, min(limit, LIST_PAGE_MAX))
    after = None if cursor is None else decode_cursor(name, cursor)
    documents = MergedLists(view_store, lists, expected=limit, after=None if after is None else after.sort)
    found: list[T] = []
    last: Position | None = None
    looked_at = 0
    while (stored := await documents.next()) is not None:
        here = Position(_sort(stored), _sort(stored).rpartition("/")[2])
        full = len(found) >= limit or looked_at >= DOCUMENTS_MAX
        if last is not None and full and here.sort != last.sort:
            return tuple(found), encode_cursor(name, last)
        one = shown(stored)
        if one is not None:
            found.append(one)
        last = here
        looked_at += 1
    return tuple(found), None
