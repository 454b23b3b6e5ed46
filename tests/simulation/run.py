"""One run: an integer in, a verdict out. The same integer gives the same run, line by line of its trace."""

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import Random
from typing import Any, Final
from unittest.mock import patch

import anyio
from anyio.abc import TaskGroup

from orderstore.snapshots import standing
from tests.simulation.around import LAST_DELIVERY, Bank, Van
from tests.simulation.chaos import Chaos
from tests.simulation.checkers import Checker
from tests.simulation.consumers import workers
from tests.simulation.customers import Customers
from tests.simulation.desk import desk
from tests.simulation.faults import CALM, Faults, drawn
from tests.simulation.habits import Habits, habits_of
from tests.simulation.knowing import Known
from tests.simulation.outside import Outside, digest_of
from tests.simulation.processes import TENANT, Process, readers
from tests.simulation.redriving import Operator
from tests.simulation.resting import restless
from tests.simulation.sweeping import sweepers
from tests.simulation.wire import Wire
from tests.simulation.wishing import SKUS
from tests.virtual_time import run_seeded
from workers.dead_letters import look
from workers.payment import handler as payment_handler
from workers.sweeping import rechecking
from workers.webhooks import schedule

LOAD_S: Final = 60.0
DRAIN_S_MAX: Final = 3_600.0
PATIENCE_S: Final = 90.0
SEEN_S: Final = 20.0
LOOK_S: Final = 5.0
TRACE_LINES_MAX: Final = 50_000
UNSTEADY_REDRIVES: Final = 6
REDRIVES_MAX: Final = 12
DELAYS_S: Final = (2.0, 5.0, 10.0, *(20.0,) * 6)
WEBHOOKS_ONE_IN: Final = 3
GOODS_LOOKED_FOR_EVERY_S: Final = 60.0
PAYMENT_LOOKS_S: Final = (30, 120)
LETTERS_HIDDEN_S: Final = 20.0
"""By so much longer than a tool works its letters are hidden from others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a run came to. `problems` is empty when every promise was kept."""

    seed: int
    faults: Faults
    problems: tuple[str, ...]
    trace: tuple[str, ...]
    virtual_s: float
    orders: int

    @property
    def digest(self) -> str:
        """Of the trace."""
        return digest_of(self.trace)


