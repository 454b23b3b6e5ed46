"""Back-fills for gaps: each gap that waits is told of the back-fill that served it, whoever else waits, gives up or begins with it."""

from random import Random

import anyio

from projections.stream.gaps import Gap, GapCause
from projections.stream.healing import Healer
from projections.stream.observe import SilentObserver
from projections.stream.settings import StreamSettings
from tests.virtual_time import run_virtual


class Backfills:
    """A subscriber whose back-fills take a second each."""

    def __init__(self) -> None:
        self.began: list[int] = []

    async def apply(self, records: object) -> None:
        raise AssertionError("nothing is applied here")

    async def backfill(self, since_ms: int) -> None:
        self.began.append(since_ms)
        await anyio.sleep(1)


def test_of_gaps_that_begin_together_one_that_gives_up_takes_no_other_along() -> None:
    """Three shards vanish in the same millisecond; the lease of the third is lost while it waits. The other two are healed."""

    async def scenario() -> None:
        subscriber = Backfills()
        healer = Healer(
            subscriber=subscriber,
            settings=StreamSettings(),
            observer=SilentObserver(),
            now_ms=lambda: 1_000_000 + round(anyio.current_time() * 1_000),
            random=Random(1),
        )
        marks: list[int] = []

        async def heal() -> None:
            marks.append(await healer.heal(GAP))

        with anyio.fail_after(60):
            async with anyio.create_task_group() as group:
                group.start_soon(heal)
                await anyio.sleep(0.1)
                group.start_soon(heal)
                await anyio.sleep(0.1)
                with anyio.move_on_after(0.3):
                    await heal()
        assert len(marks) == 2
        assert subscriber.began == [500, 500]

    run_virtual(scenario)


GAP = Gap(GapCause.TRIMMED, since_ms=500)
