"""The beginnings of the lists that the sweeper walks: what is due by now, and which orders wait for goods. For one tenant."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from projections.answers.current_generations import CurrentGenerations
from projections.answers.overdue import text_of
from projections.view_store import Place, UnreadableDocument, ViewStore
from projections.views import backorders, deadlines

VIEWS: Final = (deadlines.NAME, backorders.NAME)


@dataclass(frozen=True, slots=True)
class Listed:
    """An order, and the moment that it is listed by, in milliseconds since 1970."""

    order_id: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class ListedPage:
    """A part of a list, the earliest first; `next` is opaque, and None at its end."""

    orders: Sequence[Listed]
    next: str | None


class DueOrders:
    """Reads the lists in the generation that readers use. Methods raise ViewStoreError."""

    shards = deadlines.SHARDS

    def __init__(self, view_store: ViewStore, *, tenant: str, generations: CurrentGenerations) -> None:
        self._view_store = view_store
        self._tenant = tenant
        self._generations = generations

    async def due(self, shard: int, *, now_ms: int, limit: int, after: str | None) -> ListedPage:
        """One list of what is due, up to now."""
        return await self._page(deadlines.NAME, deadlines.due_list(shard), limit, after, until=f"{text_of(now_ms)}0")

    async def waiting(self, *, limit: int, after: str | None) -> ListedPage:
        """Orders that wait for goods."""
        return await self._page(backorders.NAME, backorders.WAITING_LIST, limit, after, until=None)

    async def _page(self, view: str, name: str, limit: int, after: str | None, *, until: str | None) -> ListedPage:
        generation = (await self._generations.now())[view]
        place = None if after is None else Place(after, generation.key(self._tenant, after.rpartition("/")[2]))
        list_key = generation.list_key(self._tenant, name)
        page = await self._view_store.listed(list_key, after=place, limit=limit, newest_first=False)
        sorts = [stored.list_sort for stored in page.documents if stored.list_sort is not None]
        wanted = [sort for sort in sorts if until is None or sort <= until]
        more = page.next is not None and len(wanted) == len(sorts)
        return ListedPage([_listed(sort) for sort in wanted], page.next.sort if more and page.next else None)


def _listed(sort: str) -> Listed:
    """Raises UnreadableDocument."""
    moment, _, order_id = sort.partition("/")
    try:
        return Listed(order_id, round(datetime.fromisoformat(moment).timestamp() * 1_000))
    except (ValueError, OverflowError) as error:
        raise UnreadableDocument("a document stands in a list by no moment") from error
