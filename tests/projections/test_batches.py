"""Work side by side, and long rows of streams in batches: bounded, complete, and with errors that stay what they are."""

import anyio
import anyio.lowlevel
import pytest

from projections.batches import for_each_batch, run_all
from projections.publishing.publisher import PublishUnavailable
from tests.virtual_time import run_virtual


class Streams:
    """A row of names that notices how far it was read and whether it was closed."""

    def __init__(self, names) -> None:
        self.names = names
        self.given = 0
        self.closed = False

    async def walk(self):
        try:
            for name in self.names:
                await anyio.lowlevel.checkpoint()
                self.given += 1
                yield name
        finally:
            self.closed = True


def test_every_stream_is_visited_in_batches_of_distinct_ones() -> None:
    """No name stands twice in a batch, none is left out; the last batch may be short."""

    async def scenario() -> None:
        streams = Streams([f"s{n // 2}" for n in range(50)])
        batches: list[tuple[str, ...]] = []

        async def visit(batch: tuple[str, ...]) -> None:
            batches.append(batch)

        await for_each_batch(streams.walk(), visit, batch_size=10)

        assert all(len(set(batch)) == len(batch) <= 10 for batch in batches)
        assert len(batches) == 3
        assert {name for batch in batches for name in batch} == {f"s{n}" for n in range(25)}
        assert streams.closed

    run_virtual(scenario)


def test_the_walk_never_runs_ahead_of_the_visits() -> None:
    """While all visits are slow, no more than the batches in hand and the next one have been read."""

    async def scenario() -> None:
        streams = Streams([f"s{n}" for n in range(1_000)])
        running = 0
        most = 0

        async def visit(batch: tuple[str, ...]) -> None:
            nonlocal running, most
            running += 1
            most = max(most, running)
            await anyio.sleep(60)
            running -= 1

        with anyio.move_on_after(30):
            await for_each_batch(streams.walk(), visit, batch_size=10, at_once=3)

        assert most == 3
        assert streams.given <= 50
        assert streams.closed

    run_virtual(scenario)


@pytest.mark.parametrize("at", ["visit", "walk"])
def test_the_first_failure_ends_the_walk_as_it_is(at: str) -> None:
    """Not a group of exceptions: the caller's table of errors stays true."""

    async def scenario() -> None:
        async def walk():
            yield "a"
            if at == "walk":
                raise PublishUnavailable("walk")
            for n in range(1_000):
                yield str(n)

        async def visit(batch: tuple[str, ...]) -> None:
            if at == "visit":
                raise PublishUnavailable("visit")

        with pytest.raises(PublishUnavailable, match=at):
            await for_each_batch(walk(), visit, batch_size=1)

    run_virtual(scenario)


def test_jobs_run_side_by_side_up_to_the_bound() -> None:
    """Ten jobs of a minute, five at once, take two minutes; a failure among them is raised as it is."""

    async def scenario() -> float:
        async def job() -> None:
            await anyio.sleep(60)

        async def failing() -> None:
            raise PublishUnavailable("no")

        started = anyio.current_time()
        await run_all([job] * 10, at_once=5)
        took_s = anyio.current_time() - started
        with pytest.raises(PublishUnavailable):
            await run_all([job, failing, failing], at_once=5)
        return took_s

    assert run_virtual(scenario) == 120


def test_who_is_cancelled_while_a_visit_fails_is_told_of_the_cancellation_alone() -> None:
    """A group of both would be caught by nobody's `except Exception`, and end a process that was only asked to stop."""

    async def scenario() -> None:
        caught: list[BaseException] = []

        async def visit(batch: tuple[str, ...]) -> None:
            try:
                await anyio.sleep_forever()
            finally:
                if batch == ("s1",):
                    raise PublishUnavailable("gone")

        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as tasks:

                async def walk() -> None:
                    try:
                        await for_each_batch(Streams(["s1", "s2"]).walk(), visit, batch_size=1)
                    except Exception as error:  # noqa: BLE001 - whatever comes is what is asked about
                        caught.append(error)

                tasks.start_soon(walk)
                await anyio.sleep(1)
                scope.cancel()
        assert scope.cancelled_caught
        assert caught == []

    run_virtual(scenario)
