"""Looks at processes from outside: /proc for memory and descriptors, /metrics for tasks and for how much was published."""

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import anyio
import httpx

from tests.e2e.chaos.fleet import Fleet
from tests.load.figures import Sample, Usage, usage

LOOK_EVERY_S: Final = 2.0
PAGES_EVERY: Final = 5
"""Looks from one reading of the metrics pages to the next: a page costs its process a few milliseconds."""
PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")
TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")
PUBLISHED: Final = "orderstore_events_published_total"
TASKS: Final = "orderstore_tasks"


@dataclass(eq=False)
class Life:
    """One process from its first look to its last."""

    name: str
    samples: list[Sample] = field(default_factory=list)
    processor_s: float = 0.0


@dataclass(eq=False)
class Sampler:
    """Looks every few seconds at every process of the fleet, and at the emulator's. `accepted` counts orders."""

    fleet: Fleet
    emulator_pid: int
    accepted: Callable[[], int]
    token: str
    """Opens the API's metrics."""
    lives: dict[tuple[str, int], Life] = field(default_factory=dict)
    published: float = 0.0
    """Events that the relays say they have published, restarts summed up."""
    _published_by: dict[int, float] = field(default_factory=dict)
    _tasks: dict[int, int] = field(default_factory=dict)

    async def run(self) -> None:
        """Until cancelled."""
        looks = 0
        async with httpx.AsyncClient(trust_env=False, timeout=10) as client:
            while True:
                if looks % PAGES_EVERY == 0:
                    await self.read_pages(client)
                self.look()
                looks += 1
                await anyio.sleep(LOOK_EVERY_S)

    def look(self) -> None:
        """One look at everybody who lives."""
        found = {"emulator": self.emulator_pid, "load program": os.getpid()}
        for member in self.fleet.members.values():
            if member.lives and member.process is not None:
                found[member.seat.name] = member.process.pid
        for name, pid in found.items():
            life = self.lives.setdefault((name, pid), Life(name))
            work = float(self.accepted()) if name in ("api", "load program") else self.published
            looked = look_at(pid, work=work, tasks=self._tasks.get(pid))
            if looked is not None:
                sample, life.processor_s = looked
                life.samples.append(sample)

    async def read_pages(self, client: httpx.AsyncClient) -> None:
        """The metrics of every process: its tasks, and what it has published since it was asked last."""
        for member in self.fleet.members.values():
            if not member.lives or member.process is None or not member.was_ready or member.stopped:
                continue
            pid = member.process.pid
            try:
                answer = await client.get(
                    f"http://127.0.0.1:{member.port}/metrics", headers={"Authorization": f"Bearer {self.token}"}
                )
            except httpx.TransportError:
                continue  # it is busy, or ends: the next look will tell
            values = sums(answer.text, (PUBLISHED, TASKS))
            if TASKS in values:
                self._tasks[pid] = int(values[TASKS])
            self.published += values.get(PUBLISHED, 0.0) - self._published_by.get(pid, 0.0)
            self._published_by[pid] = values.get(PUBLISHED, 0.0)

    def usages(self, *, events_per_order: float) -> list[Usage]:
        """One line for each process that ever lived, the work of those behind the relay counted in orders."""
        found = []
        for life in self.lives.values():
            scale = 1.0 if life.name in ("api", "load program") else 1 / max(events_per_order, 1.0)
            scaled = [
                Sample(
                    at_s=sample.at_s,
                    work=sample.work * scale,
                    resident_bytes=sample.resident_bytes,
                    descriptors=sample.descriptors,
                    threads=sample.threads,
                    tasks=sample.tasks,
                )
                for sample in life.samples
            ]
            if scaled:
                found.append(usage(life.name, scaled, processor_s=life.processor_s))
        return sorted(found, key=lambda used: used.name)


def look_at(pid: int, *, work: float, tasks: int | None, proc: Path = Path("/proc")) -> tuple[Sample, float] | None:
    """A process as the kernel shows it, and its processor time in seconds; None when it is gone."""
    folder = proc / str(pid)
    try:
        resident_pages = int((folder / "statm").read_text(encoding="ascii").split()[1])
        descriptors = sum(1 for _ in (folder / "fd").iterdir())
        # The name, in brackets, may hold blanks: what follows it is counted from its end.
        stat = (folder / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    processor_s = (int(stat[11]) + int(stat[12])) / TICKS_PER_S
    sample = Sample(
        at_s=time.monotonic(),
        work=work,
        resident_bytes=resident_pages * PAGE_BYTES,
        descriptors=descriptors,
        threads=int(stat[17]),
        tasks=tasks,
    )
    return sample, processor_s


def sums(page: str, names: tuple[str, ...]) -> Mapping[str, float]:
    """The sums over all labels of these series of a metrics page; what it does not have is missing."""
    found: dict[str, float] = {}
    for line in page.splitlines():
        series, _, value = line.rpartition(" ")
        name = series.partition("{")[0]
        if name in names:
            found[name] = found.get(name, 0.0) + float(value)
    return found
