"""The way out of a process: every call to something outside goes over it, and it is where calls fail and processes die.

A process that is dead has no effects any more: whatever its clean-up still calls fails here, as if nobody answered.
"""

import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any

import anyio

from orderstore.store.errors import Throttled as StoreThrottled
from orderstore.store.errors import Unavailable as StoreUnavailable
from projections.publishing.publisher import PublishUnavailable
from projections.stream.leases import LeaseStoreUnavailable
from projections.stream.parking import LotUnavailable
from projections.stream.source import StreamThrottled, StreamUnavailable
from projections.view_store import ViewStoreThrottled, ViewStoreUnavailable
from tests.simulation.faults import CALM, Faults
from workers.intake.reports import ReportNotSent
from workers.notification.mail import MailNotSent, MailUncertain
from workers.payment.gateway import GatewayTimeout, GatewayUnavailable
from workers.runtime.queue import Throttled as QueueThrottled
from workers.runtime.queue import Unavailable as QueueUnavailable
from workers.shipping.carrier import CarrierTimeout, CarrierUnavailable
from workers.tables.errors import TableThrottled, TableUnavailable
from workers.webhooks.errors import SendFailed

if TYPE_CHECKING:
    from tests.simulation.run import Run


@dataclass(frozen=True, slots=True)
class Trouble:
    """What the port's contract lets fail: when the other side is too busy, and when nobody knows."""

    throttled: Callable[[], Exception]
    unavailable: Callable[[], Exception]
    not_done: Callable[[], Exception] | None = None
    """Where the contract tells a request that surely had no effect from one of which nobody knows."""

    def fails(self) -> Exception:
        """Of a request that was lost on its way out."""
        return self.unavailable() if self.not_done is None else self.not_done()


def _store_gone() -> Exception:
    return StoreUnavailable("call", tries=1, ambiguous=True)


TROUBLES: dict[str, Trouble] = {
    "log": Trouble(lambda: StoreThrottled("call", tries=1), _store_gone),
    "objects": Trouble(lambda: StoreThrottled("call", tries=1), _store_gone),
    "table": Trouble(lambda: TableThrottled("slower"), lambda: TableUnavailable("no answer")),
    "views": Trouble(lambda: ViewStoreThrottled("slower"), lambda: ViewStoreUnavailable("no answer")),
    "leases": Trouble(lambda: LeaseStoreUnavailable("slower"), lambda: LeaseStoreUnavailable("no answer")),
    "lot": Trouble(lambda: LotUnavailable("slower"), lambda: LotUnavailable("no answer")),
    "queue": Trouble(lambda: QueueThrottled("slower"), lambda: QueueUnavailable("no answer")),
    "topic": Trouble(lambda: PublishUnavailable("slower"), lambda: PublishUnavailable("no answer")),
    "gateway": Trouble(
        lambda: GatewayUnavailable("slower"), lambda: GatewayTimeout("no answer"), lambda: GatewayUnavailable("lost")
    ),
    "carrier": Trouble(
        lambda: CarrierUnavailable("slower"), lambda: CarrierTimeout("no answer"), lambda: CarrierUnavailable("lost")
    ),
    "bus": Trouble(lambda: ReportNotSent("slower"), lambda: ReportNotSent("no answer")),
    "endpoint": Trouble(
        lambda: SendFailed("connect", "refused"),
        lambda: SendFailed("protocol", "broken off"),
        lambda: SendFailed("connect", "lost"),
    ),
    "mail": Trouble(lambda: MailNotSent("slower"), lambda: MailUncertain("no answer"), lambda: MailNotSent("lost")),
    "stream": Trouble(lambda: StreamThrottled("slower"), lambda: StreamUnavailable("no answer")),
}

# A mail service takes a mail within its time-out or not at all: what else would keep a second one from being sent after the claim is over?
NEVER_LATE = frozenset({"mail.send"})


