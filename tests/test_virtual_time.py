"""The clock and the moments that other tests go by: hours pass at once, threads are waited for, and `make test` leaves nothing out."""

import threading
from collections.abc import Callable, Iterator

import anyio
import pytest
import trio
from hypothesis import settings

from tests.moments import ONE_IN, moments
from tests.virtual_time import OpenClock, run_virtual


def test_time_goes_from_one_deadline_to_the_next_and_everybody_wakes_at_his_own() -> None:
    """In the order of the deadlines, to the moment, however long they are."""
    woken: list[tuple[float, float]] = []

    async def sleeper(seconds: float) -> None:
        await anyio.sleep(seconds)
        woken.append((seconds, anyio.current_time()))

    async def scenario() -> None:
        async with anyio.create_task_group() as tasks:
            for seconds in (86_400.0, 0.5, 3_600.0, 0.25):
                tasks.start_soon(sleeper, seconds)
        with anyio.move_on_after(60) as scope:
            await anyio.sleep_forever()
        assert scope.cancelled_caught
        assert anyio.current_time() == 86_460

    run_virtual(scenario)
    assert woken == [(seconds, seconds) for seconds in (0.25, 0.5, 3_600.0, 86_400.0)]


def test_a_thread_is_waited_for_and_no_time_passes() -> None:
    """When nobody waits for a moment in time, real time may pass."""
    begun = threading.Event()

    async def scenario() -> str:
        answer = await anyio.to_thread.run_sync(lambda: (begun.set(), "done")[1])
        assert anyio.current_time() == 0
        return answer

    assert run_virtual(scenario) == "done"
    assert begun.is_set()


def test_who_waits_until_nothing_can_run_is_woken_before_time_goes_on() -> None:
    """Otherwise `wait_all_tasks_blocked` would find the deadlines of the others over."""

    async def scenario() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(anyio.sleep, 5)
            await anyio.wait_all_tasks_blocked()
            assert anyio.current_time() == 0
        assert anyio.current_time() == 5

    run_virtual(scenario)


def test_a_process_that_stands_still_loses_the_time() -> None:
    """Deadlines that passed meanwhile are over at once."""

    async def scenario() -> None:
        clock = trio.lowlevel.current_clock()
        assert isinstance(clock, OpenClock)
        with anyio.move_on_after(10) as scope:
            clock.jump(20)
            await anyio.sleep(0.001)
        assert scope.cancelled_caught

    run_virtual(scenario)


@pytest.fixture
def profiles() -> Iterator[Callable[[str], None]]:
    """Changes Hypothesis's profile, for one test."""
    before = settings.get_current_profile_name()
    yield settings.load_profile
    settings.load_profile(before)


@pytest.mark.parametrize("calls", [1, 2, ONE_IN, ONE_IN + 1, 3 * ONE_IN, 47])
def test_all_moments_are_gone_through_and_by_the_unit_tests_some_with_both_ends(
    calls: int, profiles: Callable[[str], None]
) -> None:
    """In their order, each once."""
    profiles("whole")
    assert list(moments(calls)) == list(range(1, calls + 1))
    profiles("unit")
    some = list(moments(calls))
    assert some == sorted(set(some))
    assert (some[0], some[-1]) == (1, calls)
    assert len(some) <= calls // ONE_IN + 2


def test_no_moment_at_all_is_a_test_of_nothing() -> None:
    """It is said, instead of passing."""
    with pytest.raises(ValueError, match="no call"):
        moments(0)


def test_the_profile_is_one_of_the_two_that_moments_know() -> None:
    """A third name would silently be taken for `make test`."""
    assert settings.get_current_profile_name() in ("whole", "unit")
