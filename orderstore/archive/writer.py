"""Puts what the log has and the archive has not into the archive: each commit once, whatever is asked twice, races or dies.

The protocol, in which the only thing that counts is who stores manifest n + 1 (`ObjectStore.put_new` lets one):

    1. know manifest n, and that the positions have every manifest up to n
    2. read the orders' positions, then their new commits from the log
    3. store the segment
    4. store manifest n + 1: the commit point. Somebody else has? Apply theirs to the positions and go back to 2
    5. apply our own to the positions

Why each commit is archived once: positions that were read after n was applied lag behind the manifests only if there is an n + 1,
and then step 4 fails. A death after 3 leaves a segment that no manifest names; one after 4 leaves positions that the next archiver
brings up to date, because its own n + 1 is taken.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Final

import anyio

from orderstore.archive import manifest as manifests
from orderstore.archive.collecting import Batch, collect
from orderstore.archive.errors import ArchiveContended, ArchiveDamaged, Fault, PositionsAstray
from orderstore.archive.limits import Limits
from orderstore.archive.manifest import BadManifest, Manifest, manifest_key, manifest_of
from orderstore.archive.observe import ArchiveObserver, SilentArchiveObserver
from orderstore.archive.positions import Applied, Position, Positions
from orderstore.archive.segment import Segment, pack
from orderstore.objects import ObjectStore
from orderstore.store.port import EventStore
from orderstore.store.trouble import Backoff

NOTHING: Final = Applied(0, manifests.NO_MANIFEST)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of each order that was asked for: archived through a commit, or why it cannot be."""

    through: dict[str, int] = field(default_factory=dict)
    faults: dict[str, Exception] = field(default_factory=dict)
    commits: int = 0


class Archiver:
    """One archiver. Any number may run at once, in any number of processes; within this one, calls wait for each other."""

    def __init__(
        self,
        log: EventStore,
        objects: ObjectStore,
        positions: Positions,
        *,
        now_ms: Callable[[], int],
        random: Random,
        observer: ArchiveObserver | None = None,
        limits: Limits | None = None,
        backoff: Backoff | None = None,
    ) -> None:
        """`now_ms` is the wall clock, for the manifests' own date; `random` spreads the rounds of archivers that meet."""
        self._log = log
        self._objects = objects
        self._positions = positions
        self._now_ms = now_ms
        self._random = random
        self._observer = observer or SilentArchiveObserver()
        self._limits = limits or Limits()
        self._backoff = backoff or Backoff()
        self._lock = anyio.Lock()
        self._head: Applied | None = None

    async def archive(self, wanted: Mapping[str, int | None]) -> Outcome:
        """Archive these orders, each at least through the commit that is given; None: through the log's end as it is read here.

        When it returns, `Outcome.through` is durable. Calling it again with the same orders archives nothing twice.

        Raises:
            ArchiveContended, ArchiveDamaged, PositionsAstray, StoreError: what was archived by then stays archived.
        """
        async with self._lock:
            await self._find_head()
            through: dict[str, int] = {}
            faults: dict[str, Exception] = {}
            left, commits, lost = dict(wanted), 0, 0
            while left:
                known = await self._positions.get(list(left))
                batch = await collect(self._log, left, known, self._limits)
                for stream, fault in batch.faults.items():
                    self._observer.order_refused(cause=type(fault).__name__)
                    faults[stream] = fault
                    del left[stream]
                if batch.commits and not await self._store(batch):
                    lost += 1
                    await self._lost(lost)
                    continue
                lost, commits = 0, commits + len(batch.commits)
                for stream, number in batch.complete.items():
                    through[stream] = number
                    del left[stream]
            return Outcome(through, faults, commits)

    async def bring_positions_up(self) -> Applied:
        """Apply every manifest that is not applied yet, and say which was the last."""
        async with self._lock:
            await self._find_head()
            return await self._follow()

    async def _lost(self, rounds: int) -> None:
        self._observer.conflicted()
        if rounds >= self._limits.rounds_max:
            raise ArchiveContended(f"other archivers were first {rounds} times in a row; try again")
        await anyio.sleep(self._backoff.sleep_s(rounds, self._random))

    async def _find_head(self) -> None:
        if self._head is not None:
            return
        applied = await self._positions.applied()
        if applied is not None:
            content = await self._objects.get(manifest_key(applied.manifest))
            if content is None or manifests.digest(content) != applied.sha256:
                raise PositionsAstray(
                    f"the table of positions has applied manifest {applied.manifest}, and the bucket holds "
                    f"{'none of that number' if content is None else 'another one'}: it is another bucket, or a damaged one "
                    "(`orderstore archive verify`); nothing was archived"
                )
        self._head = applied or NOTHING
        await self._follow()

    async def _follow(self) -> Applied:
        """Apply the manifests that others have stored."""
        head = self._head or NOTHING
        while (content := await self._objects.get(manifest_key(head.manifest + 1))) is not None:
            number = head.manifest + 1
            try:
                manifest = manifests.parse(content, number=number)
            except BadManifest as error:
                raise ArchiveDamaged(Fault(kind="unreadable_manifest", manifest=number, detail=str(error))) from error
            if manifest.previous != head.sha256:
                detail = f"manifest {number} follows another one than the one that lies before it"
                raise ArchiveDamaged(Fault(kind="altered_manifest", manifest=head.manifest, detail=detail))
            head = await self._apply(manifest, content)
        return head

    async def _apply(self, manifest: Manifest, content: bytes) -> Applied:
        await self._positions.advance(
            {span.stream: Position(span.last, bytes.fromhex(span.hash), manifest.number) for span in manifest.orders}
        )
        applied = Applied(manifest.number, manifests.digest(content))
        await self._positions.mark_applied(applied)
        self._head = applied
        return applied

    async def _store(self, batch: Batch) -> bool:
        """Whether the batch is in the archive: by this writer, under the next number."""
        head = self._head or NOTHING
        segment = pack(batch.lines)
        await self._store_segment(segment, head.manifest + 1)
        manifest = manifest_of(
            batch.commits,
            segment,
            number=head.manifest + 1,
            previous=head.sha256,
            archived_at_ms=self._now_ms(),
        )
        content = manifests.encode(manifest)
        if not await self._objects.put_new(manifest_key(manifest.number), content):
            stored = await self._objects.get(manifest_key(manifest.number))
            if stored != content:  # equal: a try of ours whose answer was lost, or a twin with the same commits
                await self._follow()
                return False
        await self._apply(manifest, content)
        self._observer.archived(
            commits=len(batch.commits), raw_bytes=segment.raw_bytes, segment_bytes=len(segment.content)
        )
        return True

    async def _store_segment(self, segment: Segment, number: int) -> None:
        if await self._objects.put_new(segment.key, segment.content):
            return
        # Its key is its content: what is there is an orphan of somebody who made the same, or it is damaged.
        if await self._objects.get(segment.key) != segment.content:
            detail = f"the object {segment.key} is not what its key says; remove it"
            raise ArchiveDamaged(Fault(kind="altered_segment", manifest=number, detail=detail))
