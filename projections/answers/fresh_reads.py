"""Read your writes: answers that show a named commit of an order at least, however far behind the views are.

The view is read first. While it stands before the commit it is waited for, a bounded time; then the log itself is folded, which is never
behind. So whoever names the commit of their own write sees it, and a projector that stands still costs time and a read of the log, no more.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Final, Generic, Literal, TypeVar

import anyio

from orderstore.history import History
from orderstore.orders import Orders
from projections.answers import past
from projections.answers.observe import ReadObserver, SilentReadObserver
from projections.answers.ports import Document, OrderDocuments, ViewReader, ViewsUnavailable
from projections.answers.shared_looks import WAITERS_MAX, SharedLooks

T = TypeVar("T")

READ_WAIT_S: Final = 1.0
FIRST_LOOK_S: Final = 0.25
"""Whoever does not want to wait for the view is still answered from it, if it answers: a read takes some milliseconds."""
Source = Literal["view", "log"]


@dataclass(frozen=True, slots=True)
class Shown(Generic[T]):
    """What is answered, the commit that it shows (or a later one: never an earlier), and where it was read."""

    answer: T
    commit: int
    source: Source


class FreshReads:
    """Reads that name a commit: the view if it is there in time, else the log.

    `read_wait_s` bounds every wait; `waiters_max` how many wait at once: beyond it the log is folded at once.
    """

    def __init__(
        self,
        views: ViewReader,
        orders: Orders,
        *,
        random: Random,
        read_wait_s: float = READ_WAIT_S,
        waiters_max: int = WAITERS_MAX,
        observer: ReadObserver | None = None,
    ) -> None:
        self._views = views
        self._orders = orders
        self._read_wait_s = read_wait_s
        self._looks: SharedLooks[OrderDocuments] = SharedLooks(random=random, waiters_max=waiters_max)
        self._observer = observer or SilentReadObserver()

    async def order(self, order_id: str, *, commit: int, wait_s: float | None = None) -> Shown[Document]:
        """The order's status at this commit or later. Raises UnknownOrder, CommitAhead, OutOfPlace, StoreError."""

        async def look() -> OrderDocuments:
            return OrderDocuments(await self._views.order_status(order_id), ())

        def shows(seen: OrderDocuments) -> bool:
            return _stands_at(seen.status, commit)

        seen = await self._seen(f"order/{order_id}", look, shows, wait_s)
        if seen is not None and seen.status is not None:
            return Shown(seen.status, int(seen.status["commit"]), "view")
        history = await self._folded(order_id, commit)
        document = past.document_of(history.events)
        if document is None:
            raise AssertionError(f"{order_id} was loaded and has no events")
        return Shown(document, int(document["commit"]), "log")

    async def invoices(
        self, order_id: str, *, commit: int, wait_s: float | None = None
    ) -> Shown[Sequence[Mapping[str, Any]]]:
        """Every invoice that the order has at this commit or later. Raises UnknownOrder, CommitAhead, OutOfPlace, StoreError.

        A document of invoices stands at the last commit that changed it, however far its projector has come; so the order's status tells
        which invoices there are by now, and the document is enough when it has all of these.
        """

        async def look() -> OrderDocuments:
            return await self._views.order_and_invoices(order_id)

        def shows(seen: OrderDocuments) -> bool:
            return _stands_at(seen.status, commit) and _has_all(seen)

        seen = await self._seen(f"invoices/{order_id}", look, shows, wait_s)
        if seen is not None and seen.status is not None:
            return Shown(seen.invoices, int(seen.status["commit"]), "view")
        history = await self._folded(order_id, commit)
        return Shown(past.invoices_of(history.events), history.events[-1].commit, "log")

    async def _seen(
        self,
        key: str,
        look: Callable[[], Awaitable[OrderDocuments]],
        shows: Callable[[OrderDocuments], bool],
        wait_s: float | None,
    ) -> OrderDocuments | None:
        """What the views say as soon as it is enough; None when the log is to be asked."""
        began_s = anyio.current_time()
        bound_s = self._read_wait_s if wait_s is None else min(wait_s, self._read_wait_s)
        seen: OrderDocuments | None = None
        try:
            first = await self._first_look(look, bound_s)
            if first is not None and shows(first):
                seen = first
            elif first is not None:
                left_s = began_s + bound_s - anyio.current_time()
                seen = await self._looks.until(key, look, shows, wait_s=left_s)
        except ViewsUnavailable as error:  # the log answers as well, and is the stronger of the two
            self._observer.read_failed(what="views", error=error)
        source: Source = "log" if seen is None else "view"
        self._observer.commit_read(source=source, waited_s=anyio.current_time() - began_s)
        return seen

    async def _first_look(self, look: Callable[[], Awaitable[OrderDocuments]], bound_s: float) -> OrderDocuments | None:
        """What the views say; None when they take too long to say it: that is reported, and the log answers."""
        look_s = max(bound_s, FIRST_LOOK_S)
        with anyio.move_on_after(look_s):
            return await look()
        self._observer.read_failed(what="views", error=TimeoutError(f"no answer within {look_s:g} s"))
        return None

    async def _folded(self, order_id: str, commit: int) -> History:
        """The order from the log. Raises CommitAhead: it has no such commit."""
        history = await self._orders.load(order_id)
        past.check_has(history.events, commit)
        return history


def _stands_at(status: Document | None, commit: int) -> bool:
    return status is not None and int(status["commit"]) >= commit


def _has_all(seen: OrderDocuments) -> bool:
    """Whether every invoice that the status knows of is there."""
    shown = {invoice["invoiceNumber"] for invoice in seen.invoices}
    return seen.status is not None and shown.issuperset(seen.status["invoiceNumbers"])
