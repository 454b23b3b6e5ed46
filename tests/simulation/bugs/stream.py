"""Bugs in the reader of the stream."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, Final
from unittest.mock import patch

from projections.stream import memory_leases
from projections.stream.healing import Healer
from projections.stream.lanes import Lanes
from projections.stream.quarantine import Quarantine
from tests.simulation.bugs.bug import Bug, errors_ignored


def _gap_is_not_healed() -> AbstractContextManager[Any]:
    async def heal(self: Healer, gap: Any) -> int:
        return self._now_ms()

    return patch.object(Healer, "heal", heal)


def _fence_is_forgotten() -> AbstractContextManager[Any]:
    """Every write of a lease succeeds, whoever owns it."""
    return patch.object(memory_leases, "unmoved", lambda row, seen: row is not None)


def _checkpoint_early() -> AbstractContextManager[Any]:
    """A page counts as applied when it was read."""
    real = Lanes.submit

    def submit(self: Lanes, records: Sequence[Any]) -> None:
        real(self, records)
        if records:
            self._held.advance(sequence=records[-1].sequence_number, caught_up_to_ms=self._now_ms())

    return patch.object(Lanes, "submit", submit)


def _failed_batch_is_skipped() -> AbstractContextManager[Any]:
    """A subscriber's error is logged, and the next page is read: what the Kinesis Client Library does."""
    return errors_ignored(Quarantine)


BUGS: Final = (
    Bug("a gap is not healed", _gap_is_not_healed),
    Bug("the fence of leases is forgotten", _fence_is_forgotten),
    Bug("the checkpoint is early", _checkpoint_early),
    Bug("a failed batch is skipped", _failed_batch_is_skipped),
)
