"""The roles as processes of their own, as production runs them; whoever died is started again, and in the end all are stopped, by id."""

import ctypes
import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import anyio
import httpx

from orderstore.registry import CONSUMERS
from tests.e2e.chaos.story import Story, until
from tests.e2e.programs import PROGRAM, clean_environment
from workers.commands.environment import LOCAL_NUMBERS
from workers.settings import ROLES

VISIBILITY_TIMEOUT_S: Final = 18
STOP_TIMEOUT_S: Final = 15
# As short as the settings' own rules allow: the visibility timeout is six deadlines, the archive lingers for a part of one.
NUMBERS: Final[Mapping[str, str]] = {
    **LOCAL_NUMBERS,
    "ORDERSTORE_VISIBILITY_TIMEOUT_S": str(VISIBILITY_TIMEOUT_S),
    "ORDERSTORE_HANDLER_DEADLINE_S": "3",
    "ORDERSTORE_QUEUE_WAIT_S": "1",
    "ORDERSTORE_RETRY_BASE_S": "0.5",
    "ORDERSTORE_RETRY_MAX_S": "4",
    "ORDERSTORE_DRAIN_BUDGET_S": "7",
    "ORDERSTORE_STOP_TIMEOUT_S": str(STOP_TIMEOUT_S),
    "ORDERSTORE_LEASE_DURATION_S": "3",
    "ORDERSTORE_ARCHIVE_LINGER_S": "0.3",
    "ORDERSTORE_UNTRACKED_SKU": "refuse",
}
READY_S_MAX: Final = 90
END_S_MAX: Final = 60.0
"""A process that was asked to end must do so within ECS's stopTimeout; a busy machine is given more, and what it took is told."""
IMPATIENT_S: Final = 0.05
LOOK_S: Final = 0.1
PORTS: Final = (20_000, 30_000)
"""Below those that systems give to outgoing connections: a port is given back and taken again by the same seat."""
SAID_CHARACTERS_MAX: Final = 2_000


PR_SET_PDEATHSIG: Final = 1
_LIBC: Final = ctypes.CDLL(None) if sys.platform == "linux" else None


@dataclass(frozen=True, slots=True)
class Seat:
    """A place in the fleet: which roles share its process."""

    name: str
    roles: tuple[str, ...]


def small_fleet() -> tuple[Seat, ...]:
    """Everything twice but the door, in five processes."""
    streams, queues = _kinds()
    return (
        Seat("api", ("api",)),
        *(Seat(f"streams-{number}", streams) for number in (1, 2)),
        *(Seat(f"workers-{number}", queues) for number in (1, 2)),
    )


def large_fleet() -> tuple[Seat, ...]:
    """Everything twice but the door, the queues' roles by twos in a process."""
    streams, queues = _kinds()
    pairs = [queues[first : first + 2] for first in range(0, len(queues), 2)]
    return (
        Seat("api", ("api",)),
        *(Seat(f"{role}-{number}", (role,)) for role in streams for number in (1, 2)),
        *(Seat(f"{'-'.join(pair)}-{number}", pair) for pair in pairs for number in (1, 2)),
    )


