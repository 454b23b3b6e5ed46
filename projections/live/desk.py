"""Where live streams are opened: a place for each, and what it stands on. One for a process; `run` is its watcher."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from random import Random

import anyio
from anyio.abc import TaskStatus

from orderstore.recorded import Recorded
from projections.live.customer_source import CustomerSource
from projections.live.frames import Frame
from projections.live.observe import LiveObserver, SilentLiveObserver
from projections.live.order_source import OrderSource
from projections.live.ports import Inbox, Statuses, Tail
from projections.live.positions import Position
from projections.live.settings import LiveSettings
from projections.live.slots import Refused, Slots
from projections.live.stream import Source, Stream
from projections.live.watching import Watch, Watching


class LiveDesk:
    """Streams over the views, the log and the inboxes of one tenant. Without `run` beside it, streams tell no news."""

    def __init__(
        self,
        *,
        statuses: Statuses,
        tail: Tail,
        inbox: Inbox,
        random: Random,
        settings: LiveSettings | None = None,
        observer: LiveObserver | None = None,
    ) -> None:
        self._settings = settings or LiveSettings()
        self._observer = observer or SilentLiveObserver()
        self._random = random
        self._limiter = Limited(tail, at_once=self._settings.reads_at_once)
        self._statuses = statuses
        self._inbox = inbox
        self._slots = Slots(most=self._settings.streams_max, most_per_token=self._settings.streams_per_token_max)

        async def commits(order_ids: Sequence[str]) -> Mapping[str, int]:
            found = await statuses.order_statuses(order_ids)
            return {order_id: int(document["commit"]) for order_id, document in found.items()}

        self._watching = Watching(
            {"order": commits, "inbox": inbox.last_numbers},
            settings=self._settings,
            random=random,
            observer=self._observer,
        )

    @property
    def inbox(self) -> Inbox:
        """The customers' inboxes."""
        return self._inbox

    @property
    def streams(self) -> int:
        """How many are open."""
        return self._slots.taken

    @property
    def watched(self) -> int:
        """How many things are looked at for them."""
        return self._watching.things

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Look for what has moved until cancelled; then no stream is opened any more, and those that are end with a hint to come back."""
        try:
            await self._watching.run(task_status=task_status)
        finally:
            self._slots.close()

    @asynccontextmanager
    async def order(self, token: str, order_id: str, *, told_to: int | None) -> AsyncIterator[Stream | None]:
        """The stream of an order, for the token of this name; None when nothing is due to this client and nothing more can come.

        Raises Refused, UnknownOrder, CommitAhead, StoreError, CodecError.
        """
        with self._place(token), self._watching.watch() as watch:
            source = OrderSource(
                order_id, watch, self._limiter, told_to=told_to, look_again_s=self._settings.log_look_s
            )
            first = await source.open()
            if source.is_over and not first:
                yield None
                return
            with self._opened(self._stream(source, watch, first)) as stream:
                yield stream

    @asynccontextmanager
    async def customer(self, token: str, customer_id: str, *, position: Position | None) -> AsyncIterator[Stream]:
        """The stream of a customer. Raises Refused, NotAPosition, ConnectionError, ViewsUnavailable, StoreError, CodecError."""
        with self._place(token), self._watching.watch() as watch:
            source = CustomerSource(
                customer_id,
                watch,
                statuses=self._statuses,
                tail=self._limiter,
                inbox=self._inbox,
                position=position,
                settings=self._settings,
            )
            with self._opened(self._stream(source, watch, await source.open())) as stream:
                yield stream

    @contextmanager
    def _place(self, token: str) -> Iterator[None]:
        try:
            with self._slots.one(token):
                yield
        except Refused as refused:
            self._observer.stream_refused(why=refused.why)
            raise

    @contextmanager
    def _opened(self, stream: Stream) -> Iterator[Stream]:
        self._observer.stream_opened(kind=stream.kind)
        try:
            yield stream
        finally:
            self._observer.stream_closed(kind=stream.kind, why=stream.closed_for or "left")

    def _stream(self, source: Source, watch: Watch, first: Sequence[Frame]) -> Stream:
        settings = self._settings
        return Stream(
            source,
            watch,
            first=first,
            life_s=settings.life_s * (1 - settings.life_spread * self._random.random()),
            retry_ms=round(settings.retry_ms * self._random.uniform(1, 2)),
            settings=settings,
            observer=self._observer,
        )


class Limited:
    """Reads of the log's end, a bounded number at once. See `projections.live.ports.Tail`."""

    def __init__(self, tail: Tail, *, at_once: int) -> None:
        self._tail = tail
        self._limiter = anyio.CapacityLimiter(at_once)

    async def after(self, order_id: str, commit: int) -> tuple[Recorded, ...]:
        """As the tail has it, in turn."""
        async with self._limiter:
            return await self._tail.after(order_id, commit)
