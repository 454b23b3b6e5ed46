"""Makes tables from the archive alone, in an environment that is fresh: nothing of the lost one is asked for.

The whole archive is proven before the first write. Then, some manifests at a time: the commits go back into the log (byte for byte: the
same commit makes the same item), large bodies into their objects, invoice counters to the highest number, the views to what the commits
say; then the mark is moved on. Every step may be repeated, so an interrupted restore goes on from its mark when it is started again.

Nothing is published, mailed or charged: there is no publisher and no gateway here. What the new log's stream tells of is passed over by
`pass_over` before the restore counts as done.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Final

from orderstore.archive import manifest as manifests
from orderstore.archive.counters import SeriesCounters
from orderstore.archive.errors import ArchiveDamaged, ArchiveUnfit, Fault, FaultKind, RestoreRefused, RestoreStopped
from orderstore.archive.manifest import Manifest, manifest_key
from orderstore.archive.positions import Applied, Position, Positions, Restoration
from orderstore.archive.reader import examine, read
from orderstore.codec import decode
from orderstore.domain.events import CreditNoteIssued, InvoiceIssued
from orderstore.objects import ObjectStore
from orderstore.store.port import Commit, EventStore
from orderstore.store.side_by_side import side_by_side

AT_ONCE: Final = 16
COMMITS_AT_ONCE: Final = 500
FAULTS_MAX: Final = 1_000
NUMBERED: Final = (b"InvoiceIssued", b"CreditNoteIssued")
"""The events with a number of a series, by the names that stand in their commits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The fresh environment. `objects` is its own bucket, where the archive is to go on; None: it is the one that is read from."""

    log: EventStore
    counters: SeriesCounters
    positions: Positions
    objects: ObjectStore | None
    project: Callable[[Sequence[Commit]], Awaitable[None]]
    """Brings the views up to these commits, in their order."""
    pass_over: Callable[[], Awaitable[None]]
    """Makes sure that nobody publishes what the restore has written."""


@dataclass(slots=True)
class Restored:
    """What was done by this run. `resumed_after` is the manifest that an earlier run had come to; 0: there was none.

    `through`, `orders_in_all` and `commits_in_all` are of every run together: what is in the tables, through which manifest.
    """

    resumed_after: int = 0
    manifests: int = 0
    commits: int = 0
    orders: int = 0
    series: dict[str, int] = field(default_factory=dict)
    was_complete: bool = False
    through: int = 0
    orders_in_all: int = 0
    commits_in_all: int = 0


@dataclass(slots=True)
class Proven:
    """How far the proof of the archive has come, before anything is written."""

    manifests: int = 0
    commits: int = 0
    faults: int = 0


async def restore(
    source: ObjectStore,
    target: Target,
    *,
    progress: Callable[[Restored], None] = lambda _: None,
    proving: Callable[[Proven], None] = lambda _: None,
    commits_at_once: int = COMMITS_AT_ONCE,
) -> Restored:
    """Restore everything that the archive in `source` holds, in steps of about `commits_at_once`.

    Raises:
        RestoreRefused: the target holds something else, or there is no archive. Nothing was changed.
        ArchiveUnfit: the archive has faults, named; nothing was written by this run.
        RestoreStopped: damaged since it was proven; what came before it is restored, and the restore goes on when it is mended.
        StoreError, CodecError: what was restored stays; start it again.
    """
    begun, is_new = await _look(source, target)
    report = Restored(resumed_after=begun.manifest, through=begun.manifest, was_complete=begun.state == "done")
    await _prove(source, begun, report, proving)
    if report.was_complete:
        return report
    if is_new:
        await target.positions.note_restoration(begun)
    try:
        await _restore_all(source, target, begun.archive, report, progress=progress, commits_at_once=commits_at_once)
    except ArchiveDamaged as error:
        raise RestoreStopped(
            error.fault, orders=report.orders_in_all, commits=report.commits_in_all, manifest=report.through
        ) from error
    await target.pass_over()
    done = Restoration(archive=begun.archive, manifest=report.through, state="done")
    await target.positions.note_restoration(done)
    return report


async def _prove(source: ObjectStore, begun: Restoration, report: Restored, proving: Callable[[Proven], None]) -> None:
    """Read the whole archive and name every fault; count what earlier runs have restored of it. Raises ArchiveUnfit.

    Of a restore that is complete nothing will be written: its manifests alone say what it was.
    """
    faults: list[Fault] = []
    proven = Proven()
    contents_after = manifests.NUMBER_MAX if begun.state == "done" else 0
    async with aclosing(examine(source, contents_after=contents_after)) as examined:
        async for one in examined:
            proven.faults += len(one.faults)
            faults.extend(one.faults[: FAULTS_MAX - len(faults)])
            proven.manifests += one.manifest is not None
            proven.commits += len(one.commits)
            if one.manifest is not None and one.number <= begun.manifest:
                report.orders_in_all += _orders_begun(one.manifest)
                report.commits_in_all += one.manifest.segment.commits
            proving(proven)
    if faults:
        raise ArchiveUnfit(faults, count=proven.faults, before=_left_before(begun, report))


def _left_before(begun: Restoration, report: Restored) -> str:
    if begun.state == "done":
        return f" now; an earlier restore was complete, through manifest {begun.manifest}"
    if begun.manifest == 0:
        return ""
    return (
        f" by this run; earlier ones have put {report.orders_in_all:,} orders, {report.commits_in_all:,} commits into the tables, "
        f"through manifest {begun.manifest}, and the environment is marked as being restored: mend the archive and run this again"
    )


def _orders_begun(manifest: Manifest) -> int:
    return sum(span.first == 1 for span in manifest.orders)


async def _restore_all(
    source: ObjectStore,
    target: Target,
    archive: str,
    report: Restored,
    *,
    progress: Callable[[Restored], None],
    commits_at_once: int,
) -> None:
    step = _Step()
    async with aclosing(read(source, after=report.resumed_after)) as archived:
        async for manifest, sha256, commits in archived:
            step.add(manifest, sha256, commits)
            if len(step.commits) >= commits_at_once:
                await _restore_step(step, source, target, archive, report)
                step = _Step()
                progress(report)
    if step.manifests:
        await _restore_step(step, source, target, archive, report)
        progress(report)


@dataclass(slots=True)
class _Step:
    """Manifests that are restored together: each may hold a few commits only."""

    manifests: list[Manifest] = field(default_factory=list)
    commits: list[Commit] = field(default_factory=list)
    sha256: str = ""

    def add(self, manifest: Manifest, sha256: str, commits: Sequence[Commit]) -> None:
        self.manifests.append(manifest)
        self.commits.extend(commits)
        self.sha256 = sha256


async def _restore_step(step: _Step, source: ObjectStore, target: Target, archive: str, report: Restored) -> None:
    await _put_back(target.log, step.commits)
    orders = sum(map(_orders_begun, step.manifests))
    report.orders_in_all += orders
    report.commits_in_all += len(step.commits)
    await target.project(step.commits)
    for series, taken in invoice_numbers(step.commits).items():
        await target.counters.raise_to(series, taken)
        report.series[series] = max(taken, report.series.get(series, 0))
    if target.objects is not None:
        # Segments before the manifests that name them.
        segments = {manifest.segment.key: manifest.number for manifest in step.manifests}
        await _copy(source, target.objects, segments, if_gone="missing_segment")
        numbers = {manifest_key(manifest.number): manifest.number for manifest in step.manifests}
        await _copy(source, target.objects, numbers, if_gone="missing_manifest")
    await _note_positions(target.positions, step)
    last = step.manifests[-1].number
    await target.positions.note_restoration(Restoration(archive=archive, manifest=last, state="running"))
    report.manifests += len(step.manifests)
    report.commits += len(step.commits)
    report.orders += orders
    report.through = last


def invoice_numbers(commits: Sequence[Commit]) -> dict[str, int]:
    """The highest number of each series of invoices and of credit notes in these commits."""
    highest: dict[str, int] = {}
    for commit in commits:
        if not any(name in commit.body for name in NUMBERED):  # to decode costs far more than to look
            continue
        for recorded in decode(commit):
            if isinstance(recorded.event, InvoiceIssued | CreditNoteIssued):
                series = recorded.event.series
                highest[series] = max(recorded.event.number, highest.get(series, 0))
    return highest


async def _look(source: ObjectStore, target: Target) -> tuple[Restoration, bool]:
    """What an earlier run has noted, or what this one will note, and whether it is new. Writes nothing."""
    first = await source.get(manifest_key(1))
    if first is None:
        raise RestoreRefused("there is no archive: the bucket has no manifest 1; nothing was changed")
    archive = manifests.digest(first)
    begun = await target.positions.restoration()
    if begun is None:
        await _check_empty(target)
        return Restoration(archive=archive, manifest=0, state="running"), True
    if begun.archive != archive:
        raise RestoreRefused("another archive was restored into this environment; nothing was changed")
    if begun.state == "done" and await source.get(manifest_key(begun.manifest + 1)) is not None:
        raise RestoreRefused(
            f"this environment was restored through manifest {begun.manifest} and lives; nothing was changed"
        )
    return begun, False


async def _check_empty(target: Target) -> None:
    streams = target.log.streams()
    try:
        stream = await anext(streams, None)
    finally:
        if isinstance(streams, AsyncGenerator):
            await streams.aclose()
    if stream is not None:
        raise RestoreRefused(
            f"the environment is not fresh: its log has {stream}; restore into a new one (another ORDERSTORE_RESOURCE_PREFIX); "
            "nothing was changed"
        )
    if target.objects is not None and await target.objects.get(manifest_key(1)) is not None:
        raise RestoreRefused("the environment's own bucket has an archive already; nothing was changed")


async def _put_back(log: EventStore, commits: Sequence[Commit]) -> None:
    """Append what was appended, each order's commits in their order."""
    orders: dict[str, list[Commit]] = {}
    for commit in commits:
        orders.setdefault(commit.stream, []).append(commit)

    async def one(stream: str) -> None:
        for commit in orders[stream]:
            await log.append(commit)

    await side_by_side(orders, one, name="restore", at_once=AT_ONCE)


async def _copy(source: ObjectStore, target: ObjectStore, keys: Mapping[str, int], *, if_gone: FaultKind) -> None:
    """The archive goes on in the new bucket, with the same objects. `keys`: each with the manifest that it belongs to."""

    async def one(key: str) -> None:
        content = await source.get(key)
        if content is None:
            detail = f"{key} was there a moment ago and is gone: somebody is changing the archive"
            raise ArchiveDamaged(Fault(kind=if_gone, manifest=keys[key], detail=detail))
        if not await target.put_new(key, content) and await target.get(key) != content:
            raise RestoreRefused(f"the environment's own bucket has another {key}; nothing of it was changed")

    await side_by_side(list(keys), one, name="copy", at_once=AT_ONCE)


async def _note_positions(positions: Positions, step: _Step) -> None:
    await positions.advance(
        {
            span.stream: Position(span.last, bytes.fromhex(span.hash), manifest.number)
            for manifest in step.manifests
            for span in manifest.orders
        }
    )
    await positions.mark_applied(Applied(step.manifests[-1].number, step.sha256))
