"""While a restore is under way the relay tells nobody of it; when it is done, what came since is told, and nothing is lost."""

from collections.abc import Sequence

import pytest

from projections.stream.gate import Holding, NotYet
from projections.stream.source import Record
from tests.virtual_time import run_virtual


class Told:
    def __init__(self) -> None:
        self.applied = 0
        self.backfilled: list[int] = []

    async def apply(self, records: Sequence[Record]) -> None:
        self.applied += 1

    async def backfill(self, since_ms: int) -> None:
        self.backfilled.append(since_ms)


def test_nothing_gets_through_before_it_may_and_everything_after() -> None:
    """Refused records come again, by the reader's own rule; once open it is not asked again."""
    told, answers = Told(), [False, False, True]

    async def may_begin() -> bool:
        return answers.pop(0)

    async def scenario() -> None:
        held = Holding(told, may_begin=may_begin, why="a restore is under way")
        with pytest.raises(NotYet, match="a restore is under way"):
            await held.apply([])
        with pytest.raises(NotYet):
            await held.backfill(7)
        assert (told.applied, told.backfilled) == (0, [])
        await held.backfill(7)
        await held.apply([])
        assert (told.applied, told.backfilled, answers) == (1, [7], [])

    run_virtual(scenario)
