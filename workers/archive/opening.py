"""The archive and the day's signed root, made from the `Core`: what copies the log, and what proves it whole."""

from functools import partial
from typing import Final

from orderstore.archive.dynamo_positions import DynamoPositions
from orderstore.archive.writer import Archiver
from orderstore.audit.root_maker import RootMaker
from workers.anchoring import Anchoring
from workers.archive.batcher import Batcher
from workers.archive.handler import ArchiveHandler
from workers.archive.remembering import remembering
from workers.core import Core, now_ms
from workers.metrics.anchoring import AnchoringMetrics
from workers.metrics.archive import ArchiveMetrics
from workers.protecting import CountedRoots
from workers.protection import Jobs
from workers.runtime.outcome import Handler

RESTORING: Final = (
    "a restore into this environment is not finished: nothing is published before (orderstore archive restore)"
)


def positions_of(core: Core) -> DynamoPositions:
    """How far each order is archived."""
    return DynamoPositions(core.clients.dynamodb, table=core.settings.table("archive"), random=core.random)


async def nothing_is_being_restored(core: Core) -> bool:
    """Whether the log is in one piece: no restore into this environment has begun, or it is complete. Raises StoreError."""
    restoration = await positions_of(core).restoration()
    return restoration is None or restoration.state == "done"


def archiver_of(core: Core) -> Archiver:
    """What copies the log into the archive."""
    return Archiver(
        core.store,
        core.objects,
        positions_of(core),
        now_ms=now_ms,
        random=core.random,
        observer=ArchiveMetrics(core.metrics),
    )


def archive_handler(core: Core) -> Handler:
    """The handler of the archive's queue. A batch is full before every handler waits for it, or none would ever be."""
    batcher = Batcher(
        remembering(archiver_of(core).archive, core.store, core.shelf),
        linger_s=core.settings.archive_linger_s,
        messages_max=max(1, core.settings.archive_concurrency // 2),
        now_ms=now_ms,
        observer=ArchiveMetrics(core.metrics),
    )
    return ArchiveHandler(batcher)


def daily_root(core: Core, jobs: Jobs | None = None) -> Anchoring:
    """What signs a root over the log, once a day; making one counts among `jobs`."""
    maker = RootMaker(
        core.store,
        core.locked,
        core.signer,
        log=core.settings.table("events"),
        now_ms=now_ms,
        is_whole=partial(nothing_is_being_restored, core),
    )
    return Anchoring(
        CountedRoots(maker, jobs or Jobs()),
        now_ms=now_ms,
        random=core.random,
        observer=AnchoringMetrics(core.metrics),
    )