class Run:
    """What happens, in order: load under faults, calm, drain, dead letters sent on, checks."""

    def __init__(self, seed: int, faults: Faults, habits: Habits, *, orders: int) -> None:
        self.seed = seed
        self.habits = habits
        self.swept: Counter[str] = Counter()
        """What time has brought, by timer and stage."""
        self.faults = self._faults_at_first = faults
        self.capture: Any = Random(f"capture {seed}").choice(("on_dispatch", "at_once"))
        self.transit_s = Random(f"transit {seed}").choice((0.0, 0.0, 130.0))
        """How long a parcel takes: longer than three receives, for who does not hold its message."""
        self.consent_s = Random(f"consent {seed}").choice((0.0, 30 * 86_400.0))
        """How far the day of a parcel may move before its customer is asked."""
        self.calm = False
        """The faults are over, and nobody new does anything."""
        self.ending = False
        self.receives_max = 3 if self.nothing_fails else Random(f"receives {seed}").choice((1, 3, 3))
        """With one, whatever is given back or lost lies among the dead letters, and an operator has to send it on."""
        self.webhooks = seed % WEBHOOKS_ONE_IN == 0
        self.swapped: set[str] = set()
        """Streams of which the table's stream may have brought a commit before the one in front of it."""
        self.healing: set[str] = set()
        """Streams that a back-fill of the relay has published from the table."""
        self.under_way = 0
        """Requests that arrive late."""
        self.trace: list[str] = []
        self._tasks: TaskGroup
        self._problems: list[str] = []
        self.outside = Outside(self)
        self.known = Known(self)
        self.operator = Operator(self)
        self.customers = Customers(self, count=orders, seconds=LOAD_S)
        self.van, self.bank = Van(self), Bank(self)
        self._processes = [
            *(Process(self, f"readers-{name}", readers) for name in "ab"),
            *(Process(self, f"workers-{name}", workers) for name in "ab"),
        ]
        if not habits.plain:
            self._processes += [Process(self, f"sweeper-{name}", sweepers) for name in "ab"]
            self._processes.append(Process(self, "desk", desk))
        self._chaos = Chaos(self, self._processes)

    @property
    def nothing_fails(self) -> bool:
        """Throughout the run: everything is only slow, late or twice."""
        return self._faults_at_first.excuse_no_dead_letters

    @property
    def asked_long_enough(self) -> bool:
        """Whether customers give up waiting for what they asked for over the bus: it may lie among the dead letters."""
        return anyio.current_time() > PATIENCE_S

    def note(self, who: str, what: str) -> None:
        """A line of the trace."""
        if len(self.trace) < TRACE_LINES_MAX:
            self.trace.append(f"{anyio.current_time():9.3f} {who:<12} {what}")

    def broken(self, problem: str) -> None:
        """A promise was not kept."""
        self._problems.append(problem)
        self.note("BROKEN", problem)

    def send_late(self, request: Callable[[], Awaitable[Any]], label: str, after_s: float) -> None:
        """Have a request arrive, whatever becomes of who sent it, which hears nothing of it."""
        self.under_way += 1

        async def arrive() -> None:
            await anyio.sleep(after_s)
            try:
                await request()
            except Exception as error:  # noqa: BLE001 - nobody waits for the answer, whatever it is
                self.note("late", f"{label}: {type(error).__name__}")
            else:
                self.note("late", f"{label}: done")
            finally:
                self.under_way -= 1

        self._tasks.start_soon(arrive, name=f"late {label}")

    async def play(self) -> Verdict:
        """From the first order to the verdict."""
        await self.van.open()
        await self.outside.open(TENANT)
        async with anyio.create_task_group() as tasks:
            self._tasks = tasks
            for process in self._processes:
                tasks.start_soon(process.live)
            if not self.habits.plain:
                tasks.start_soon(self.bank.work)
            async with anyio.create_task_group() as chaos:
                chaos.start_soon(self.outside.stream.unrest)
                if self.habits.goods_in_every_s:
                    chaos.start_soon(self.van.drive)
                for chaotic in self._chaos.of(self.faults):
                    chaos.start_soon(chaotic)
                api = Process(self, "api", self.customers.shop)
                await self.customers.shop(api, Wire(self, "api", api.random))
                chaos.cancel_scope.cancel()
            await self._calm()
            tasks.start_soon(self._chaos.scale_in)
            drained = await self._drain()
            if not drained:
                self.broken(f"not drained within {DRAIN_S_MAX:.0f} s: {await self._unfinished()}")
            self.ending = True
            tasks.cancel_scope.cancel()
        if drained:
            for problem in await Checker(self).problems():
                self.broken(problem)
        return Verdict(
            seed=self.seed,
            faults=self._faults_at_first,
            problems=tuple(self._problems),
            trace=tuple(self.trace),
            virtual_s=anyio.current_time(),
            orders=len(self.customers.placed),
        )

    async def _calm(self) -> None:
        """Nothing goes wrong any more, and everybody wakes up."""
        self.faults = CALM
        self.calm = True
        if not self.habits.plain:
            await self.van.come(dict.fromkeys(SKUS, LAST_DELIVERY))
        self.outside.stream.faults = CALM.stream
        if not self.outside.stream.enabled:
            self.outside.stream.enable()
        for process in self._processes:
            if process.wire is not None:
                process.wire.thaw()
        self.note("faults", "are over")

    async def _drain(self) -> bool:
        ends_at = anyio.current_time() + DRAIN_S_MAX
        redrives = 0
        while anyio.current_time() < ends_at:
            await anyio.sleep(LOOK_S)
            letters = await self._dead_letters()
            if self._left():
                continue
            if letters:
                if self.nothing_fails:
                    self.broken(f"dead letters, and nobody had died or was refused: {letters}")
                redrives += 1
                if redrives > REDRIVES_MAX:
                    self.broken(f"dead letters come back again and again: {letters}")
                    return True
                if redrives > UNSTEADY_REDRIVES:
                    self.operator.steady()
                await self.operator.redrive()
            elif not await self._unfinished():
                await anyio.sleep(SEEN_S)  # people see only now what has just arrived in their list
                if not await self._unfinished():
                    return True
        return False

    async def _unfinished(self) -> object:
        return self._left() or await restless(self) or await Checker(self).behind() or await restless(self)

    def _left(self) -> dict[str, int]:
        """What is still under way. Of the dead letters, those that somebody had in hand who is not there any more."""
        outside = self.outside
        found = {name: len(queue._stored) for name, queue in outside.queues.items()}
        found |= {queue.name: len(queue._stored) - len(queue._visible) for queue in outside.dead.values()}
        found["requests"] = self.under_way
        return {name: count for name, count in found.items() if count}

    async def _dead_letters(self) -> dict[str, int]:
        depths = {name: await queue.depths() for name, queue in self.outside.dead.items()}
        return {name: one.visible for name, one in depths.items() if one.visible}


def play(seed: int, *, faults: Faults | None = None, habits: Habits | None = None, orders: int = 6) -> Verdict:
    """Play the run of a seed. Orders are short and hours are long here: snapshots come early, and webhooks are repeated soon."""

    async def scenario() -> Verdict:
        wrong = faults if faults is not None else drawn(seed)
        return await Run(seed, wrong, habits if habits is not None else habits_of(seed), orders=orders).play()

    with (
        patch.object(standing, "COMMITS_BEFORE_LOOKING", 3),
        patch.object(standing, "COMMITS_BETWEEN", 4),
        patch.object(schedule, "DELAYS_S", DELAYS_S),
        patch.object(rechecking, "EVERY_S", GOODS_LOOKED_FOR_EVERY_S),
        patch.object(payment_handler, "LOOKS_S", PAYMENT_LOOKS_S),
        patch.object(look, "MARGIN_S", LETTERS_HIDDEN_S),
    ):
        return run_seeded(seed, scenario)
