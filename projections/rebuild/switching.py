"""Which generation readers use, and taking away the one that nobody needs any more.

A switch is one conditional write. Both generations are written before and after it, so it can be taken back, at any time until the former
one is discarded. Discarding takes the name away first; then everybody is given the time to hear of it, projectors who write and readers
who read; and only then are the documents deleted. Should a projector have been asleep for longer than that, what it writes to a generation
that is gone is read by nobody: no number is ever given twice.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Final

import anyio

from projections.batches import first_error
from projections.rebuild.book import RebuildBook
from projections.rebuild.errors import NotNow, TakenOver
from projections.rebuild.filling import Patience
from projections.rebuild.keeper import Keeper, claim, free
from projections.rebuild.metering import UnitLimiter
from projections.rebuild.state import Rebuild, switched, without
from projections.view_store import ViewStore
from projections.views.view import Generation, Generations

DELETED_AT_ONCE: Final = 100
# Readers keep a generation for a second, and for a minute when the table does not answer (`projections/answers/current_generations.py`).
READERS_FORGET_S: Final = 61.0


async def switch(
    views: ViewStore,
    book: RebuildBook,
    view: str,
    *,
    to: int,
    now_ms: Callable[[], int],
    accept_missing: bool = False,
    waiting: Callable[[str], None] = lambda _: None,
) -> Rebuild:
    """Have readers use generation `to`: the one that was built and found good, or the former one again. Twice is once.

    Raises AnotherRuns, NotNow, ViewStoreError; readers use what they used then.
    """
    row = await free(book, view, waiting=waiting)
    generations = (await views.generations([view]))[view]
    if row is None or to not in generations.written:
        there = ", ".join(str(number) for number in generations.written)
        raise NotNow(f"{view}: generation {to} is none that readers could use; there are: {there}")
    if to == generations.building:
        _check_good(view, row, accept_missing=accept_missing)
    if to != generations.current:
        after = switched(generations, to)
        if not await views.change_generations(view, before=generations, after=after):
            raise NotNow(
                f"{view}: its generations were changed by somebody else just now; nothing was done; look, and start again"
            )
    if row.state == "switched":
        return row
    changed = replace(row, state="switched", changed_at_ms=now_ms(), version=row.version + 1)
    if not await book.replace(row, changed):
        raise NotNow(
            f"{view}: readers use generation {to} now; the rebuild's row was changed by somebody else: `orderstore views ls`"
        )
    return changed


def _check_good(view: str, row: Rebuild, *, accept_missing: bool) -> None:
    if row.state != "ready" or row.verdict is None:
        raise NotNow(
            f"{view}: generation {row.generation} is not filled and compared yet; `orderstore views rebuild {view}` does that"
        )
    if not row.verdict.may_switch and not accept_missing:
        raise NotNow(
            f"{view}: readers would lose documents by the switch ({row.verdict.blocking}); `orderstore views ls {view}` names them. "
            "Mend the orders and go on with `orderstore views rebuild`, or say --accept-missing"
        )


async def discard(
    views: ViewStore,
    book: RebuildBook,
    view: str,
    *,
    owner: str,
    now_ms: Callable[[], int],
    settle_s: float,
    write_units: float | None = None,
    readers_forget_s: float = READERS_FORGET_S,
    progress: Callable[[int, int], None] = lambda _generation, _deleted: None,
    waiting: Callable[[str], None] = lambda _: None,
) -> int:
    """Take away the generation that readers do not use: the former one, or one whose rebuild is given up. Returns how many documents and
    totals were deleted; to be run again when it was interrupted, or to be sure.

    Raises AnotherRuns, NotNow, ViewStoreError.
    """
    generations = (await views.generations([view]))[view]

    def begun(row: Rebuild | None) -> Rebuild:
        number = _unused(view, generations, row)
        if row is None:  # somebody has announced it and nothing else
            return Rebuild(
                view=view,
                generation=number,
                state="discarding",
                discarding=number,
                started_at_ms=now_ms(),
                changed_at_ms=now_ms(),
            )
        return replace(row, state="discarding", discarding=number, generation=max(row.generation, number))

    keeper = await claim(book, view, owner=owner, now_ms=now_ms, begin=begun, waiting=waiting)
    number = keeper.row.discarding or 0
    deleted = 0
    limiter = UnitLimiter(write_units)

    def counted(count: int) -> None:
        nonlocal deleted
        deleted += count
        progress(number, deleted)

    async def work() -> None:
        generations = (await views.generations([view]))[view]
        settle = settle_s
        if number in generations.written:
            if number == generations.former:
                settle = max(settle, readers_forget_s)
            if not await views.change_generations(view, before=generations, after=without(generations, number)):
                raise NotNow(f"{view}: its generations were changed by somebody else just now; look, and start again")
        await anyio.sleep(settle)
        of = Generation(view, number)
        await _delete_all(views.keys(of.prefix), views.delete, limiter, counted)
        await _delete_all(views.sum_keys(of.sums_prefix), views.delete_totals, limiter, counted)

    await _kept(keeper, work)
    return deleted


def _unused(view: str, generations: Generations, row: Rebuild | None) -> int:
    if row is not None and row.state == "discarding" and row.discarding is not None:
        return row.discarding
    number = generations.former or generations.building
    if number is None and row is not None and row.state == "discarded":
        number = row.discarding
    if number is None:
        raise NotNow(
            f"{view}: there is nothing to discard; readers use generation {generations.current}, and there is no other"
        )
    return number


async def _kept(keeper: Keeper, work: Callable[[], Awaitable[None]]) -> None:
    """Do it while the row is kept."""
    try:
        with first_error():
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(keeper.keep, name="keep the row")
                await work()
                tasks.cancel_scope.cancel()
    except TakenOver:
        raise
    except BaseException:
        await keeper.let_go(keeper.row)
        raise
    await keeper.let_go(replace(keeper.row, state="discarded"))


async def _delete_all(
    names: AsyncIterator[str],
    delete: Callable[[Sequence[str]], Awaitable[None]],
    limiter: UnitLimiter,
    counted: Callable[[int], None],
) -> None:
    batch: list[str] = []

    async def flush() -> None:
        await limiter.spend(2.0 * len(batch))  # each also leaves the index
        await Patience().over(lambda: delete(batch))
        counted(len(batch))
        batch.clear()

    async with aclosing(names) as found:  # type: ignore[type-var]  # every store's are generators
        async for name in found:
            batch.append(name)
            if len(batch) >= DELETED_AT_ONCE:
                await flush()
    if batch:
        await flush()
