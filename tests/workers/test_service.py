"""A process: its parts start together, and a stop ends them whatever they are at."""

from collections.abc import Sequence

import anyio
from anyio.abc import TaskStatus

from tests.virtual_time import run_virtual
from workers.service import Cancellable, Service


class Log:
    """What happened, in order."""

    def __init__(self) -> None:
        self.entries: list[str] = []

    def part(self, name: str) -> Cancellable:
        """A part that starts at once and runs until it is stopped."""

        async def run(*, task_status: TaskStatus[None]) -> None:
            task_status.started()
            self.entries.append(f"{name} started")
            try:
                await anyio.sleep_forever()
            finally:
                self.entries.append(f"{name} ended")

        return Cancellable(name, run)

    def part_that_cannot_start(self, name: str) -> Cancellable:
        """It waits for ever, as a reader does whose stream is out of reach, and gives back what it holds when it is cancelled."""

        async def run(*, task_status: TaskStatus[None]) -> None:
            try:
                await anyio.sleep_forever()
            finally:
                self.entries.append(f"{name} gave up")

        return Cancellable(name, run)


async def ended_after_s(parts: Sequence[Cancellable], *, stop_after_s: float) -> tuple[Service, float]:
    """The service, and how many seconds after the stop it had ended; an hour means that it had not."""
    service, stop = Service(parts), anyio.Event()
    stopped_at_s = anyio.current_time() + stop_after_s

    async def signal() -> None:
        await anyio.sleep(stop_after_s)
        stop.set()

    with anyio.CancelScope(deadline=stopped_at_s + 3_600):
        async with anyio.create_task_group() as group:
            group.start_soon(signal)
            await group.start(service.run, stop)
    return service, anyio.current_time() - stopped_at_s


def test_a_stop_ends_every_part() -> None:
    """And nothing is ready any more."""

    async def scenario() -> None:
        log = Log()
        service, seconds = await ended_after_s([log.part("a"), log.part("b")], stop_after_s=10)

        assert seconds == 0
        assert log.entries[:2] == ["a started", "b started"]
        assert sorted(log.entries[2:]) == ["a ended", "b ended"]
        assert service.readiness() == {"a": False, "b": False}

    run_virtual(scenario)


def test_a_stop_is_heard_while_a_part_cannot_start() -> None:
    """What is out of reach at the start must not keep a SIGTERM waiting until ECS kills the process."""

    async def scenario() -> None:
        log = Log()
        parts = [log.part("a"), log.part_that_cannot_start("b"), log.part("c")]
        service, seconds = await ended_after_s(parts, stop_after_s=10)

        assert seconds == 0
        assert log.entries == ["a started", "b gave up", "a ended"]
        assert service.readiness() == {"a": False, "b": False, "c": False}

    run_virtual(scenario)
