"""What is done to the processes while faults last, and what an operator does once they are over."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, Any, Final

import anyio

from tests.simulation.faults import Faults
from tests.simulation.processes import Process

if TYPE_CHECKING:
    from tests.simulation.run import Run

TOGETHER_S: Final = 15.0
"""For so long after the faults two of each kind share the work; then it is one."""


class Chaos:
    """Kills, stops, freezes; takes leases; sets clocks."""

    def __init__(self, run: "Run", processes: Sequence[Process]) -> None:
        self._run = run
        self._processes = processes
        self._random = Random(f"chaos {run.seed}")

    def of(self, faults: Faults) -> list[Callable[[], Any]]:
        """What goes wrong again and again, each of it a task for ever."""
        kinds: tuple[tuple[float, Callable[[], Any]], ...] = (
            (faults.kill_every_s, self._kill),
            (faults.stop_every_s, self._stop),
            (faults.freeze_every_s, self._freeze),
            (faults.steal_every_s, self._steal),
            (faults.step_every_s, self._step),
            (faults.redrive_every_s, self._run.operator.redrive),
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
        self._run.note(process.name, "is asked to stop")
        process.stop()

    async def _freeze(self) -> None:
        wire = self._random.choice(self._processes).wire
        if wire is None or wire.dead or wire.thawed is not None:
            return
        self._run.note(wire.name, "freezes")
        wire.freeze()
        await anyio.sleep(self._run.faults.freeze_s)
        self._run.note(wire.name, "thaws")
        wire.thaw()

    async def _step(self) -> None:
        process = self._random.choice(self._processes)
        process.set_clock()
        self._run.note(process.name, f"its clock is {process.skew_ms} ms off now")

    async def _steal(self) -> None:
        """Somebody takes a lease whose owner is alive: a reader that took it for dead, seen from here."""
        rows = [
            row
            for name in ("views", "relay")
            for row in await self._run.outside.leases.rows(name)
            if row.owner is not None and not row.shard.startswith("worker/")
        ]
        if rows:
            row = self._random.choice(rows)
            await self._run.outside.leases.replace(row, replace(row, owner="thief", counter=row.counter + 1))
            self._run.note("thief", f"takes {row.subscription} {row.shard[-4:]}")

    async def scale_in(self) -> None:
        """One of each pair goes, and the other one does its work."""
        await anyio.sleep(TOGETHER_S)
        random = Random(f"scaled in {self._run.seed}")
        pairs: dict[str, list[Process]] = {}
        for process in self._processes:
            pairs.setdefault(process.name.rpartition("-")[0], []).append(process)
        for pair in pairs.values():
            if len(pair) > 1:
                gone = random.choice(pair)
                self._run.note(gone.name, "is stopped for good")
                gone.retire()
