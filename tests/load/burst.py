"""10,000 orders at once while every worker is stopped (E036): intake goes on as before, and then everything drains."""

from functools import partial
from pathlib import Path
from typing import Final

import anyio

from deploy.local.environment import Environment
from tests.e2e.chaos.customers import GOODS, SCARCE
from tests.load.asked import Asked
from tests.load.customers import Took, draw_orders
from tests.load.draining import drained, published
from tests.load.figures import ratio
from tests.load.limits import judge_intake, judge_processes
from tests.load.reckoned import reckon, shop_of
from tests.load.report import Report
from tests.load.stage import WORKERS_SEAT, Stage, on_stage

ORDERS: Final = 10_000
PIECES: Final = 1_000_000
STOCKED: Final = {**dict.fromkeys(GOODS, PIECES), SCARCE: 100}
WARM_UP: Final = 30
IDLE: Final = 150
AT_ONCE: Final = 200
BESIDE_SHARE: Final = 50
"""One in so many orders is placed while workers run, before the burst and during the drain."""


async def run(emulator: Environment, folder: Path, report: Report, asked: Asked) -> None:
    """See `Scenario`."""
    async with on_stage(emulator, folder, report, stocked=STOCKED, receipt=f"burst-{asked.seed}") as stage:
        await _run(stage, report, seed=asked.seed, orders=asked.orders or ORDERS)
    judge_processes(report)


async def _run(stage: Stage, report: Report, *, seed: int, orders: int) -> None:
    door, figures = stage.door, report.figures
    take = partial(_take, stage, seed)
    await take("warm-up", WARM_UP, at_once=1)
    await drained(stage)
    idle = await take("idle", IDLE, at_once=1)
    beside = max(100, orders // BESIDE_SHARE)
    figures["accepting, one at a time, all else idle"] = idle.figures()
    running = await take("running", beside, at_once=AT_ONCE)
    figures["accepting, workers running"] = running.figures()
    await drained(stage)
    await stage.stop(WORKERS_SEAT)
    stopped = await take("burst", orders, at_once=AT_ONCE)
    figures["accepting, workers stopped"] = stopped.figures()
    held = await published(stage)
    stage.tell(f"{orders:,} orders taken at {stopped.per_s:.0f}/s; there wait: {held}")
    before = len(door.accepted)
    await stage.start(WORKERS_SEAT)
    began = anyio.current_time()
    draining = await take("draining", beside, at_once=8)
    figures["accepting, while the burst is drained (8 at once)"] = draining.figures()
    await drained(stage)
    drain_s = anyio.current_time() - began
    left = orders + beside
    figures["the drain"] = {
        "orders": left,
        "seconds": drain_s,
        "orders/s": left / drain_s,
        "most that waited": held.waiting,
        "oldest message s": await stage.ages_s(),
    }
    figures["ratios"] = {
        "accept p50, burst / idle": _of(stopped, idle, "p50 ms"),
        "accept p99, burst / idle": _of(stopped, idle, "p99 ms"),
        "accept p50, draining / idle": _of(draining, idle, "p50 ms"),
        "accept p99, draining / idle": _of(draining, idle, "p99 ms"),
    }
    books = await reckon(stage, report, stocked=STOCKED, shop=shop_of(stage))
    judge_intake(
        report,
        stopped_per_s=stopped.per_s,
        running_per_s=running.per_s,
        lasted_s=min(stopped.seconds, running.seconds),
    )
    report.judge("orders accepted and kept", len(books.histories), at_least=before + beside)


async def _take(stage: Stage, seed: int, name: str, count: int, *, at_once: int) -> Took:
    stage.tell(f"{name}: {count:,} orders, {at_once} at once")
    return await stage.door.take(draw_orders(seed, name, count), at_once=at_once)


def _of(ours: Took, idle: Took, name: str) -> float:
    return ratio(float(ours.figures()[name]), float(idle.figures()[name]))
