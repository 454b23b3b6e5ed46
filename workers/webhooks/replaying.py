"""Telling again: of a range of events whatever did not arrive, or everything, or what an endpoint was never told of, at a bounded rate.

A replay has a name. A delivery that it made pending bears the name, so running it again goes on where it ended and repeats nothing. The
webhook-id stays the event's: a receiver that drops repeats drops these too.
"""

import hashlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Final, Protocol

import anyio

from orderstore.codec import CodecError
from orderstore.contract import publish
from orderstore.domain.ids import order_of
from orderstore.orders import Orders
from orderstore.store.errors import CorruptCommit, StreamTooLong
from workers.webhooks.deliveries import Announced, Deliveries, Listed
from workers.webhooks.delivery import UNDELIVERED, Delivery, DeliveryState, delivery_id
from workers.webhooks.endpoint import Endpoint
from workers.webhooks.payload import TEST_TYPE, payload_of_public

RATE_DEFAULT: Final = 20.0
RATE_MAX: Final = 200.0
REPLAYED_DEFAULT: Final = 10_000
REPLAYED_MAX: Final = 1_000_000
PAGE: Final = 100
# An event is recorded when it occurs or later, by another clock perhaps.
CLOCKS_MS: Final = 300_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """What is meant: events that occurred from `from_ms` on and before `until_ms`, of these types (none: all), in these states."""

    from_ms: int
    until_ms: int
    event_types: tuple[str, ...] = ()
    states: tuple[DeliveryState, ...] = UNDELIVERED
    from_log: bool = False
    """Also what the endpoint has no delivery of: what happened before it was there. Reads the whole log."""

    def means(self, event_type: str) -> bool:
        """Whether events of this type are meant."""
        return event_type in self.event_types if self.event_types else event_type != TEST_TYPE

    def name(self, endpoint: str) -> str:
        """The name of a replay that was given none: the same for the same range."""
        said = "\n".join(
            (endpoint, str(self.from_ms), str(self.until_ms), *sorted(self.event_types), "", *sorted(self.states))
        )
        return f"r-{hashlib.sha256(said.encode()).hexdigest()[:16]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """At most so many, and so many a second; `seconds_max`: who waits for the answer waits no longer."""

    rate_per_s: float = RATE_DEFAULT
    most: int = REPLAYED_DEFAULT
    seconds_max: float = float("inf")


@dataclass(slots=True, kw_only=True)
class Report:
    """What was done, or would be. `waiting` were pending already, `done_before` were made pending by this replay before."""

    name: str
    dry_run: bool
    replayed: int = 0
    made: int = 0
    """Of these: written down for the first time, from the log."""
    waiting: int = 0
    done_before: int = 0
    not_meant: int = 0
    unreadable: int = 0
    """Orders that cannot be read as they are stored: `orderstore audit verify` names them."""
    whole: bool = True
    """False: `most` were replayed, or the time was over, and there may be more."""
    by_type: dict[str, int] = field(default_factory=dict)

    def count(self, event_type: str) -> None:
        """One more."""
        self.replayed += 1
        self.by_type[event_type] = self.by_type.get(event_type, 0) + 1


async def _nothing() -> None:
    """Nobody wants to know."""


class Log(Protocol):
    """What `EventStore` has of this."""

    def streams(self, *, recorded_since_ms: int | None = None) -> AsyncGenerator[str, None]:
        """Every stream that has a commit recorded since, each at least once."""
        ...


class _Once:
    """Does something the first time that it is asked, and never again."""

    def __init__(self, work: Callable[[], Awaitable[None]]) -> None:
        self._work = work
        self.done = False

    async def __call__(self) -> None:
        if not self.done:
            await self._work()
            self.done = True


class Replayer:
    """Makes deliveries pending; whoever sends finds them due. Raises TableError, StoreError."""

    def __init__(
        self,
        deliveries: Deliveries,
        log: Log,
        orders: Orders,
        *,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    ) -> None:
        self._deliveries = deliveries
        self._log = log
        self._orders = orders
        self._sleep = sleep

    async def run(
        self,
        endpoint: Endpoint,
        wanted: Range,
        *,
        name: str,
        dry_run: bool,
        pace: Pace,
        progress: Callable[[Report], None] = lambda _report: None,
        before_first: Callable[[], Awaitable[None]] = _nothing,
    ) -> Report:
        """Replay, oldest first (those from the log in no order). `before_first` is awaited before the first is put up, if any is."""
        report = Report(name=name, dry_run=dry_run)
        ends_at = anyio.current_time() + pace.seconds_max
        begin = _Once(before_first)
        async with aclosing(self._steps(endpoint, wanted, report, begin)) as steps:
            async for replayed in steps:
                if replayed:
                    progress(report)
                    if not dry_run:
                        await self._sleep(1 / pace.rate_per_s)
                if report.replayed >= pace.most or anyio.current_time() >= ends_at:
                    report.whole = False
                    break
        return report

    async def _steps(
        self, endpoint: Endpoint, wanted: Range, report: Report, begin: "_Once"
    ) -> AsyncGenerator[bool, None]:
        """One delivery after the other: whether it was replayed."""
        async with aclosing(self._listed(endpoint, wanted)) as rows:
            async for row in rows:
                yield await self._replay(row, wanted, report, begin)
        if wanted.from_log:
            async with aclosing(self._log.streams(recorded_since_ms=wanted.from_ms - CLOCKS_MS)) as streams:
                async for stream in streams:
                    for announced in await self._events(stream, endpoint, wanted, report):
                        yield await self._make(endpoint, announced, report, begin)

    async def _make(self, endpoint: Endpoint, announced: Announced, report: Report, begin: "_Once") -> bool:
        """Write down what the endpoint was never told of."""
        made = True
        if report.dry_run or not begin.done:
            made = await self._deliveries.get(delivery_id(endpoint.id, announced.event)) is None
        if made and not report.dry_run:
            await begin()
            made = await self._deliveries.create(endpoint.id, announced, replay=report.name) is not None
        if made:
            report.made += 1
            report.count(announced.event_type)
        return made

    async def _listed(self, endpoint: Endpoint, wanted: Range) -> AsyncGenerator[Listed, None]:
        after = None
        while True:
            page, after = await self._deliveries.of_endpoint(
                endpoint.id, from_ms=wanted.from_ms, until_ms=wanted.until_ms, limit=PAGE, after=after
            )
            for row in page:
                yield row
            if after is None:
                return

    async def _replay(self, row: Listed, wanted: Range, report: Report, begin: "_Once") -> bool:
        if not wanted.means(row.event_type):
            report.not_meant += 1
            return False
        delivery = await self._deliveries.get(row.id)  # the list is some moments old
        if delivery is None or (delivery.state not in wanted.states and delivery.state != "pending"):
            report.not_meant += 1
        elif delivery.state == "pending":
            report.waiting += 1
        elif delivery.replay == report.name and delivery.tries:
            report.done_before += 1  # one that was never tried since was put aside with the endpoint, and is not done
        elif report.dry_run or await self._rearm(delivery, report, begin):
            report.count(row.event_type)
            return True
        else:
            report.waiting += 1  # somebody made it pending in this moment
        return False

    async def _rearm(self, delivery: Delivery, report: Report, begin: "_Once") -> bool:
        await begin()
        return await self._deliveries.rearm(delivery, replay=report.name)

    async def _events(self, stream: str, endpoint: Endpoint, wanted: Range, report: Report) -> Sequence[Announced]:
        tenant, order = order_of(stream)
        if tenant != endpoint.tenant:
            return ()
        try:
            history = await self._orders.load(order)
        except (CodecError, CorruptCommit, StreamTooLong):
            report.unreadable += 1
            return ()
        found = []
        for recorded in history.events:
            occurred_at_ms = round(recorded.occurred_at.timestamp() * 1000)
            public = publish(recorded)
            if public is None or not wanted.from_ms <= occurred_at_ms < wanted.until_ms:
                continue
            if wanted.means(recorded.name) and endpoint.wants(recorded.name):
                found.append(
                    Announced(
                        event=recorded.event_id,
                        event_type=recorded.name,
                        order=recorded.order_id,
                        occurred_at_ms=occurred_at_ms,
                        payload=payload_of_public(public, commit=recorded.commit),
                    )
                )
        return found
