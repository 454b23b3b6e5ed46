"""`business`: where orders stand, how the last days went, how long it took, what was sold."""

import json
from collections.abc import Mapping
from typing import Annotated, Any, Final

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from orderstore.domain.money import is_currency
from projections.answers.business_report import DAYS_MAX, DAYS_SHOWN, BusinessQueries
from projections.answers.orders import current_generations
from projections.answers.ports import Document
from projections.answers.sales import SalesQueries, TooMuchAsked
from workers.commands.running import DEFAULT_STATE_DIR, AsJson, StateDir, wide_console, with_core
from workers.core import Core, now_ms

_SOLD: Final = ("placed", "captured", "refunded", "invoiced", "credited", "cancelled", "rejected")
_MINUTE_S: Final = 60
_HOUR_S: Final = 3_600
_DAY_S: Final = 86_400


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(short_help="Orders by state and age, success rate, times, revenue and refunds.")(business)


def business(
    *,
    days: Annotated[int, typer.Option("--days", min=1, max=DAYS_MAX, help="How many days (UTC), today included.")] = (
        DAYS_SHOWN
    ),
    currencies: Annotated[
        list[str] | None, typer.Option("--currency", help="Sales in this currency only; may be repeated.")
    ] = None,
    as_json: AsJson = False,
    state_dir: StateDir = DEFAULT_STATE_DIR,
) -> None:
    """Show where orders stand and for how long, what came of the last days' orders, how long they took, and what was sold.

    From the totals of two views: a moment behind the log, and each commit in them once.
    """
    named = currencies or []
    if unknown := [code for code in named if not is_currency(code)]:
        raise typer.BadParameter(f"no currency that orders are placed in: {', '.join(unknown)}")

    async def work(core: Core) -> Document:
        tenant, generations = core.settings.tenant, current_generations(core.views)
        sales = SalesQueries(core.views, tenant=tenant, generations=generations)
        queries = BusinessQueries(core.views, sales, tenant=tenant, generations=generations, now_ms=now_ms)
        return await queries.business(days, named)

    try:
        found = with_core(state_dir, work)
    except TooMuchAsked as error:
        raise typer.BadParameter(f"{error}: name currencies, or take fewer days") from error
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    console = wide_console()
    for table in tables(found):
        console.print(table)


def tables(found: Mapping[str, Any]) -> tuple[Table, ...]:
    """The report of `GET /business` for people."""
    return _standing(found), _days(found), _sales(found)


def _standing(found: Mapping[str, Any]) -> Table:
    ages = [entry["age"] for entry in found["standing"][0]["ages"]]
    table = _table("orders now, by days since they came there", "status", "orders", *ages, "oldest since")
    for there in found["standing"]:
        orders = (_number(entry["orders"]) for entry in there["ages"])
        table.add_row(there["status"], _number(there["orders"]), *orders, there["oldestSince"] or "")
    return table


def _days(found: Mapping[str, Any]) -> Table:
    table = _table(
        f"orders that came from {found['from']} to {found['to']}",
        *("day", "placed", "completed", "cancelled", "rejected", "open", "success"),
        *("confirmed p50", "p95", "shipped p50", "p95"),
    )
    for name, figures in [*((one["day"], one) for one in found["days"]), ("together", found["together"])]:
        came, confirm, ship = figures["ofThosePlaced"], figures["timeToConfirm"], figures["timeToShip"]
        counts = (came[kind] for kind in ("placed", "completed", "cancelled", "rejected", "open"))
        rate = "" if came["successRate"] is None else f"{came['successRate']:.1%}"
        times = (in_words(took[share]) for took in (confirm, ship) for share in ("p50S", "p95S"))
        table.add_row(name, *(_number(count) for count in counts), rate, *times, end_section=name == "together")
    return table


def _sales(found: Mapping[str, Any]) -> Table:
    table = _table(f"money from {found['from']} to {found['to']}", "currency", *_SOLD, "refunded of captured")
    for sold in found["sales"]:
        captured, refunded = sold["captured"]["amountMinor"], sold["refunded"]["amountMinor"]
        ratio = f"{refunded / captured:.1%}" if captured else ""
        table.add_row(sold["currency"], *(sold[kind]["amount"] for kind in _SOLD), ratio)
    return table


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number == 0 else "right", no_wrap=True)
    return table


def _number(count: int) -> str:
    return f"{count:,}" if count else "-"


def in_words(seconds: float | None) -> str:
    """A time as people say it: to two figures or so."""
    if seconds is None:
        return ""
    for unit_s, unit in ((_DAY_S, "d"), (_HOUR_S, "h"), (_MINUTE_S, "min")):
        if seconds >= unit_s:
            return f"{seconds / unit_s:.1f} {unit}"
    return f"{seconds:.1f} s"
