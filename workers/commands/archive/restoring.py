"""`archive restore`: tables and views from the archive alone, into a fresh environment."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Final
from uuid import uuid4

import typer

from orderstore.archive.counters import DynamoSeriesCounters
from orderstore.archive.errors import RestoreRefused
from orderstore.archive.restore import Restored, Target
from orderstore.archive.restore import restore as restore_all
from orderstore.store import items
from orderstore.store.port import Commit
from projections.apply import ViewProjector, current_targets
from projections.passing_over import SETTLE_S, pass_over
from projections.stream.dynamo_source import DynamoStreamSource
from projections.stream.source import Record
from workers.commands.archive.places import FromBucket, objects_of
from workers.commands.running import DEFAULT_STATE_DIR, AsJson, StateDir, counting, with_core
from workers.core import Core, now_ms
from workers.wiring import SUBSCRIPTIONS, positions_of

NOT_RESTORED: Final = (
    "customers' keys (P-privacy-keys), on purpose, so that erasure holds: without that table's own backup personal data stay sealed",
    "payment attempts (P-payments): an order that was being paid asks the provider again, by the same key",
    "stock and reservations (P-inventory): count, and load again",
    "notifications sent (P-notifications): nothing is sent for what is restored",
    "messages that were in queues: an order that was under way waits until something tells of it again",
)


def restore(
    *, from_bucket: FromBucket = None, as_json: AsJson = False, state_dir: StateDir = DEFAULT_STATE_DIR
) -> None:
    """Rebuild the log, large bodies, invoice counters and views of a fresh environment from the archive alone.

    No role may run in the environment yet. Nothing is published, mailed or charged. Interrupted, it goes on when it is started again.
    """
    progress, show = counting("restoring")

    async def work(core: Core) -> Restored:
        return await restore_into(
            core,
            from_bucket,
            show=lambda report: show(report.manifests, f"manifests, {report.commits:,} commits"),
        )

    with progress:
        report = with_core(state_dir, work)
    if as_json:
        typer.echo(json.dumps({**asdict(report), "not_restored": NOT_RESTORED}, indent=2))
        return
    typer.echo(f"{report.orders:,} orders, {report.commits:,} commits of {report.manifests:,} manifests restored")
    for series, number in sorted(report.series.items()):
        typer.echo(f"invoice series {series} goes on after {number}")
    typer.echo("Not in the archive, and so not restored:")
    for what in NOT_RESTORED:
        typer.echo(f"- {what}")


async def restore_into(
    core: Core,
    bucket: str | None,
    *,
    show: Callable[[Restored], None] = lambda _: None,
    settle_s: float = SETTLE_S,
) -> Restored:
    """Restore into the environment of `core`.

    Raises RestoreRefused, ArchiveDamaged, StoreError, CodecError, ViewStoreError, LeaseError, StreamStuck.
    """
    positions = positions_of(core)
    source = objects_of(core, bucket)
    relay = SUBSCRIPTIONS["relay"]
    if await positions.restoration() is None and await core.leases.rows(relay):
        raise RestoreRefused("the environment is not fresh: its relay has run; nothing was changed")
    projector = ViewProjector(core.store, core.views, await current_targets(core.views))

    async def project(commits: Sequence[Commit]) -> None:
        await projector.apply([_record_of(commit) for commit in commits])

    async def pass_over_history() -> None:
        await pass_over(
            relay,
            source=DynamoStreamSource(core.clients.streams, core.settings.table("events")),
            leases=core.leases,
            owner=f"restore-{uuid4()}",
            now_ms=now_ms,
            random=core.random,
            settle_s=settle_s,
        )

    target = Target(
        log=core.store,
        counters=DynamoSeriesCounters(core.clients.dynamodb, table=core.settings.table("series"), random=core.random),
        positions=positions,
        objects=None if bucket in (None, core.settings.blobs_bucket) else core.objects,
        project=project,
        pass_over=pass_over_history,
    )
    return await restore_all(source, target, progress=show)


def _record_of(commit: Commit) -> Record:
    """What the stream tells of an append: the projector takes it from here, so that no table is read for it."""
    image = items.encode(commit).item
    return Record(
        sequence_number=str(commit.number),
        event_name="INSERT",
        keys={"stream": image["stream"], "commit": image["commit"]},
        image=image,
        created_at_ms=commit.recorded_at_ms,
    )
