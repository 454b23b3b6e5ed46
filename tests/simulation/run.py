"""One run: an integer in, a verdict out. The same integer gives the same run, line by line of its trace."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random
from typing import Any, Final

import anyio

from tests.simulation.checkers import Checker
from tests.simulation.customers import Customers
from tests.simulation.faults import CALM, Faults, drawn
from tests.simulation.outside import Outside, digest_of
from tests.simulation.processes import Process, readers, workers
from tests.simulation.redriving import redrive_everything
from tests.simulation.wire import Wire
from tests.virtual_time import run_seeded

LOAD_S: Final = 60.0
DRAIN_S_MAX: Final = 2 * 3_600.0
LOOK_S: Final = 5.0
TRACE_LINES_MAX: Final = 50_000
REDRIVES_MAX: Final = 6


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

    def __init__(self, seed: int, faults: Faults, *, orders: int) -> None:
        self.seed = seed
        self.faults = self._faults_at_first = faults
        self.capture: Any = Random(f"capture {seed}").choice(("on_dispatch", "at_once"))
        self.transit_s = Random(f"transit {seed}").choice((0.0, 0.0, 130.0))
        """How long a parcel takes: longer than three receives, for who does not hold its message."""
        self.ending = False
        losses = faults.stream
        self.disordered = bool(losses.reorder or losses.trim or losses.replace or losses.late_parent)
        self.trace: list[str] = []
        self._problems: list[str] = []
        self._random = Random(f"chaos {seed}")
        self.outside = Outside(self)
        self.customers = Customers(self, count=orders, seconds=LOAD_S)
        self._processes = [
            *(Process(self, f"readers-{name}", readers) for name in "ab"),
            *(Process(self, f"workers-{name}", workers) for name in "ab"),
        ]

    def note(self, who: str, what: str) -> None:
        """A line of the trace."""
        if len(self.trace) < TRACE_LINES_MAX:
            self.trace.append(f"{anyio.current_time():9.3f} {who:<12} {what}")

    def broken(self, problem: str) -> None:
        """A promise was not kept."""
        self._problems.append(problem)
        self.note("BROKEN", problem)

    async def play(self) -> Verdict:
        """From the first order to the verdict."""
        await self.customers.stock_up()
        async with anyio.create_task_group() as tasks:
            for process in self._processes:
                tasks.start_soon(process.live)
            async with anyio.create_task_group() as chaos:
                chaos.start_soon(self.outside.stream.unrest)
                for chaotic in self._chaos():
                    chaos.start_soon(chaotic)
                api = Process(self, "api", self.customers.shop)
                await self.customers.shop(api, Wire(self, "api", api.random))
                chaos.cancel_scope.cancel()
            await self._calm()
            drained = await self._drain()
            if not drained:
                self.broken(
                    f"not drained within {DRAIN_S_MAX:.0f} s: {await self._left() or await Checker(self).behind()}"
                )
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
            if await self._left():
                continue
            if letters := await self._dead_letters():
                if self._faults_at_first.excuse_no_dead_letters:
                    self.broken(f"dead letters, and nobody had died or was refused: {letters}")
                redrives += 1
                if redrives > REDRIVES_MAX:
                    self.broken(f"dead letters come back again and again: {letters}")
                    return True
                await redrive_everything(self)
            elif not await Checker(self).behind():
                return True
        return False

    async def _left(self) -> dict[str, int]:
        found = {}
        for name, queue in self.outside.queues.items():
            depths = await queue.depths()
            if left := depths.visible + depths.in_flight + depths.delayed:
                found[name] = left
        return found

    async def _dead_letters(self) -> dict[str, int]:
        depths = {name: await queue.depths() for name, queue in self.outside.dead.items()}
        return {name: one.visible for name, one in depths.items() if one.visible}

    def _chaos(self) -> list[Callable[[], Any]]:
        faults = self.faults
        kinds: tuple[tuple[float, Callable[[], Any]], ...] = (
            (faults.kill_every_s, self._kill),
            (faults.stop_every_s, self._stop),
            (faults.freeze_every_s, self._freeze),
            (faults.steal_every_s, self._steal),
        )

        def again(every_s: float, act: Callable[[], Any]) -> Callable[[], Any]:
            async def forever() -> None:
                while True:
                    await anyio.sleep(self._random.expovariate(1 / every_s))
                    await act()

            return forever

        return [again(every_s, act) for every_s, act in kinds if every_s]

    async def _kill(self) -> None:
        self._random.choice(self._processes).kill("is killed")

    async def _stop(self) -> None:
        process = self._random.choice(self._processes)
        self.note(process.name, "is asked to stop")
        process.stop()

    async def _freeze(self) -> None:
        wire = self._random.choice(self._processes).wire
        if wire is None or wire.dead or wire.thawed is not None:
            return
        self.note(wire.name, "freezes")
        wire.freeze()
        await anyio.sleep(self.faults.freeze_s)
        self.note(wire.name, "thaws")
        wire.thaw()

    async def _steal(self) -> None:
        """Somebody takes a lease whose owner is alive: a reader that took it for dead, seen from here."""
        rows = [
            row
            for name in ("views", "relay")
            for row in await self.outside.leases.rows(name)
            if row.owner is not None and not row.shard.startswith("worker/")
        ]
        if rows:
            row = self._random.choice(rows)
            await self.outside.leases.replace(row, replace(row, owner="thief", counter=row.counter + 1))
            self.note("thief", f"takes {row.subscription} {row.shard[-4:]}")


def play(seed: int, *, faults: Faults | None = None, orders: int = 6) -> Verdict:
    """Play the run of a seed."""

    async def scenario() -> Verdict:
        return await Run(seed, faults if faults is not None else drawn(seed), orders=orders).play()

    return run_seeded(seed, scenario)
