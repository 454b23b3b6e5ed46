"""Gaps: the times when the stream cannot show that it still holds everything since the last applied record.

A gap is a durable mark on a lease row, never a silent restart: the mark is written first, then the subscriber back-fills from
the table, then the mark is cleared. A crash at any moment finds the mark and repeats the back-fill.
"""

from dataclasses import dataclass
from enum import StrEnum


class GapCause(StrEnum):
    """Why a back-fill is needed. The values are stored and shown."""

    BOOTSTRAP = "bootstrap"  # the subscription has never run: there is a history, but no loss
    TRIMMED = "trimmed"  # the position is older than the stream's oldest record
    VANISHED = "vanished"  # the shard is gone and was not read to its end
    STREAM_REPLACED = "stream_replaced"  # the table has another stream now
    LINEAGE_BROKEN = "lineage_broken"  # a shard appeared whose parents nobody here has read
    UNPROVEN_START = "unproven_start"  # "from the oldest record", and the oldest may not be the one it was


@dataclass(frozen=True, slots=True)
class Gap:
    """A back-fill that is owed: everything recorded at or after `since_ms` (wall clock)."""

    cause: GapCause
    since_ms: int


def since_ms(*, caught_up_to_ms: int, margin_s: float) -> int:
    """Where a back-fill begins: the low-water mark less the clocks' possible difference, never before the epoch."""
    return max(0, caught_up_to_ms - round(margin_s * 1_000))


def starts_as_before(*, stored_start: str | None, listed_start: str | None) -> bool:
    """Whether the shard still starts where it did when its lease was made, which the service must say.

    The trim horizon never fails: in a stream that was made anew, or once records are trimmed, it silently means a later record.
    """
    return listed_start is not None and listed_start == stored_start
