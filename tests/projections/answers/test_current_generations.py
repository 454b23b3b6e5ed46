"""Which generation readers use: asked once a second whoever asks, and kept through a failure, but not for ever."""

from collections.abc import Mapping, Sequence

import anyio
import pytest

from projections.answers.current_generations import CurrentGenerations
from projections.answers.observe import SilentReadObserver
from projections.view_store import ViewStoreUnavailable
from projections.view_store.memory import MemoryViewStore
from projections.views.view import Generation, Generations
from tests.virtual_time import run_virtual


class SlowStore(MemoryViewStore):
    """Counts the reads of the generations, takes its time over each, and fails while it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = 0
        self.failing = False

    async def generations(self, views: Sequence[str]) -> Mapping[str, Generations]:
        self.reads += 1
        await anyio.sleep(0.05)
        if self.failing:
            raise ViewStoreUnavailable("away")
        return await super().generations(views)

    async def switch(self, number: int) -> None:
        before = (await super().generations(["v"]))["v"]
        assert await self.change_generations("v", before=before, after=Generations(current=number))


class Reports(SilentReadObserver):
    def __init__(self) -> None:
        self.failed: list[str] = []

    def read_failed(self, *, what: str, error: Exception) -> None:
        self.failed.append(what)


def test_however_many_ask_one_read_serves_them() -> None:
    """A hundred at once and a hundred more within the second: one read. After it: one more."""

    async def scenario() -> None:
        store = SlowStore()
        generations = CurrentGenerations(store, ["v", "w"])

        async def ask() -> None:
            assert await generations.now() == {"v": Generation("v", 1), "w": Generation("w", 1)}

        for expected in (1, 1, 2):
            async with anyio.create_task_group() as tasks:
                for _ in range(100):
                    tasks.start_soon(ask)
            assert store.reads == expected
            await anyio.sleep(0.6)

    run_virtual(scenario)


def test_a_switch_is_seen_within_a_second_and_the_time_of_a_read() -> None:
    """Whoever begins to read that long after it uses the new generation."""

    async def scenario() -> None:
        store = SlowStore()
        generations = CurrentGenerations(store, ["v"])
        await generations.now()
        await store.switch(2)
        await anyio.sleep(1.05)

        assert await generations.now() == {"v": Generation("v", 2)}

    run_virtual(scenario)


def test_a_failed_read_keeps_what_was_known_and_is_reported() -> None:
    """Once a second, not once a request; and when reads work again the switch is seen."""

    async def scenario() -> None:
        store, reports = SlowStore(), Reports()
        generations = CurrentGenerations(store, ["v"], observer=reports)
        await generations.now()
        await store.switch(2)
        store.failing = True
        for _ in range(30):
            await anyio.sleep(0.3)
            assert await generations.now() == {"v": Generation("v", 1)}

        assert 6 <= len(reports.failed) <= 9
        assert set(reports.failed) == {"generations"}
        store.failing = False
        await anyio.sleep(1.1)
        assert await generations.now() == {"v": Generation("v", 2)}

    run_virtual(scenario)


def test_what_was_known_is_not_trusted_for_ever() -> None:
    """A generation that nobody could confirm for a minute may be gone: then it is a failure, not an empty answer."""

    async def scenario() -> None:
        store = SlowStore()
        generations = CurrentGenerations(store, ["v"])
        await generations.now()
        store.failing = True
        await anyio.sleep(50)
        assert await generations.now()
        await anyio.sleep(11)
        with pytest.raises(ViewStoreUnavailable):
            await generations.now()

    run_virtual(scenario)


def test_without_a_first_answer_there_is_none() -> None:
    """Nothing is guessed; and a second later the next one asks again."""

    async def scenario() -> None:
        store = SlowStore()
        store.failing = True
        generations = CurrentGenerations(store, ["v"])
        for _ in range(2):
            with pytest.raises(ViewStoreUnavailable):
                await generations.now()
        assert store.reads == 1
        store.failing = False
        await anyio.sleep(1.1)
        assert await generations.now() == {"v": Generation("v", 1)}

    run_virtual(scenario)
