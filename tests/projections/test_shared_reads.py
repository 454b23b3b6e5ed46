"""One read for many: how old an answer may be, who hears of a failure, and what becomes of those whose reader goes away."""

import traceback

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.shared_reads import AgedFrom, SharedRead
from tests.virtual_time import run_virtual


class Away(Exception):
    """The source did not answer."""


class Source:
    """Answers with the moment at which a read began, after `takes_s`; counts the reads, and those that are on their way."""

    def __init__(self, takes_s: float = 1.0) -> None:
        self.takes_s = takes_s
        self.reads = 0
        self.now = 0
        self.most = 0
        self.failing = False

    async def read(self) -> float:
        self.reads += 1
        self.now += 1
        self.most = max(self.most, self.now)
        began_at_s = anyio.current_time()
        try:
            await anyio.sleep(self.takes_s)
        finally:
            self.now -= 1
        if self.failing:
            raise Away(f"read {self.reads}")
        return began_at_s


ASKS = st.lists(
    st.tuples(
        st.floats(0, 8), st.one_of(st.none(), st.floats(0, 3))
    ),  # when somebody asks, and how long they have patience
    min_size=1,
    max_size=20,
)


@given(asks=ASKS, takes_s=st.floats(0, 5), kept_s=st.floats(0, 3))
@pytest.mark.parametrize("aged_from", ["beginning", "end"])
def test_nobody_goes_by_what_is_too_old_and_nobody_waits_for_ever(
    aged_from: AgedFrom, asks: list[tuple[float, float | None]], takes_s: float, kept_s: float
) -> None:
    """Whenever they ask, however long a read takes, and whoever gives up: one read at a time, and those who stay are answered."""

    async def scenario() -> None:
        source = Source(takes_s)
        shared = SharedRead(source.read, kept_s=kept_s, aged_from=aged_from)
        gave_up = sum(1 for _, patience_s in asks if patience_s is not None)

        async def ask(at_s: float, patience_s: float | None) -> None:
            await anyio.sleep(at_s)
            asked_at_s = anyio.current_time()
            with anyio.move_on_after(patience_s):
                began_at_s = await shared.get()
                age_s = asked_at_s - began_at_s - (takes_s if aged_from == "end" else 0)
                assert age_s <= kept_s + 1e-6
                assert anyio.current_time() - asked_at_s <= takes_s * (2 + gave_up) + 1e-6
                return
            assert patience_s is not None

        async with anyio.create_task_group() as tasks:
            for at_s, patience_s in asks:
                tasks.start_soon(ask, at_s, patience_s)
        assert source.most == 1

    run_virtual(scenario)


def test_a_read_that_began_too_early_serves_nobody_who_must_not_act_on_it() -> None:
    """Aged from its beginning: who asks 3 s after it began waits for it, and reads again, once for all of that kind."""

    async def scenario() -> None:
        source = Source(takes_s=5.0)
        shared = SharedRead(source.read, kept_s=2.0, aged_from="beginning")
        told: list[tuple[float, float]] = []

        async def ask(at_s: float) -> None:
            await anyio.sleep(at_s)
            told.append((at_s, await shared.get() - began_at_s))

        began_at_s = anyio.current_time()
        async with anyio.create_task_group() as tasks:
            for at_s in (0.0, 2.0, 3.0, 4.0, 6.0):
                tasks.start_soon(ask, at_s)
        assert sorted(told) == [(0.0, 0.0), (2.0, 0.0), (3.0, 5.0), (4.0, 5.0), (6.0, 5.0)]
        assert source.reads == 2

    run_virtual(scenario)


def test_a_read_ages_from_its_end_where_few_reads_are_the_aim() -> None:
    """Who asks while it is on its way has its answer; who asks within a second after that too."""

    async def scenario() -> None:
        source = Source(takes_s=5.0)
        shared = SharedRead(source.read, kept_s=1.0, aged_from="end")
        async with anyio.create_task_group() as tasks:
            for at_s in (0.0, 4.9, 5.9):

                async def ask(at_s: float = at_s) -> None:
                    await anyio.sleep(at_s)
                    await shared.get()

                tasks.start_soon(ask)
        assert source.reads == 1
        await anyio.sleep(0.2)
        await shared.get()
        assert source.reads == 2

    run_virtual(scenario)


@pytest.mark.parametrize(("aged_from", "reads"), [("beginning", 2), ("end", 1)])
def test_a_failure_is_for_those_who_waited_and_where_few_reads_are_the_aim_for_a_while(
    aged_from: AgedFrom, reads: int
) -> None:
    """Who asks after it: another read at once, or the same failure until it is as old as an answer may be."""

    async def scenario() -> None:
        source = Source()
        source.failing = True
        shared = SharedRead(source.read, kept_s=1.0, aged_from=aged_from)
        said: list[str] = []

        async def ask() -> None:
            with pytest.raises(Away) as away:
                await shared.get()
            said.append(str(away.value))

        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(ask)
        assert said == ["read 1"] * 5
        await ask()
        assert (source.reads, said[-1]) == (reads, f"read {reads}")
        source.failing = False
        await anyio.sleep(1.1)
        await shared.get()

    run_virtual(scenario)


def test_a_failure_that_many_hear_of_says_where_it_lies_and_does_not_grow() -> None:
    """The same exception for a thousand: its trace names the read, and is as long for the last as for the second."""

    async def scenario() -> None:
        source = Source()
        source.failing = True
        shared = SharedRead(source.read, kept_s=1.0, aged_from="end")
        lengths: list[int] = []
        for _ in range(1_000):
            with pytest.raises(Away) as away:
                await shared.get()
            frames = [frame.name for frame in traceback.extract_tb(away.value.__traceback__)]
            assert "read" in frames
            lengths.append(len(frames))
        assert len(set(lengths[1:])) == 1

    run_virtual(scenario)


def test_when_the_one_who_reads_goes_away_another_begins_anew() -> None:
    """One of those who wait, for all of them; and nobody takes the read that was broken off for an answer."""

    async def scenario() -> None:
        source = Source(takes_s=1.0)
        shared = SharedRead(source.read, kept_s=1.0, aged_from="end")
        told: list[float] = []
        began_at_s = anyio.current_time()

        async def impatient() -> None:
            with anyio.move_on_after(0.4):
                await shared.get()
                raise AssertionError("it had no time for that")

        async def ask() -> None:
            await anyio.sleep(0.1)
            told.append(await shared.get() - began_at_s)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(impatient)
            for _ in range(10):
                tasks.start_soon(ask)
        assert told == pytest.approx([0.4] * 10)
        assert (source.reads, source.most) == (2, 1)

    run_virtual(scenario)
