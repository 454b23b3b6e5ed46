"""One article that everybody wants, and half as much of it: sold is what there was, and the rest fail in good order."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import anyio

from deploy.local.environment import Environment
from orderstore.domain.state import Cancelled, Completed
from tests.e2e.chaos.customers import GOODS, Wish
from tests.e2e.chaos.reckoning import Books
from tests.load.asked import Asked
from tests.load.draining import drained
from tests.load.figures import quantile
from tests.load.limits import judge_processes
from tests.load.pages import counters
from tests.load.reckoned import reckon, shop_of
from tests.load.report import Report
from tests.load.stage import WORKERS_SEAT, Stage, on_stage

ORDERS: Final = 2_000
AT_ONCE: Final = 400
HOT: Final = "GLOBE-004"
COUNTED: Final = (
    "orderstore_reservations_total",
    "orderstore_append_conflicts_total",
    "orderstore_queue_redelivered_total",
    "orderstore_messages_handled_total",
    "orderstore_visibility_lost_total",
)


async def run(emulator: Environment, folder: Path, report: Report, asked: Asked) -> None:
    """See `Scenario`."""
    orders = asked.orders or ORDERS
    stocked = {HOT: orders // 2, GOODS[0]: 10 * orders}
    async with on_stage(emulator, folder, report, stocked=stocked, receipt=f"hot-{asked.seed}") as stage:
        await _run(stage, report, seed=asked.seed, orders=orders, stocked=stocked)
    judge_processes(report)


async def _run(stage: Stage, report: Report, *, seed: int, orders: int, stocked: Mapping[str, int]) -> None:
    stage.tell(f"{orders:,} orders of {HOT}, of which there are {stocked[HOT]:,}")
    began = anyio.current_time()
    took = await stage.door.take(wishes(seed, orders), at_once=AT_ONCE)
    report.figures["accepting"] = took.figures()
    await drained(stage)
    report.figures["all of it"] = {
        "seconds": anyio.current_time() - began,
        "orders/s": orders / (anyio.current_time() - began),
        "oldest message s": await stage.ages_s(),
    }
    report.figures["counted by the workers"] = await counters(stage, WORKERS_SEAT, COUNTED)
    books = await reckon(stage, report, stocked=stocked, shop=shop_of(stage))
    check_sold(books, pieces=stocked[HOT])
    waits = answered_after_s(books)
    report.figures["seconds from an order to the answer of the stock"] = {
        "p50": quantile(waits, 0.5),
        "p99": quantile(waits, 0.99),
        "most": max(waits),
    }
    report.judge("pieces sold of those there were", sold(books) / stocked[HOT], at_least=1.0, at_most=1.0)


def wishes(seed: int, count: int) -> list[Wish]:
    """One piece each, so that stock and orders come out even."""
    return [
        Wish(
            number=number,
            key=f"hot-{seed}-{number}",
            wants="scarce goods",
            sku=HOT,
            quantity=1,
            copies=1,
            again=False,
            later_s=0.0,
        )
        for number in range(count)
    ]


def sold(books: Books) -> int:
    """How many orders got their piece."""
    return sum(isinstance(books.state(order_id), Completed) for order_id in books.histories)


def check_sold(books: Books, *, pieces: int) -> None:
    """As many completed as there were pieces, and all others were told that there is none, and have their money."""
    reasons = Counter(
        state.reason for order_id in books.histories if isinstance(state := books.state(order_id), Cancelled)
    )
    assert sold(books) == pieces, f"{sold(books)} were sold of {pieces}"
    assert reasons == {"inventory_failed": len(books.histories) - pieces}, f"cancelled for {reasons}"


def answered_after_s(books: Books) -> list[float]:
    """How long each order waited for the stock's answer: who starves waits longest."""
    found = []
    for history in books.histories.values():
        at_ms: dict[str, Any] = {recorded.name: recorded.recorded_at_ms for recorded in history.events}
        answered_ms = at_ms.get("InventoryReserved", at_ms.get("InventoryFailed"))
        assert answered_ms is not None, f"the stock never answered: {list(at_ms)}"
        found.append((answered_ms - at_ms["OrderCreated"]) / 1_000)
    return found
