"""Makes tables from the archive alone, in an environment that is fresh: nothing of the lost one is asked for.

Some manifests at a time: the commits go back into the log (byte for byte: the same commit makes the same item), large bodies into their
objects, invoice counters to the highest number, the views to what the commits say; then the mark is moved on. Every step may be repeated,
so a restore that was interrupted goes on from its mark when it is started again.

Nothing is published, mailed or charged: there is no publisher and no gateway here. What the new log's stream tells of is passed over by
`pass_over` before the restore counts as done.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Final

import anyio

from orderstore.archive import manifest as manifests
from orderstore.archive.counters import SeriesCounters
from orderstore.archive.errors import RestoreRefused
from orderstore.archive.manifest import Manifest, manifest_key
from orderstore.archive.positions import Applied, Position, Positions, Restoration
from orderstore.archive.reader import read
from orderstore.codec import decode
from orderstore.domain.events import InvoiceIssued
from orderstore.objects import ObjectStore
from orderstore.store.errors import StoreError
from orderstore.store.port import Commit, EventStore

AT_ONCE: Final = 16
COMMITS_AT_ONCE: Final = 500


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
    """What was done by this run. `resumed_after` is the manifest that an earlier run had come to; 0: there was none."""

    resumed_after: int = 0
    manifests: int = 0
    commits: int = 0
    orders: int = 0
    series: dict[str, int] = field(default_factory=dict)


async def restore(
    source: ObjectStore,
    target: Target,
    *,
    progress: Callable[[Restored], None] = lambda _: None,
    commits_at_once: int = COMMITS_AT_ONCE,
) -> Restored:
    """Restore everything that the archive in `source` holds, in steps of about `commits_at_once`.

    Raises:
        RestoreRefused: the target holds something else, or there is no archive. Nothing was changed.
        ArchiveDamaged: names what is wrong; what came before it is restored, and the restore goes on when it is mended.
        StoreError, CodecError: the same; start it again.
    """
    begun = await _begin(source, target)
    report = Restored(resumed_after=begun.manifest)
    step = _Step()
    async with aclosing(read(source, after=begun.manifest)) as archived:
        async for manifest, sha256, commits in archived:
            step.add(manifest, sha256, commits)
            if len(step.commits) >= commits_at_once:
                await _restore_step(step, source, target, begun.archive, report)
                step = _Step()
                progress(report)
    if step.manifests:
        await _restore_step(step, source, target, begun.archive, report)
        progress(report)
    if begun.state == "running" or report.manifests:
        await target.pass_over()
        last = begun.manifest + report.manifests
        await target.positions.note_restoration(Restoration(archive=begun.archive, manifest=last, state="done"))
    return report


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
    await target.project(step.commits)
    for series, taken in invoice_numbers(step.commits).items():
        await target.counters.raise_to(series, taken)
        report.series[series] = max(taken, report.series.get(series, 0))
    if target.objects is not None:
        # Segments before the manifests that name them.
        await _copy(source, target.objects, [manifest.segment.key for manifest in step.manifests])
        await _copy(source, target.objects, [manifest_key(manifest.number) for manifest in step.manifests])
    await _note_positions(target.positions, step)
    last = step.manifests[-1].number
    await target.positions.note_restoration(Restoration(archive=archive, manifest=last, state="running"))
    report.manifests += len(step.manifests)
    report.commits += len(step.commits)
    report.orders += sum(span.first == 1 for manifest in step.manifests for span in manifest.orders)


def invoice_numbers(commits: Sequence[Commit]) -> dict[str, int]:
    """The highest invoice number of each series in these commits."""
    highest: dict[str, int] = {}
    for commit in commits:
        if b"InvoiceIssued" not in commit.body:  # to decode costs far more than to look
            continue
        for recorded in decode(commit):
            if isinstance(recorded.event, InvoiceIssued):
                series = recorded.event.series
                highest[series] = max(recorded.event.number, highest.get(series, 0))
    return highest


async def _begin(source: ObjectStore, target: Target) -> Restoration:
    first = await source.get(manifest_key(1))
    if first is None:
        raise RestoreRefused("there is no archive: the bucket has no manifest 1; nothing was changed")
    archive = manifests.digest(first)
    begun = await target.positions.restoration()
    if begun is None:
        await _check_empty(target)
        begun = Restoration(archive=archive, manifest=0, state="running")
        await target.positions.note_restoration(begun)
    elif begun.archive != archive:
        raise RestoreRefused("another archive was restored into this environment; nothing was changed")
    elif begun.state == "done" and await source.get(manifest_key(begun.manifest + 1)) is not None:
        raise RestoreRefused(
            f"this environment was restored through manifest {begun.manifest} and lives; nothing was changed"
        )
    return begun


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

    await _each(orders, one)


async def _copy(source: ObjectStore, target: ObjectStore, keys: Sequence[str]) -> None:
    """The archive goes on in the new bucket, with the same objects."""

    async def one(key: str) -> None:
        content = await source.get(key)
        if content is None:
            raise RestoreRefused(f"{key} was there a moment ago and is gone: somebody is changing the archive")
        if not await target.put_new(key, content) and await target.get(key) != content:
            raise RestoreRefused(f"the environment's own bucket has another {key}; nothing of it was changed")

    await _each(keys, one)


async def _note_positions(positions: Positions, step: _Step) -> None:
    await positions.advance(
        {
            span.stream: Position(span.last, bytes.fromhex(span.hash), manifest.number)
            for manifest in step.manifests
            for span in manifest.orders
        }
    )
    await positions.mark_applied(Applied(step.manifests[-1].number, step.sha256))


async def _each(names: Iterable[str], work: Callable[[str], Awaitable[None]]) -> None:
    """Do it for all, AT_ONCE side by side; the first error is raised as it is."""
    limiter = anyio.CapacityLimiter(AT_ONCE)
    failures: list[StoreError | RestoreRefused] = []

    async def one(name: str) -> None:
        async with limiter:
            if failures:
                return
            try:
                await work(name)
            except (StoreError, RestoreRefused) as error:
                failures.append(error)

    async with anyio.create_task_group() as tasks:
        for name in names:
            tasks.start_soon(one, name, name=f"restore {name}")
    if failures:
        raise failures[0]
