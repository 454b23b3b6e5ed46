"""A rebuild from beginning to end: announce, wait until every projector knows, fill, compare, and let readers switch.

Why nothing is lost. A projector asks which generations there are before it looks at what it is to apply, and takes no answer older than
TARGETS_KEPT_S. So a commit that it applies to the old generations alone was in the log before SETTLE_S were over, and the filling, which
begins after that, reads it there, consistently. Every other commit it writes itself. Each write is conditional on the commit that the
document stands at, so it does not matter who comes first.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

import anyio

from orderstore.objects import ObjectStore
from orderstore.store.port import EventStore
from projections.batches import first_error
from projections.projecting.targets import TARGETS_KEPT_S, Target
from projections.rebuild.book import RebuildBook
from projections.rebuild.comparing import Comparison
from projections.rebuild.errors import NotNow, TakenOver
from projections.rebuild.filling import Batch, Filler, FromArchive, FromLog, fill_segment
from projections.rebuild.keeper import Keeper, claim
from projections.rebuild.metering import Meter, UnitLimiter
from projections.rebuild.state import (
    Rebuild,
    Segment,
    Source,
    State,
    Trouble,
    Verdict,
    announced,
    next_generation,
)
from projections.rebuild.switching import switch
from projections.view_store import ViewStore
from projections.views.view import Generation, Generations, View

SETTLE_S: Final = 2 * TARGETS_KEPT_S + 1.0
SEGMENTS: Final = 4
SEGMENTS_MAX: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What an operator asks for. None: as it was begun, or the default. Units are per second."""

    source: Source | None = None
    segments: int | None = None
    read_units: float | None = None
    write_units: float | None = None
    switch: bool = True
    commits_expected: int | None = None

    def __post_init__(self) -> None:
        """Raises ValueError for what is no number of segments."""
        if self.segments is not None and not 1 <= self.segments <= SEGMENTS_MAX:
            raise ValueError(f"the log is read in 1 to {SEGMENTS_MAX} segments, not {self.segments}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilder:
    """Works on one view's rebuild at a time. `progress` is told of every step; `waiting` of an owner who may be dead."""

    log: EventStore
    views: ViewStore
    book: RebuildBook
    archive: ObjectStore
    owner: str
    now_ms: Callable[[], int]
    progress: Callable[[Rebuild], None] = lambda _: None
    waiting: Callable[[str], None] = lambda _: None
    settle_s: float = SETTLE_S

    async def run(self, view: View[Any], wanted: Wanted) -> Rebuild:
        """Begin a rebuild, or go on with the one that was left, up to the switch. What was done is kept, whatever ends it.

        Raises RebuildError, and what does not pass of StoreError, ViewStoreError, ArchiveDamaged.
        """
        meter = Meter(UnitLimiter(wanted.read_units), UnitLimiter(wanted.write_units))
        generations = await self._generations(view)
        keeper = await claim(
            self.book,
            view.name,
            owner=self.owner,
            now_ms=self.now_ms,
            begin=partial(self._begun, view, wanted, generations),
            waiting=self.waiting,
        )
        run = _Run(self, view, keeper, meter, before=keeper.row)
        try:
            with first_error():
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(keeper.keep, name=f"keep the row of {view.name}")
                    await run.stages()
                    tasks.cancel_scope.cancel()
        except TakenOver:
            raise
        except BaseException:
            await keeper.let_go(run.counted(replace(keeper.row, state="paused")))
            raise
        ready = await keeper.let_go(run.counted(replace(keeper.row, state="ready")))
        self.progress(ready)
        if wanted.switch and ready.verdict is not None and ready.verdict.may_switch:
            ready = await switch(self.views, self.book, view.name, to=ready.generation, now_ms=self.now_ms)
            self.progress(ready)
        return ready

    async def _generations(self, view: View[Any]) -> Generations:
        return (await self.views.generations([view.name]))[view.name]

    def _begun(self, view: View[Any], wanted: Wanted, generations: Generations, row: Rebuild | None) -> Rebuild:
        """The row to work on. Raises NotNow."""
        name = view.name
        if row is not None and row.state == "discarding":
            raise NotNow(
                f"{name}: generation {row.discarding} is being discarded; end that with `orderstore views discard {name}`"
            )
        # One that readers use already is finished, even if whoever switched died before he could write it down.
        if row is not None and row.unfinished and row.generation != generations.current:
            segments = len(row.log_segments or row.segments)
            if wanted.source not in (None, row.source) or wanted.segments not in (None, segments):
                raise NotNow(
                    f"{name}: the rebuild was begun from the {row.source} in {segments} segments, and goes on so; "
                    f"leave --from and --segments out, or throw it away with `orderstore views discard {name}`"
                )
            return replace(row, state="filling")
        if generations.former is not None:
            raise NotNow(
                f"{name}: generation {generations.former}, from before the last switch, is still kept; "
                f"`orderstore views discard {name}` first (or go back to it: `orderstore views switch {name} --to {generations.former}`)"
            )
        source = wanted.source or "log"
        of_log = (Segment(),) * (wanted.segments or SEGMENTS)
        return Rebuild(
            view=name,
            generation=generations.building or next_generation(generations, row),
            source=source,
            state="filling",
            segments=of_log if source == "log" else (Segment(),),
            log_segments=() if source == "log" else of_log,
            started_at_ms=self.now_ms(),
            changed_at_ms=self.now_ms(),
            commits_expected=wanted.commits_expected if source == "log" else None,
            version=0 if row is None else row.version,
        )


@dataclass(slots=True)
class _Run:
    """One stretch of work on a row."""

    rebuilder: Rebuilder
    view: View[Any]
    keeper: Keeper
    meter: Meter
    before: Rebuild
    """The row as this stretch found it."""

    def counted(self, row: Rebuild) -> Rebuild:
        """The row with what this stretch has consumed added to what it found."""
        return replace(
            row,
            documents=self.before.documents + self.meter.documents,
            read_units=self.before.read_units + self.meter.reads.spent,
            write_units=self.before.write_units + self.meter.writes.spent,
        )

    def note(self, row: Rebuild) -> None:
        """The row is so now."""
        self.keeper.change(self.counted(row))
        self.rebuilder.progress(self.keeper.row)

    async def stages(self) -> None:
        """Everything up to the verdict."""
        target = self._target(self.keeper.row.generation)
        await self._announce()
        filler = Filler(self.rebuilder.log, self.rebuilder.views, target, self.meter, troubled=self._troubled)
        await self._fill(filler)
        self._state("comparing")
        await self.keeper.save()
        live = (await self._generations()).current
        comparison = Comparison(
            self.rebuilder.log,
            self.rebuilder.views,
            self._target(live),
            target,
            filler,
            self.meter,
            progress=self._compared,
        )
        self._compared(await comparison.run())

    async def _announce(self) -> None:
        """Every projector is to write the generation, and has had the time to hear of it."""
        number = self.keeper.row.generation
        generations = await self._generations()
        if generations.current == number:
            raise NotNow(f"{self.view.name}: readers use generation {number} already")
        if generations.building is None:
            after = announced(generations, number)
            if not await self.rebuilder.views.change_generations(self.view.name, before=generations, after=after):
                raise NotNow(
                    f"{self.view.name}: its generations were changed by somebody else just now; look, and start again"
                )
            # Whatever was read while nobody wrote this generation is read again: nothing may rest on a time when it was not announced.
            row = self.keeper.row
            afresh, log_afresh = (Segment(),) * len(row.segments), (Segment(),) * len(row.log_segments)
            self.note(replace(row, settled=False, segments=afresh, log_segments=log_afresh))
        elif generations.building != number:
            raise NotNow(
                f"{self.view.name}: generation {generations.building} is being filled, and not by this rebuild"
            )
        if not self.keeper.row.settled:
            await self.keeper.save()
            await anyio.sleep(self.rebuilder.settle_s)
            self.note(replace(self.keeper.row, settled=True))

    async def _fill(self, filler: Filler) -> None:
        """The source into the generation. The archive ends somewhere, and the live documents may lack even more: the log, which is the
        measure, is read after it."""
        row = self.keeper.row
        log = self.rebuilder.log
        if row.source == "log":
            await self._fill_from(FromLog(log, len(row.segments), self.meter), row.segments, filler.fill, self._moved)
            return
        await self._fill_from(FromArchive(self.rebuilder.archive), row.segments, filler.fill, self._moved)
        source = FromLog(log, len(row.log_segments), self.meter)
        await self._fill_from(source, row.log_segments, filler.bring_up_what_is_behind, self._moved_in_log)

    async def _fill_from(
        self,
        source: FromLog | FromArchive,
        segments: Sequence[Segment],
        fold: Callable[[Batch], Awaitable[None]],
        moved: Callable[[int, Segment], None],
    ) -> None:
        async with anyio.create_task_group() as tasks:
            for number, segment in enumerate(segments):
                work = partial(fill_segment, source, number, segment, fold, moved=partial(moved, number))
                tasks.start_soon(work, name=f"fill {self.view.name}, segment {number}")

    def _moved(self, number: int, segment: Segment) -> None:
        self.note(self.keeper.row.with_segment(number, segment))

    def _moved_in_log(self, number: int, segment: Segment) -> None:
        self.note(self.keeper.row.with_log_segment(number, segment))

    def _troubled(self, trouble: Trouble) -> None:
        self.note(self.keeper.row.with_trouble(trouble))

    def _compared(self, verdict: Verdict) -> None:
        self.note(replace(self.keeper.row, verdict=verdict))

    def _state(self, state: State) -> None:
        self.note(replace(self.keeper.row, state=state))

    def _target(self, number: int) -> Target:
        return Target(self.view, Generation(self.view.name, number), served=False)

    async def _generations(self) -> Generations:
        return (await self.rebuilder.views.generations([self.view.name]))[self.view.name]