def _kinds() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The roles that read the stream, and all others but the API, whichever there are."""
    streams = tuple(role for role in ROLES if role in ("projector", "relay"))
    return streams, tuple(role for role in ROLES if role != "api" and role not in streams)


def consumes(seat: Seat) -> bool:
    """Whether a seat reads queues."""
    return any(role in CONSUMERS for role in seat.roles)


@dataclass(eq=False)
class Member:
    """A seat and the process that sits there now, if any."""

    seat: Seat
    port: int
    process: subprocess.Popen[bytes] | None = None
    starts: int = 0
    expected_to_end: bool = False
    """It was hit: its end is no news."""
    stopped: bool = False
    was_ready: bool = False

    @property
    def lives(self) -> bool:
        """Whether there is a process, running or stopped."""
        return self.process is not None and self.process.poll() is None

    def send(self, number: signal.Signals) -> bool:
        """Send a signal to this process alone; False when there is none."""
        if self.process is None or self.process.poll() is not None:
            return False
        self.process.send_signal(number)
        return True


@dataclass(frozen=True, slots=True)
class Struck:
    """A blow that landed, by the wall clock."""

    seat: str
    blow: str
    at_wall_s: float


@dataclass(eq=False)
class Fleet:
    """All members. `start_again`: whether who died is started again at once, as ECS does."""

    settings: Mapping[str, str]
    folder: Path
    story: Story
    members: dict[str, Member] = field(default_factory=dict)
    start_again: bool = True
    troubles: list[str] = field(default_factory=list)
    """What no process should have done: end by itself, or end badly when asked to stop."""
    blows: list[Struck] = field(default_factory=list)
    stopped_once: set[int] = field(default_factory=set)
    """Processes that a SIGSTOP held: how long they took for anything tells nothing."""
    drains_s: list[float] = field(default_factory=list)

    @property
    def api_url(self) -> str:
        """Where the API listens, whichever process sits there."""
        return f"http://127.0.0.1:{self.members['api'].port}"

    def start(self, member: Member) -> None:
        """Seat a new process."""
        variables = clean_environment({**NUMBERS, **self.settings, **_numbers_of_this_run()})
        variables["ORDERSTORE_API_PORT"] = variables["ORDERSTORE_METRICS_PORT"] = str(member.port)
        member.starts += 1
        with self.log_of(member).open("wb") as log:
            member.process = subprocess.Popen(
                [str(PROGRAM), "run", *member.seat.roles],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env=variables,
                preexec_fn=end_with_parent,  # noqa: PLW1509 - one system call, no lock is taken
            )
        member.expected_to_end = member.stopped = member.was_ready = False
        self.story.tell(f"{member.seat.name}: started, process {member.process.pid}")

    def log_of(self, member: Member) -> Path:
        """What the present process of a member says."""
        return self.folder / f"{member.seat.name}.{member.starts}.log"

    async def supervise(self) -> None:
        """Start again whoever died, until cancelled; note who died without having been hit."""
        while True:
            for member in self.members.values():
                process = member.process
                if process is None or process.poll() is None:
                    continue
                if not member.expected_to_end:
                    said = self.log_of(member).read_text(errors="replace")[-SAID_CHARACTERS_MAX:]
                    self.trouble(f"{member.seat.name} ended by itself with {process.returncode}: {said}")
                if self.start_again:
                    self.start(member)
            await anyio.sleep(LOOK_S)

    def trouble(self, text: str) -> None:
        """Note what must not happen; the run goes on, and fails at its end."""
        self.troubles.append(text)
        self.story.tell(f"TROUBLE {text}")

    async def end_all(self) -> None:
        """Ask everybody to end at once, and again and again: each gives back what it holds and ends with 0, in time."""
        self.start_again = False
        asked = anyio.current_time()
        for member in self.members.values():
            member.expected_to_end = True
        await until(self._nobody_lives_after_sigterm, within_s=END_S_MAX, every_s=IMPATIENT_S)
        self.story.tell(f"all were asked to end, and had after {anyio.current_time() - asked:.2f} s")
        for member in self.members.values():
            code = None if member.process is None else member.process.poll()
            if code != 0:
                self.trouble(f"{member.seat.name} ended with {code} after SIGTERMs")

    def _nobody_lives_after_sigterm(self) -> bool:
        alive = [member.send(signal.SIGTERM) for member in self.members.values()]
        return not any(alive)

    async def watch(self) -> None:
        """Note who has become ready, until cancelled."""
        async with httpx.AsyncClient(trust_env=False, timeout=5) as client:
            while True:
                for member in self.members.values():
                    if member.lives and not member.was_ready and not member.stopped:
                        process = member.process
                        ready = await _is_ready(client, member)
                        if ready and member.process is process:
                            member.was_ready = True
                            self.story.tell(f"{member.seat.name}: ready")
                await anyio.sleep(LOOK_S)

    async def ready(self, *names: str) -> None:
        """Wait until these members (all, without a name) are ready."""
        wanted = [self.members[name] for name in names or self.members]
        found = await until(lambda: all(member.lives and member.was_ready for member in wanted), within_s=READY_S_MAX)
        assert found, (
            f"not ready within {READY_S_MAX:.0f} s: {[member.seat.name for member in wanted if not member.was_ready]}"
        )


async def _is_ready(client: httpx.AsyncClient, member: Member) -> bool:
    try:
        answer = await client.get(f"http://127.0.0.1:{member.port}/readyz")
    except httpx.TransportError:
        return False
    return answer.status_code == 200


def _numbers_of_this_run() -> dict[str, str]:
    """A run of a copy of this code must run that copy, whatever is installed."""
    return {"PYTHONPATH": os.environ["PYTHONPATH"]} if "PYTHONPATH" in os.environ else {}


@asynccontextmanager
async def running_fleet(
    seats: Sequence[Seat], *, settings: Mapping[str, str], folder: Path, story: Story
) -> AsyncIterator[Fleet]:
    """Start a process for each seat and look after it. At the end every one of them is killed, whatever happened."""
    fleet = Fleet(settings, folder, story)
    ports = free_ports(len(seats))
    fleet.members.update({seat.name: Member(seat, port) for seat, port in zip(seats, ports, strict=True)})
    try:
        async with anyio.create_task_group() as group:
            for member in fleet.members.values():
                fleet.start(member)
            group.start_soon(fleet.supervise, name="supervise")
            group.start_soon(fleet.watch, name="readiness")
            yield fleet
            group.cancel_scope.cancel()
    finally:
        for member in fleet.members.values():
            if member.process is not None:
                with suppress(ProcessLookupError):
                    member.process.kill()
                member.process.wait()


def end_with_parent() -> None:
    """Called in a new process: a test run that is killed takes its fleet along."""
    if _LIBC is not None:
        _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now."""
    found: list[int] = []
    for port in random.Random().sample(range(*PORTS), 200):
        with socket.socket() as probe, suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            found.append(port)
        if len(found) == count:
            return found
    raise AssertionError(f"no {count} free ports in {PORTS}")
