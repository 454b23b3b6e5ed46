"""`archive restore`: tables and views from the archive alone, into a fresh environment."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Final
from uuid import uuid4

import typer

from orderstore.archive.counters import DynamoSeriesCounters
from orderstore.archive.errors import ArchiveUnfit, RestoreRefused
from orderstore.archive.restore import Proven, Restored, Target
from orderstore.archive.restore import restore as restore_all
from orderstore.store import items
from orderstore.store.port import Commit
from projections.projecting.projector import ViewProjector
from projections.projecting.targets import current_targets
from projections.stream.dynamo_source import DynamoStreamSource
from projections.stream.passing_over import SETTLE_S, pass_over
from projections.stream.source import Record
from workers.archive.opening import positions_of
from workers.commands.archive.places import FromBucket, objects_of
from workers.commands.running import DEFAULT_STATE_DIR, AsJson, StateDir, complain, counting, with_core
from workers.core import Core, now_ms
from workers.subscriptions import RELAY_SUBSCRIPTION

NOT_RESTORED: Final = (
    "customers' keys (table …-privacy-keys), on purpose, so that erasure holds: without that table's own backup personal data stay sealed",
    "payment attempts (table …-payments): an order that was being paid asks the provider again, by the same key",
    "stock and reservations (table …-inventory): count, and load again",
    "notifications sent (table …-notifications): nothing is sent for what is restored",
    "messages that were in queues: an order that was under way waits until something tells of it again",
    (
        "signed roots and certificates of erasure (the audit bucket): keep that bucket or a copy; orders that are dropped here cannot be "
        "seen to be missing until `orderstore audit root` has made a first root of this log"
    ),
)


def restore(
    *, from_bucket: FromBucket = None, as_json: AsJson = False, state_dir: StateDir = DEFAULT_STATE_DIR
) -> None:
    """Rebuild the log, large bodies, invoice counters and views of a fresh environment from the archive alone.

    The whole archive is verified before anything is written; with faults in it nothing is, each is named, and the exit code is 1.
    No role may run in the environment yet. Nothing is published, mailed or charged. Interrupted, it goes on when it is started again.
    """
    progress, show = counting("restoring")

    def show_proof(proven: Proven) -> None:
        show(
            proven.manifests,
            f"manifests verified, nothing written yet, {proven.commits:,} commits, {proven.faults} faults",
        )

    async def work(core: Core) -> Restored:
        return await restore_into(
            core,
            from_bucket,
            show=lambda report: show(report.manifests, f"manifests, {report.commits:,} commits"),
            show_proof=show_proof,
        )

    try:
        with progress:
            report = with_core(state_dir, work)
    except ArchiveUnfit as unfit:
        if as_json:
            faults = [asdict(fault) for fault in unfit.faults]
            typer.echo(json.dumps({"ok": False, "faults_count": unfit.count, "faults": faults}, indent=2))
        else:
            for fault in unfit.faults:
                typer.echo(str(fault))
        complain(str(unfit))
        raise typer.Exit(1) from unfit
    if as_json:
        typer.echo(json.dumps({**asdict(report), "not_restored": NOT_RESTORED}, indent=2))
        return
    in_all = f"{report.orders_in_all:,} orders, {report.commits_in_all:,} commits, through manifest {report.through}"
    if report.was_complete:
        typer.echo(f"complete already: {in_all}; nothing was written")
    else:
        typer.echo(f"{report.orders:,} orders, {report.commits:,} commits of {report.manifests:,} manifests restored")
        if report.resumed_after:
            typer.echo(f"with what earlier runs restored: {in_all}")
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
    show_proof: Callable[[Proven], None] = lambda _: None,
    settle_s: float = SETTLE_S,
) -> Restored:
    """Restore into the environment of `core`.

    Raises RestoreRefused (ArchiveUnfit), RestoreStopped, StoreError, CodecError, ViewStoreError, LeaseError, StreamStuck.
    """
    positions = positions_of(core)
    source = objects_of(core, bucket)
    relay = RELAY_SUBSCRIPTION
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
    return await restore_all(source, target, progress=show, proving=show_proof)


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
