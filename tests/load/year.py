"""The real year of orders (Online Retail), imported by the operator's own command while the workers are stopped; then everything drains.
In batches, if that is asked: the emulator looks through all that waits for each message that it hands out.

Goods on the shelves are exactly those that the year sells. After the drain the file is imported a second time: nothing of it may be made
twice.
"""

from collections import Counter
from collections.abc import Iterable
from decimal import Decimal
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import anyio

from deploy.local.environment import Environment
from orderstore.domain.events import OrderCreated, RefundIssued
from orderstore.domain.money import round_to_minor
from tests.benchmarks.real_orders import WHOLE_FILE
from tests.e2e.chaos.reckoning import Books
from tests.e2e.programs import orderstore
from tests.load.asked import Asked, Unable
from tests.load.draining import drained, published
from tests.load.limits import judge_intake, judge_processes
from tests.load.reckoned import reckon
from tests.load.report import Report
from tests.load.stage import WORKERS_SEAT, Stage, on_stage
from workers.import_door import CURRENCY
from workers.intake.online_retail.model import Sale
from workers.intake.online_retail.staging import stage as staged_file

BESIDE: Final = 1_000
"""So many sales at most are imported while the workers run, to hold the speed of the others against."""
COMMAND_S_MAX: Final = 4 * 3_600.0


async def run(emulator: Environment, folder: Path, report: Report, asked: Asked) -> None:
    """See `Scenario`."""
    file = asked.data or WHOLE_FILE
    if not file.is_file():
        raise Unable(
            f"the real orders are not at {file}; nothing was run. They are the data set Online Retail "
            "(https://doi.org/10.24432/C5BW33) as CSV, plain or gzipped: python -m tests.load year --data FILE"
        )
    sold = await anyio.to_thread.run_sync(partial(read_sales, file, asked.orders))
    async with on_stage(emulator, folder, report, stocked=sold["pieces"], receipt="year") as stage:
        await _run(stage, report, file=file, sold=sold, batch=asked.batch or sold["orders"])
    judge_processes(report)


def read_sales(file: Path, limit: int | None) -> dict[str, Any]:
    """What the first so many sales of the file come to, read without the service."""
    with staged_file(file) as staged:
        return summed(staged.sales(limit))


def summed(sales: Iterable[Sale]) -> dict[str, Any]:
    """What they come to."""
    pieces: Counter[str] = Counter()
    minor, exact, orders, lines = 0, Decimal(0), 0, 0
    for sale in sales:
        orders += 1
        lines += len(sale.lines)
        exact += sale.total
        minor += round_to_minor(sale.total, CURRENCY)
        for line in sale.lines:
            pieces[line.sku] += line.quantity
    return {"orders": orders, "lines": lines, "exact": exact, "minor": minor, "pieces": pieces}


async def _run(stage: Stage, report: Report, *, file: Path, sold: dict[str, Any], batch: int) -> None:
    figures = report.figures
    figures["the file"] = {name: sold[name] for name in ("orders", "lines", "minor")}
    beside = min(BESIDE, sold["orders"] // 4)
    limits = limits_of(sold["orders"], beside=beside, batch=batch)
    await _import(stage, file, beside)
    await drained(stage)
    drain_s, most = 0.0, 0
    for limit in limits:
        await stage.stop(WORKERS_SEAT)
        imported = await _import(stage, file, limit)
        held = await published(stage)
        most = max(most, sum(held.waiting.values()))
        stage.tell(f"imported: {imported['imported']}; there wait: {held}")
        await stage.start(WORKERS_SEAT)
        began = anyio.current_time()
        await drained(stage)
        drain_s += anyio.current_time() - began
    again = await _import(stage, file, sold["orders"])
    assert again["imported"]["orders_new"] == 0, f"the second import made orders twice: {again['imported']}"
    await drained(stage)
    figures["imported, workers stopped"] = imported["imported"]
    figures["imported again, after the drain"] = again["imported"]
    figures["the drain"] = {
        "orders": sold["orders"] - beside,
        "batches": len(limits),
        "seconds": drain_s,
        "orders/s": (sold["orders"] - beside) / drain_s,
        "most messages that waited": most,
        "oldest message s": await stage.ages_s(),
    }
    books = await reckon(stage, report, stocked=sold["pieces"], mail="suppressed")
    check_totals(books, sold)
    (running, running_s), (stopped, stopped_s) = rates(books, beside, limits)
    figures["accepted/s"] = {"workers running": running, "workers stopped": stopped}
    figures["money"] = {"sold, minor units": sold["minor"], "given back, minor units": given_back(books)}
    judge_intake(report, stopped_per_s=stopped, running_per_s=running, lasted_s=min(stopped_s, running_s))


def limits_of(orders: int, *, beside: int, batch: int) -> tuple[int, ...]:
    """Up to which sale each import goes, after the first ones."""
    return (*range(beside + batch, orders, batch), orders)


async def _import(stage: Stage, file: Path, count: int) -> dict[str, Any]:
    """`orderstore import online-retail`, as an operator runs it; what it says."""
    stage.tell(f"import of {count:,} sales")
    command = ("import", "online-retail", str(file), "--limit", str(count), "--json")
    run = partial(orderstore, *command, cwd=stage.folder, variables=stage.settings, within_s=COMMAND_S_MAX)
    finished = await anyio.to_thread.run_sync(run)
    assert finished.code == 0, f"the import ended with {finished.code}: {finished.err[-2_000:]}"
    document: dict[str, Any] = finished.document
    assert document["imported"]["orders_refused"] == 0, f"sales were refused: {document['imported']}"
    return document


def check_totals(books: Books, sold: dict[str, Any]) -> None:
    """What the log sold is what the file sold: orders, lines, and every penny."""
    created = [books.histories[order_id].events[0].event for order_id in books.histories]
    assert all(isinstance(event, OrderCreated) for event in created)
    states = [books.state(order_id).order for order_id in books.histories]
    found = {
        "orders": len(states),
        "lines": sum(len(order.lines) for order in states),
        "minor": sum(order.total_minor for order in states),
    }
    assert found == {name: sold[name] for name in found}, f"the log has {found}, the file {sold}"


def given_back(books: Books) -> int:
    """What was refunded, in minor units."""
    return sum(
        recorded.event.amount_minor
        for history in books.histories.values()
        for recorded in history.events
        if isinstance(recorded.event, RefundIssued)
    )


def rates(books: Books, beside: int, limits: tuple[int, ...]) -> tuple[tuple[float, float], tuple[float, float]]:
    """Of the first so many sales, and of the batches after them: accepted each second, in how many seconds, by when they were recorded."""
    moments = sorted(history.events[0].recorded_at_ms for history in books.histories.values())
    batches = [rate_of(moments[begin:end]) for begin, end in pairwise((beside, *limits)) if end - begin > 1]
    lasted_s = sum(batch_s for _, batch_s in batches)
    return rate_of(moments[:beside]), (sum(per_s * batch_s for per_s, batch_s in batches) / lasted_s, lasted_s)


def rate_of(moments_ms: list[int]) -> tuple[float, float]:
    """Moments each second, and the seconds. Raises ValueError where they are one moment."""
    if len(moments_ms) < 2 or moments_ms[0] == moments_ms[-1]:
        raise ValueError("a rate needs two moments")
    lasted_s = (moments_ms[-1] - moments_ms[0]) / 1_000
    return (len(moments_ms) - 1) / lasted_s, lasted_s
