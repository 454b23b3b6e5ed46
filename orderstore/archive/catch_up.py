"""Archives what no hint told of: history older than the archive, and whatever was lost on the way. Safe beside the live worker."""

from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass, field

from orderstore.archive.limits import Limits
from orderstore.archive.writer import Archiver
from orderstore.store.port import CommitSource

FAULTS_MAX = 1_000


@dataclass(slots=True)
class CaughtUp:
    """How many orders were looked at, how many commits were missing and are archived now, and what could not be (all are counted,
    at most FAULTS_MAX are kept)."""

    orders: int = 0
    commits: int = 0
    faults_count: int = 0
    faults: dict[str, str] = field(default_factory=dict)


async def catch_up(
    log: CommitSource,
    archiver: Archiver,
    *,
    limits: Limits | None = None,
    progress: Callable[[CaughtUp], None] = lambda _: None,
) -> CaughtUp:
    """Walk over the log's orders (a scan: it reads the whole table) and archive each to its end. Running it again is harmless.

    Raises ArchiveError, StoreError; what was archived by then stays so.
    """
    orders_max = (limits or Limits()).segment_orders
    report = CaughtUp()
    wanted: dict[str, int | None] = {}

    async def archive() -> None:
        outcome = await archiver.archive(wanted)
        report.orders += len(wanted)
        report.commits += outcome.commits
        report.faults_count += len(outcome.faults)
        for stream, fault in outcome.faults.items():
            if len(report.faults) < FAULTS_MAX:
                report.faults[stream] = f"{type(fault).__name__}: {fault}"
        wanted.clear()
        progress(report)

    async with aclosing(log.streams()) as streams:
        async for stream in streams:
            wanted[stream] = None
            if len(wanted) >= orders_max:
                await archive()
    if wanted:
        await archive()
    return report
