"""Waiting by looking: shared by all who wait for the same, bounded in time and number, paced, and safe to be given up."""

from random import Random

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from projections.answers.shared_looks import PAUSE_MAX_S, SharedLooks
from tests.virtual_time import run_virtual


class Thing:
    """Grows by itself; counts who looks, and how many at once."""

    def __init__(self, *, grows_at_s: dict[float, int], look_s: float = 0.005) -> None:
        self.looks: list[float] = []
        self.looking = 0
        self._began_s = anyio.current_time()
        self._grows_at_s = grows_at_s
        self._look_s = look_s

    async def look(self) -> int:
        assert self.looking == 0, "two looked at once"
        self.looking += 1
        try:
            now_s = anyio.current_time() - self._began_s
            self.looks.append(now_s)
            await anyio.sleep(self._look_s)
            return max((size for at_s, size in self._grows_at_s.items() if at_s <= now_s), default=0)
        finally:
            self.looking -= 1


def test_a_thousand_who_wait_look_as_often_as_one() -> None:
    """No herd: the looks are those of a single one, with growing pauses."""

    async def looks_of(waiters: int) -> int:
        shared: SharedLooks[int] = SharedLooks(random=Random(1), waiters_max=1_000)
        thing = Thing(grows_at_s={0.7: 5})
        found: list[int | None] = []

        async def wait() -> None:
            found.append(await shared.until("order", thing.look, lambda size: size >= 5, wait_s=1))

        async with anyio.create_task_group() as tasks:
            for _ in range(waiters):
                tasks.start_soon(wait)
        assert found == [5] * waiters
        assert shared.waiters == 0
        return len(thing.looks)

    assert run_virtual(looks_of, 1_000) <= run_virtual(looks_of, 1) + 1 <= 14


def test_the_pauses_grow_and_end() -> None:
    """Quick at first, when the projector is about to be there; never slower than the longest pause."""

    async def scenario() -> None:
        shared: SharedLooks[int] = SharedLooks(random=Random(1))
        thing = Thing(grows_at_s={}, look_s=0)
        assert await shared.until("order", thing.look, lambda size: size >= 1, wait_s=5) is None

        assert thing.looks[0] <= 0.02
        gaps = [after - before for before, after in zip(thing.looks, thing.looks[1:], strict=False)]
        assert max(gaps) <= PAUSE_MAX_S + 1e-9
        assert len(thing.looks) < 60

    run_virtual(scenario)


def test_too_many_are_sent_away_at_once() -> None:
    """Without a look and without a wait; and there is room again when somebody is done."""

    async def scenario() -> None:
        shared: SharedLooks[int] = SharedLooks(random=Random(1), waiters_max=2)
        thing = Thing(grows_at_s={})

        async def wait(key: str) -> None:
            assert await shared.until(key, thing.look, lambda size: size >= 1, wait_s=1) is None

        other = Thing(grows_at_s={0: 1})
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait, "one")
            tasks.start_soon(wait, "one")
            await anyio.sleep(0.01)
            began_s = anyio.current_time()
            assert await shared.until("two", other.look, bool, wait_s=1) is None
            assert anyio.current_time() == began_s
            assert other.looks == []
        assert await shared.until("two", other.look, bool, wait_s=1) == 1

    run_virtual(scenario)


@pytest.mark.parametrize("wait_s", [0, -1])
def test_no_time_is_no_look(wait_s: float) -> None:
    """Who does not want to wait does not."""

    async def scenario() -> None:
        shared: SharedLooks[int] = SharedLooks(random=Random(1))
        thing = Thing(grows_at_s={0: 1})
        assert await shared.until("order", thing.look, bool, wait_s=wait_s) is None
        assert thing.looks == []

    run_virtual(scenario)


def test_a_failed_look_is_its_lookers_and_the_others_go_on() -> None:
    """The next in line looks, after a pause."""

    async def scenario() -> None:
        shared: SharedLooks[int] = SharedLooks(random=Random(1))
        outcomes = iter([ValueError("away"), 1])
        told: list[object] = []

        async def look() -> int:
            outcome = next(outcomes)
            if isinstance(outcome, Exception):
                raise outcome
            return outcome

        async def wait() -> None:
            try:
                told.append(await shared.until("order", look, bool, wait_s=1))
            except ValueError as error:
                told.append(str(error))

        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(wait)
        assert told == ["away", 1, 1]

    run_virtual(scenario)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.floats(0, 1), st.floats(0.01, 1), st.integers(1, 3)), min_size=1, max_size=8),
    st.dictionaries(st.floats(0, 2), st.integers(1, 3), max_size=3),
    st.floats(0, 0.3),
)
def test_whoever_gives_up_leaves_the_others_nothing_less(
    waiters: list[tuple[float, float, int]], grows_at_s: dict[float, int], look_s: float
) -> None:
    """Anybody may be cancelled or run out of time, also the one whose look it is. Each of the others gets what it asked for, or None only
    when its own time is over."""

    async def scenario() -> None:
        shared: SharedLooks[int] = SharedLooks(random=Random(1))
        thing = Thing(grows_at_s=grows_at_s, look_s=look_s)

        async def wait(starts_s: float, wait_s: float, size: int) -> None:
            await anyio.sleep(starts_s)
            began_s = anyio.current_time()
            found = await shared.until("order", thing.look, lambda seen: seen >= size, wait_s=wait_s)
            took_s = anyio.current_time() - began_s
            assert took_s <= wait_s + 1e-6
            if found is None:
                assert took_s >= wait_s - 1e-6
            else:
                assert found >= size

        async with anyio.create_task_group() as tasks:
            for waiter in waiters:
                tasks.start_soon(wait, *waiter)
        assert shared.waiters == 0
        assert shared._watches == {}

    run_virtual(scenario)
