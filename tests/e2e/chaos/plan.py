"""The plan of blows: whom, when, with what. A function of its seed alone."""

import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Final

import anyio

from tests.e2e.chaos.fleet import END_S_MAX, STOP_TIMEOUT_S, VISIBILITY_TIMEOUT_S, Fleet, Member, Seat, Struck
from tests.e2e.chaos.story import until

STOPPED_S: Final = (VISIBILITY_TIMEOUT_S + 1.0, VISIBILITY_TIMEOUT_S + 3.0)


class Blow(StrEnum):
    """What is done to a process."""

    KILL = "SIGKILL"
    TERM = "SIGTERM"
    TERM_TWICE = "SIGTERM twice"
    STOP = "SIGSTOP"


HAIL: Final = {Blow.KILL: 5, Blow.TERM: 2, Blow.TERM_TWICE: 1, Blow.STOP: 2}
CHURN: Final = {Blow.TERM: 1}
"""A deployment after the other: everybody is asked to stop, nobody is killed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """One blow. `lasts_s`: how long a stopped process stays so, or how soon the second SIGTERM follows."""

    at_s: float
    seat: str
    blow: Blow
    lasts_s: float = 0.0

    def __str__(self) -> str:
        lasts = f" for {self.lasts_s:.1f} s" if self.blow is Blow.STOP else ""
        again = f", again after {self.lasts_s:.2f} s" if self.blow is Blow.TERM_TWICE else ""
        return f"{self.at_s:6.2f} s  {self.blow} {self.seat}{lasts}{again}"


def draw_plan(
    seed: int, seats: Sequence[Seat], *, hits: int, first_s: float, last_s: float, blows: dict[Blow, int] | None = None
) -> list[Hit]:
    """`hits` blows at random moments. The door is hit seldom: it is one process, and who is away takes no orders."""
    random = Random(seed)
    blows = HAIL if blows is None else blows
    weights = [1 if "api" in seat.roles else 3 for seat in seats]
    plan = []
    for at_s in sorted(random.uniform(first_s, last_s) for _ in range(hits)):
        seat = random.choices(seats, weights)[0]
        blow = random.choices(list(blows), list(blows.values()))[0]
        lasts_s = {Blow.STOP: random.uniform(*STOPPED_S), Blow.TERM_TWICE: random.uniform(0.0, 0.5)}.get(blow, 0.0)
        plan.append(Hit(at_s=at_s, seat=seat.name, blow=blow, lasts_s=lasts_s))
    return plan


async def carry_out(plan: Sequence[Hit], fleet: Fleet) -> None:
    """Every blow at its moment; returns when all are over and nobody is stopped any more."""
    began = anyio.current_time()
    async with anyio.create_task_group() as group:
        for hit in plan:
            await anyio.sleep_until(began + hit.at_s)
            group.start_soon(_strike, hit, fleet, name=str(hit))


async def _strike(hit: Hit, fleet: Fleet) -> None:
    member = fleet.members[hit.seat]
    if not member.lives:
        fleet.story.tell(f"{hit.seat}: {hit.blow} finds nobody")
        return
    if member.stopped and hit.blow is not Blow.KILL:
        fleet.story.tell(f"{hit.seat}: {hit.blow} left out, it is stopped")
        return
    fleet.story.tell(f"{hit.seat}: {hit.blow} to process {member.process.pid if member.process else '?'}")
    fleet.blows.append(Struck(hit.seat, hit.blow, time.time()))
    match hit.blow:
        case Blow.KILL:
            member.expected_to_end = True
            member.send(signal.SIGKILL)
        case Blow.STOP:
            await _stop(member, hit.lasts_s, fleet)
        case Blow.TERM | Blow.TERM_TWICE:
            await _end(member, hit, fleet)


async def _stop(member: Member, lasts_s: float, fleet: Fleet) -> None:
    process = member.process
    assert process is not None
    fleet.stopped_once.add(process.pid)
    member.stopped = True
    member.send(signal.SIGSTOP)
    try:
        await anyio.sleep(lasts_s)
    finally:
        if member.process is process:
            member.stopped = False
            if member.send(signal.SIGCONT):
                fleet.story.tell(f"{member.seat.name}: goes on after {lasts_s:.1f} s")


async def _end(member: Member, hit: Hit, fleet: Fleet) -> None:
    """Ask it to stop, as ECS does; it must end by itself, with 0, and in time."""
    process, starting = member.process, not member.was_ready
    assert process is not None
    member.expected_to_end = True
    asked = anyio.current_time()
    member.send(signal.SIGTERM)
    if hit.blow is Blow.TERM_TWICE:
        await anyio.sleep(hit.lasts_s)
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
    await until(lambda: process.poll() is not None, within_s=END_S_MAX, every_s=0.02)
    took_s = anyio.current_time() - asked
    name = member.seat.name
    if process.poll() is None:
        fleet.trouble(f"{name} did not end within {took_s:.0f} s of SIGTERM (stopTimeout is {STOP_TIMEOUT_S} s)")
        process.kill()
    elif process.returncode == -signal.SIGKILL:
        fleet.story.tell(f"{name}: was killed while it drained")
    elif process.returncode != 0 and not (starting and process.returncode == -signal.SIGTERM):
        fleet.trouble(f"{name} ended with {process.returncode} after SIGTERM")
    else:
        if process.pid not in fleet.stopped_once:
            fleet.drains_s.append(took_s)
        fleet.story.tell(f"{name}: ended after {took_s:.2f} s of draining")