class Wire:
    """Of one process from its start to its end. `name` says which, for the trace."""

    def __init__(self, run: "Run", name: str, random: Random) -> None:
        self.run = run
        self.name = name
        self.random = random
        self.dead = False
        self.own_faults: Faults | None = None
        """Instead of the run's."""
        self.thawed: anyio.Event | None = None
        self.on_crash: Callable[[], None] = lambda: None

    @property
    def faults(self) -> Faults:
        """What goes wrong on this way out now."""
        return self.own_faults or self.run.faults

    def freeze(self) -> None:
        """Nothing leaves or arrives any more, until `thaw`."""
        self.thawed = anyio.Event()

    def thaw(self) -> None:
        """Everything that waited goes on."""
        thawed, self.thawed = self.thawed, None
        if thawed is not None:
            thawed.set()

    def port(self, kind: str, port: Any) -> Any:
        """The same port as this process reaches it."""
        return _Port(self, kind, port)

    async def leave(self, label: str, trouble: Trouble) -> bool:
        """A request on its way out; True when it arrives late, and nobody hears of it. Raises what the trouble says."""
        if self.thawed is not None or self.dead:
            await self.answers(trouble)
        faults, random = self.faults, self.random
        if faults is CALM:
            return False
        if faults.delay and random.random() < faults.delay:
            await anyio.sleep(random.expovariate(1 / faults.delay_s))
            await self.answers(trouble)
        drawn = random.random()
        fates: tuple[tuple[float, Callable[[], Exception]], ...] = (
            (faults.crash / 2, lambda: self._die(f"before {label}", trouble)),
            (faults.throttle, trouble.throttled),
            (faults.lost_request, trouble.fails),
        )
        for probability, act in fates:
            if drawn < probability:
                error = act()
                self.run.note(self.name, f"{label}: {type(error).__name__}")
                raise error
            drawn -= probability
        if drawn < faults.hang:
            await anyio.sleep(faults.hang_s)
            await self.answers(trouble)
            if random.random() < 0.5:
                self.run.note(self.name, f"{label}: hung, not done")
                raise trouble.fails()
            return False
        drawn -= faults.hang
        return drawn < faults.late_effect and label not in NEVER_LATE

    async def arrive(self, label: str, trouble: Trouble) -> None:
        """An answer on its way in: its request had its effect."""
        if self.thawed is not None or self.dead:
            await self.answers(trouble)
        faults = self.faults
        if faults is CALM:
            return
        drawn = self.random.random()
        if drawn < faults.crash / 2:
            raise self._die(f"after {label}", trouble)
        if drawn < faults.crash / 2 + faults.lost_answer:
            self.run.note(self.name, f"{label}: done, and the answer is lost")
            raise trouble.unavailable()
        drawn -= faults.crash / 2 + faults.lost_answer
        if drawn < faults.slow_answer:
            self.run.note(self.name, f"{label}: done, and the answer is slow")
            await anyio.sleep(faults.hang_s)
            await self.answers(trouble)

    async def overtaken(self, label: str, trouble: Trouble, request: Callable[[], Awaitable[Any]]) -> None:
        """The request is on its way for long, whatever becomes of who sent it. Raises what the trouble says, always."""
        after_s = self.random.uniform(0, self.faults.late_effect_s)
        self.run.note(self.name, f"{label}: under way for {after_s:.1f} s, and given up")
        self.run.send_late(request, label, after_s)
        await anyio.sleep(self.random.uniform(0, self.faults.hang_s))
        await self.answers(trouble)
        raise trouble.unavailable()

    def _die(self, where: str, trouble: Trouble) -> Exception:
        self.run.note(self.name, f"crashes {where}")
        self.dead = True
        self.on_crash()
        return trouble.unavailable()

    async def answers(self, trouble: Trouble) -> None:
        """Wait while the process is frozen. Raises what the trouble says once it is dead."""
        while self.thawed is not None:
            await self.thawed.wait()
        if self.dead:
            raise trouble.unavailable()


class _Port:
    def __init__(self, wire: Wire, kind: str, port: Any) -> None:
        self._wire, self._kind, self._port = wire, kind, port

    def __getattr__(self, method: str) -> Any:
        real = getattr(self._port, method)
        wire, trouble, label = self._wire, TROUBLES[self._kind], f"{self._kind}.{method}"
        if inspect.isasyncgenfunction(real):

            async def generated(*arguments: Any, **named: Any) -> AsyncGenerator[Any, None]:
                await wire.leave(label, trouble)
                async with aclosing(real(*arguments, **named)) as items:
                    async for item in items:
                        await wire.answers(trouble)
                        yield item

            return self._kept(method, generated)
        if not inspect.iscoroutinefunction(real):
            return real

        async def called(*arguments: Any, **named: Any) -> Any:
            if await wire.leave(label, trouble):
                await wire.overtaken(label, trouble, partial(real, *arguments, **named))
            answer = await real(*arguments, **named)
            await wire.arrive(label, trouble)
            return answer

        return self._kept(method, called)

    def _kept(self, method: str, reached: Any) -> Any:
        """So that the next look finds it without being asked."""
        setattr(self, method, reached)
        return reached
