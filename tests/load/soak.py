"""Twenty minutes at a steady rate, while roles are killed and asked to stop: nothing is lost, nothing is given up, and nothing grows."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Final

import anyio

from deploy.local.environment import Environment
from tests.e2e.chaos.customers import GOODS, SCARCE, Shop, draw_wishes, keep_ordering
from tests.e2e.chaos.fleet import Seat, small_fleet
from tests.e2e.chaos.plan import Blow, carry_out, draw_plan
from tests.load.asked import Asked
from tests.load.draining import drained
from tests.load.limits import judge_processes, judge_standing
from tests.load.reckoned import reckon
from tests.load.report import Report
from tests.load.stage import LOAD_NUMBERS, Stage, on_stage

PIECES: Final = 1_000_000
STOCKED: Final = {**dict.fromkeys(GOODS, PIECES), SCARCE: 100}
SPARED: Final = "-1"
"""Of each pair one is never hit, so that what grows over the whole time shows."""
BLOWS: Final = {Blow.KILL: 1, Blow.TERM: 1}
HITS_PER_MINUTE: Final = 1.5
FIRST_S: Final = 20.0
SOAK_NUMBERS: Final[Mapping[str, str]] = {
    **LOAD_NUMBERS,
    "ORDERSTORE_VISIBILITY_TIMEOUT_S": "60",
    "ORDERSTORE_HANDLER_DEADLINE_S": "10",
    "ORDERSTORE_DRAIN_BUDGET_S": "20",
    "ORDERSTORE_STOP_TIMEOUT_S": "30",
}


async def run(emulator: Environment, folder: Path, report: Report, asked: Asked) -> None:
    """See `Scenario`. `orders`: in all; else two a second."""
    async with on_stage(
        emulator,
        folder,
        report,
        stocked=STOCKED,
        receipt=f"soak-{asked.seed}",
        seats=small_fleet(),
        numbers=SOAK_NUMBERS,
    ) as stage:
        await _run(stage, report, asked)
    judge_processes(report)
    judge_standing(report)


def hit_seats() -> tuple[Seat, ...]:
    """Who is hit: the door, and one of each pair."""
    return tuple(seat for seat in small_fleet() if not seat.name.endswith(SPARED))


async def _run(stage: Stage, report: Report, asked: Asked) -> None:
    lasts_s = asked.minutes * 60
    count = asked.orders or int(lasts_s * asked.per_s)
    plan = draw_plan(
        asked.seed,
        hit_seats(),
        hits=max(1, int(asked.minutes * HITS_PER_MINUTE)),
        first_s=min(FIRST_S, lasts_s / 4),
        last_s=lasts_s * 0.9,
        blows=BLOWS,
    )
    shop = Shop(stage.fleet.api_url, stage.emulator.api_token, stage.fleet.story)
    stage.sampler.accepted = lambda: len(shop.accepted)
    stage.tell(f"{count:,} orders in {asked.minutes:g} minutes, {len(plan)} blows")
    report.figures["asked for"] = {"orders": count, "orders/s": count / lasts_s, "blows": len(plan)}
    began = anyio.current_time()
    async with anyio.create_task_group() as group:
        group.start_soon(partial(keep_ordering, shop, draw_wishes(asked.seed, count), per_s=count / lasts_s))
        group.start_soon(carry_out, plan, stage.fleet, name="blows")
    report.figures["ordering"] = {
        "seconds": anyio.current_time() - began,
        "accepted": len(shop.accepted),
        "requests repeated": shop.repeats,
        "restarts": sum(member.starts - 1 for member in stage.fleet.members.values()),
    }
    stage.tell(f"the last customer has left: {report.figures['ordering']}")
    report.figures["drained after s"] = await drained(stage)
    report.figures["oldest message s"] = await stage.ages_s()
    await reckon(stage, report, stocked=STOCKED, shop=shop)
    report.figures["slowest end after SIGTERM s"] = max(stage.fleet.drains_s, default=0.0)
