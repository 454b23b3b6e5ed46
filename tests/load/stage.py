"""The stage of a load run: an emulator of its own, a data plane in it, a process for each role, and somebody who looks at all of them."""

import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

import anyio

from deploy.local.environment import Environment
from tests.e2e.chaos.fleet import NUMBERS, Fleet, Seat, running_fleet
from tests.e2e.chaos.run import receive
from tests.e2e.chaos.story import Story, until
from tests.e2e.emulated import Emulated
from tests.emulator import fresh_settings, start_emulator, stop_emulator
from tests.load.customers import Door
from tests.load.report import Report
from tests.load.sampling import Sampler
from workers.commands.environment import LOCAL_NUMBERS
from workers.core import Core, open_core
from workers.metrics.table import Metrics
from workers.settings import ROLES, from_environment

VISIBILITY_TIMEOUT_S: Final = 120
# The local numbers, but patient as production is: two cores that do everything at once are slow, and slow is no fault here.
LOAD_NUMBERS: Final[Mapping[str, str]] = {
    **LOCAL_NUMBERS,
    "ORDERSTORE_VISIBILITY_TIMEOUT_S": str(VISIBILITY_TIMEOUT_S),
    "ORDERSTORE_HANDLER_DEADLINE_S": "15",
    "ORDERSTORE_DRAIN_BUDGET_S": "40",
    "ORDERSTORE_STOP_TIMEOUT_S": "60",
    "ORDERSTORE_LEASE_DURATION_S": "15",
    "ORDERSTORE_UNTRACKED_SKU": "refuse",
    "ORDERSTORE_LOG_LEVEL": "warning",
}
STREAMS: Final = ("projector", "relay")
WORKERS_SEAT: Final = "workers"
WORKERS: Final = tuple(role for role in ROLES if role != "api" and role not in STREAMS)
STOP_S_MAX: Final = 90.0
EVENTS_PER_ORDER: Final = 9.0
DEPTHS: Final[Sequence[Any]] = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)


def few() -> tuple[Seat, ...]:
    """The door, each reader of the stream, and all workers together: so two cores are left something for the work itself."""
    return (Seat("api", ("api",)), *(Seat(role, (role,)) for role in STREAMS), Seat(WORKERS_SEAT, WORKERS))


@dataclass(eq=False, kw_only=True)
class Stage:
    """Everything that a scenario works with."""

    emulator: Environment
    settings: Mapping[str, str]
    folder: Path
    fleet: Fleet
    emulated: Emulated
    core: Core
    door: Door
    sampler: Sampler
    began_s: float

    def tell(self, text: str) -> None:
        """Into the story, and at once to who waits: a run takes minutes to hours."""
        self.fleet.story.tell(text)
        print(f"{datetime.now(UTC):%H:%M:%S}  {text}", file=sys.stderr, flush=True)  # noqa: T201 - a program's progress

    async def stop(self, *seats: str) -> None:
        """Ask the processes of these seats to end; they stay away until `start`. AssertionError when one ends badly."""
        members = [self.fleet.members[seat] for seat in seats]
        self.fleet.start_again = False
        for member in members:
            member.expected_to_end = True
            member.send(signal.SIGTERM)
        await until(lambda: not any(member.lives for member in members), within_s=STOP_S_MAX)
        codes = {member.seat.name: member.process and member.process.poll() for member in members}
        for member in members:
            member.process = None  # whoever looks after the fleet leaves an empty seat alone
        self.fleet.start_again = True
        assert set(codes.values()) == {0}, f"asked to stop, they ended with {codes}"
        self.tell(f"stopped: {', '.join(seats)}")

    async def start(self, *seats: str) -> None:
        """Start them again, and wait until they are ready."""
        for seat in seats:
            self.fleet.start(self.fleet.members[seat])
        await self.fleet.ready(*seats)
        self.tell(f"ready: {', '.join(seats)}")

    async def depths(self) -> dict[str, int]:
        """How much each queue of the data plane holds, hidden and delayed messages too, by full name."""
        sqs, prefix = self.core.clients.sqs, self.settings["ORDERSTORE_RESOURCE_PREFIX"]
        found = {}
        for url in (await sqs.list_queues(QueueNamePrefix=prefix)).get("QueueUrls", []):
            attributes = (await sqs.get_queue_attributes(QueueUrl=url, AttributeNames=DEPTHS))["Attributes"]
            found[url.rsplit("/", 1)[-1]] = sum(int(value) for value in attributes.values())
        return found

    async def ages_s(self) -> dict[str, float]:
        """The greatest age that the oldest message of each queue reached, where it reached any."""
        look = partial(self.emulated.oldest_ages_s, since_s=self.began_s)
        prefix = f"{self.settings['ORDERSTORE_RESOURCE_PREFIX']}-"
        ages = await anyio.to_thread.run_sync(look)
        return {name.removeprefix(prefix): age_s for name, age_s in sorted(ages.items()) if age_s > 0}


@asynccontextmanager
async def on_stage(
    emulator: Environment,
    folder: Path,
    report: Report,
    *,
    stocked: Mapping[str, int],
    receipt: str,
    seats: Sequence[Seat] | None = None,
    numbers: Mapping[str, str] = LOAD_NUMBERS,
) -> AsyncIterator[Stage]:
    """Everybody ready, goods on the shelves. At the end every process is gone."""
    visibility_timeout_s = int(numbers["ORDERSTORE_VISIBILITY_TIMEOUT_S"])
    settings = {**NUMBERS, **numbers, **fresh_settings(emulator, visibility_timeout_s=visibility_timeout_s)}
    await receive(settings, stocked, receipt=receipt)
    story, began_s = Story(), time.time()
    async with (
        running_fleet(seats or few(), settings=settings, folder=folder, story=story) as fleet,
        open_core(from_environment(settings), Metrics()) as core,
    ):
        door = Door(fleet.api_url, emulator.api_token)
        sampler = Sampler(fleet, emulator.pid, accepted=lambda: len(door.accepted), token=emulator.api_token)
        await fleet.ready()
        stage = Stage(
            emulator=emulator,
            settings=settings,
            folder=folder,
            fleet=fleet,
            emulated=Emulated(settings),
            core=core,
            door=door,
            sampler=sampler,
            began_s=began_s,
        )
        async with anyio.create_task_group() as group:
            group.start_soon(sampler.run, name="sampler")
            try:
                yield stage
            finally:
                # Also of a run that broke off; without its books, an order has as many events as most have.
                report.processes = sampler.usages(events_per_order=report.events_per_order or EVENTS_PER_ORDER)
            group.cancel_scope.cancel()


@contextmanager
def emulator_in(folder: Path) -> Iterator[Environment]:
    """An emulator of its own, and a folder for logs; the emulator is gone afterwards."""
    state_dir = folder / "emulator"
    try:
        yield start_emulator(state_dir)
    finally:
        stop_emulator(state_dir)
