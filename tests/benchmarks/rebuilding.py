"""A view rebuilt from the log, filled and compared, at two sizes of the log: as fast an order in the larger one, and in no more memory."""

import gc
import tracemalloc
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from statistics import median
from time import perf_counter, process_time
from typing import Final

from orderstore.objects import MemoryObjectStore
from projections.batches import for_each_batch
from projections.projecting.projector import ViewProjector
from projections.projecting.targets import Target
from projections.rebuild.book import MemoryRebuildBook
from projections.rebuild.runner import Rebuilder, Wanted
from projections.views import order_status
from projections.views.view import Generation, Generations
from tests.benchmarks.logs import Backend, fill, renamed, small
from tests.benchmarks.measures import Result
from tests.benchmarks.real_orders import Histories

LINEAR_MIN: Final = 0.8
FLAT_MAX: Final = 1.25
VIEW: Final = order_status.VIEW
LIVE, NEXT = Generation(VIEW.name, 1), Generation(VIEW.name, 2)
ORDERS_AT_ONCE: Final = 100


async def rebuild(log: Backend, all_histories: Histories, *, sizes: tuple[int, int], rounds: int) -> list[Result]:
    """Each order costs the same in a log of so many and of so many more. The clock of the ratio is this process's own time: the emulator's
    scans and queries take longer in a larger table, whoever asks."""
    histories = small(all_histories)
    processor: list[float] = []
    wall: list[float] = []
    peaks: list[float] = []
    filled: list[str] = []
    for size in sizes:
        filled += await _more_orders(log, histories, start=len(filled), count=size - len(filled))
        times = []
        for _ in range(rounds):
            started, ours = perf_counter(), process_time()
            await _rebuilt(log, orders=size)
            times.append((size / (perf_counter() - started), size / (process_time() - ours)))
            await _discarded(log)
        wall.append(median(rate for rate, _ in times))
        processor.append(median(rate for _, rate in times))
        peaks.append(await _peak(partial(_again_and_again, log, orders=size, times=max(sizes) // size)))
    few, many = sizes
    return [
        Result(
            name=f"rebuild, orders/s at {few}, told by the wall clock",
            value=wall[0],
            note=f"at {many}: {wall[1]:.0f}/s; view {VIEW.name}, filled from the log in 4 segments and compared; {rounds} rounds",
        ),
        Result(
            name=f"  orders/s of our processor time, at {many} / at {few}",
            value=processor[1] / processor[0],
            floor=LINEAR_MIN,
            note=f"{processor[1]:.0f}/s against {processor[0]:.0f}/s",
        ),
        Result(
            name=f"  peak memory, at {many} / at {few}",
            value=peaks[1] / peaks[0],
            floor=FLAT_MAX,
            at_most=True,
            note=(
                f"peaks of {peaks[1] / 1e6:.1f} MB in one and {peaks[0] / 1e6:.1f} MB in {many // few} rebuilds after each other: "
                "as many orders in both"
            ),
        ),
    ]


async def _more_orders(log: Backend, histories: Histories, *, start: int, count: int) -> list[str]:
    """Real orders under other ids, in the log and in the live generation."""
    streams = []
    projector = ViewProjector(log.store, log.views, [Target(VIEW, LIVE)])
    for first in range(start, start + count, ORDERS_AT_ONCE):
        numbers = range(first, min(first + ORDERS_AT_ONCE, start + count))
        copies = [renamed(histories[number % len(histories)], f"rb{number:08d}") for number in numbers]
        await fill(log, [commit for copy in copies for commit in copy])
        brought = [copy[0].stream for copy in copies]
        await projector.repair(brought, since_ms=0)
        streams += brought
    return streams


async def _rebuilt(log: Backend, *, orders: int) -> None:
    rebuilder = Rebuilder(
        log=log.store,
        views=log.views,
        book=MemoryRebuildBook(),
        archive=MemoryObjectStore(),
        owner="benchmark",
        now_ms=lambda: 1_780_000_000_000,
        settle_s=0.0,  # no projector runs that would have to hear of it
    )
    done = await rebuilder.run(VIEW, Wanted(switch=False))
    assert done.verdict is not None
    assert done.verdict.may_switch, done.verdict
    assert done.documents >= orders, f"{done.documents} documents of {orders} orders"


async def _again_and_again(log: Backend, *, orders: int, times: int) -> None:
    """So many rebuilds one after the other. A peak is where pages that are parsed, orders that are decoded and writes under way meet:
    chance decides when, so whoever handles more orders sees a higher one, in whatever memory they go."""
    for _ in range(times):
        await _rebuilt(log, orders=orders)
        await _discarded(log)


async def _discarded(log: Backend) -> None:
    """The generation that was built is gone, as if it had never been."""

    async def delete(keys: Sequence[str]) -> None:
        await log.views.delete(keys)

    await for_each_batch(log.views.keys(NEXT.prefix), delete, batch_size=ORDERS_AT_ONCE)
    built = (await log.views.generations([VIEW.name]))[VIEW.name]
    assert await log.views.change_generations(VIEW.name, before=built, after=Generations())


async def _peak(work: Callable[[], Awaitable[None]]) -> float:
    gc.collect()
    tracemalloc.start()
    try:
        await work()
        return float(tracemalloc.get_traced_memory()[1])
    finally:
        tracemalloc.stop()
