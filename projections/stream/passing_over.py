"""Reads a table's stream to its end for a subscription and does nothing with it: what stands there now will never be delivered.

A restore needs this. It writes history, and the stream tells of it as of anything new; but the world heard of it long ago. The reader is
the ordinary one, with leases, checkpoints and gaps, so that the relay, when it starts, finds a subscription that has come to the end.

    StreamStuck   the end was not reached, and nothing moved any more
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

import anyio

from projections.stream.leases import LeaseStore, LeaseStoreUnavailable
from projections.stream.low_water import caught_up_to_ms
from projections.stream.reader import StreamReader
from projections.stream.settings import StreamSettings
from projections.stream.source import Record, StreamSource

LOOK_EVERY_S: Final = 0.2
# Between a write's answer and the moment at which a read of the stream must show it. AWS promises no number; it is well below a second.
SETTLE_S: Final = 5.0
PATIENCE_S: Final = 120.0


class StreamStuck(Exception):
    """The stream was not read to its end; start again."""


@dataclass(slots=True)
class _Nothing:
    """A `Subscriber` that is content at once."""

    records: int = 0

    async def apply(self, records: Sequence[Record]) -> None:
        self.records += len(records)

    async def backfill(self, since_ms: int) -> None:
        del since_ms  # whatever it is, it is not to be delivered


async def pass_over(
    subscription: str,
    *,
    source: StreamSource,
    leases: LeaseStore,
    owner: str,
    now_ms: Callable[[], int],
    random: Random,
    settings: StreamSettings | None = None,
    settle_s: float = SETTLE_S,
    patience_s: float = PATIENCE_S,
) -> int:
    """Pass over everything that was written before this call, and return how many records that were. Nothing may be written meanwhile
    that is to be delivered.

    Raises StreamStuck when nothing moves for `patience_s`.
    """
    through_ms = now_ms() + round(settle_s * 1_000)
    nothing = _Nothing()
    reader = StreamReader(
        subscription=subscription,
        source=source,
        leases=leases,
        subscriber=nothing,
        owner=owner,
        now_ms=now_ms,
        random=random,
        settings=settings,
    )
    stuck = False
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(reader.run, name=f"pass over {subscription}")
        moved: tuple[int, int | None] = (0, None)
        moved_at_s = anyio.current_time()
        while True:
            mark_ms = await _mark(leases, subscription)
            if mark_ms is not None and mark_ms >= through_ms:
                break
            if (nothing.records, mark_ms) != moved:
                moved, moved_at_s = (nothing.records, mark_ms), anyio.current_time()
            elif anyio.current_time() - moved_at_s >= patience_s:
                stuck = True
                break
            await anyio.sleep(LOOK_EVERY_S)
        tasks.cancel_scope.cancel()
    if stuck:
        raise StreamStuck(
            f"the stream was read for {subscription} as far as {moved[1]} ms, and nothing moved for {patience_s:g} s; start again"
        )
    return nothing.records


async def _mark(leases: LeaseStore, subscription: str) -> int | None:
    try:
        return await caught_up_to_ms(leases, subscription)
    except LeaseStoreUnavailable:  # no mark is no end: it is asked for again, as long as the patience lasts
        return None
