"""`orderstore plan`: what a rate of orders asks of AWS and costs. Needs no AWS, and reads no settings."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import Annotated, Final

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from workers.planning.demand import Demand, DemandError
from workers.planning.plan import plan_for
from workers.planning.prices import prices
from workers.planning.shapes import Plan, ToRaise

# From so many on, divided by so much: before the figures round up to the next.
SIZES: Final = ((0.9995e12, 1e12, "T"), (0.9995e9, 1e9, "G"), (0.9995e6, 1e6, "M"), (9_999.5, 1e3, "k"))
CENTS_MAX: Final = 9_999.5


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(plan)


def plan(
    *,
    orders_per_second: Annotated[
        float, typer.Option("--orders-per-second", help="On average over a month, 0.01 to 100,000.")
    ],
    lines: Annotated[int, typer.Option("--lines", help="Of each order, 1 to 5,000.")] = 2,
    peak_factor: Annotated[
        float, typer.Option("--peak-factor", help="How much higher the highest second is than the average, 1 to 100.")
    ] = 3.0,
    transaction_ms: Annotated[
        float,
        typer.Option(
            "--transaction-ms", help="What a transaction of DynamoDB takes, for invoice numbers, 0.1 to 10,000."
        ),
    ] = 10.0,
    new_customers: Annotated[
        float,
        typer.Option("--new-customers", help="Share of orders whose customer's key no process has at hand, 0 to 1."),
    ] = 1.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the plan as JSON.")] = False,
) -> None:
    """Tell what so many orders need: capacity, shards, tasks, requests, quotas, dollars a month."""
    try:
        demand = Demand(
            orders_per_second=orders_per_second,
            lines=lines,
            peak_factor=peak_factor,
            transaction_ms=transaction_ms,
            new_customers=new_customers,
        )
    except DemandError as error:
        raise typer.BadParameter(str(error)) from None
    found = plan_for(demand)
    if as_json:
        typer.echo(json.dumps(asdict(found), indent=2))
        return
    show(found, Console(emoji=False, markup=False, highlight=False))


def show(found: Plan, console: Console) -> None:
    """Print a plan."""
    demand = found.demand
    lines = "1 line" if demand.lines == 1 else f"{demand.lines:,} lines"
    console.print(
        f"{demand.orders_per_second:,g} orders/s of {lines} on average, {demand.peak:,g}/s at the peak; "
        f"{demand.orders_a_month:,.0f} orders a month of 730 hours"
    )
    console.print(
        f"${found.dollars_a_month:,.2f} a month; each million orders causes ${found.dollars_per_million:,.2f} "
        f"(${found.mail_dollars_per_million:,.2f} of it for mails); "
        f"${found.dollars_provisioned:,.2f} with provisioned tables. "
        f"What is stored makes each month ${found.grows_dollars:,.2f} dearer than the one before."
    )
    console.print(f"Prices: {found.prices_of}. Numbers in full: --json.\n")
    for table in (_tables(found), _stream(found), _hot(found), _roles(found), _charges(found), _quotas(found)):
        console.print(table)
    for item in found.hot:
        if not item.fits:
            console.print(f"- {item.name}: {item.what_to_do}.")
    for text in found.assumptions:
        console.print(f"- {text}")
    for text in prices().left_out:
        console.print(f"- Not in it: {text}")


def _tables(found: Plan) -> Table:
    rows = (
        (
            one.table,
            _number(one.peak_writes),
            _number(one.peak_reads),
            f"{_number(one.provisioned_writes)} / {_number(one.provisioned_reads)}",
            _dollars(one.on_demand_dollars),
            _dollars(one.provisioned_dollars),
        )
        for one in found.tables
    )
    heads = ("table", "writes/s", "reads/s", "WCU / RCU", "on demand", "provisioned")
    return _grid("Tables at the peak, in units, indexes included; dollars a month", heads, rows, left=1)


def _stream(found: Plan) -> Table:
    one = found.stream
    row = (_number(one.shards), _number(one.commits), _number(one.calls), _dollars(one.dollars))
    return _grid("The log's stream", ("shards at least", "peak records/s", "GetRecords/s", "a month"), [row], left=0)


def _hot(found: Plan) -> Table:
    rows = [
        (
            one.name,
            _number(one.asked),
            _number(one.one_takes),
            one.unit,
            _number(one.needed),
            _number(one.have),
        )
        for one in found.hot
    ]
    heads = ("what", "asked", "one takes", "of", "needed", "have")
    return _grid("What cannot be spread, at the peak", heads, rows, left=1)


def _roles(found: Plan) -> Table:
    rows = [
        (one.role, f"{one.processor_ms:g}", _number(one.tasks), _number(one.tasks_at_peak), _dollars(one.dollars))
        for one in found.roles
    ]
    tasks, at_peak = sum(one.tasks for one in found.roles), sum(one.tasks_at_peak for one in found.roles)
    rows.append(("all", "", _number(tasks), _number(at_peak), _dollars(sum(one.dollars for one in found.roles))))
    heads = ("role", "ms an order", "tasks", "at the peak", "a month")
    return _grid("Tasks of half a vCPU and 1 GB, scaled with the load", heads, rows, left=1)


def _charges(found: Plan) -> Table:
    rows = [
        (
            one.name.replace("_", " "),
            one.unit,
            "" if one.a_second is None else _number(one.a_second),
            _number(one.a_month),
            _dollars(one.dollars),
        )
        for one in found.charges
    ]
    rows.append(("all", "", "", "", _dollars(found.dollars_a_month)))
    return _grid("The bill, tables on demand", ("for", "unit", "a second", "a month", "dollars"), rows, left=2)


def _quotas(found: Plan) -> Table:
    """A quota's name stands once, before all that are past it, the furthest first."""
    groups: dict[str, list[ToRaise]] = {}
    for one in found.quotas:
        groups.setdefault(one.name, []).append(one)
    rows = [
        ("" if number else name, one.where, f"{_number(one.default)} {one.unit}", _number(one.needed))
        for name, group in groups.items()
        for number, one in enumerate(sorted(group, key=lambda one: -one.needed))
    ] or [("none: the defaults are enough", "", "", "")]
    return _grid("Quotas of AWS to raise, or to get round", ("quota", "where", "default", "needed"), rows, left=2)


def _grid(title: str, heads: tuple[str, ...], rows: Iterable[tuple[str, ...]], *, left: int) -> Table:
    """The first `left` columns hold words and may break; the others are numbers, which stay whole."""
    grid = Table(
        title=title, title_justify="left", title_style="bold", pad_edge=False, padding=(0, 1, 0, 0), box=SIMPLE_HEAD
    )
    for number, head in enumerate(heads):
        words = number < left
        grid.add_column(head, justify="left" if words else "right", no_wrap=left == 1 or not words, overflow="fold")
    for row in rows:
        grid.add_row(*row)
    return grid


def _number(number: float) -> str:
    """Three or four figures are enough for a plan, and keep the tables narrow; the JSON has them all."""
    for least, size, letter in SIZES:
        if number >= least:
            return f"{number / size:.3g}{letter}"
    return f"{number:,.0f}" if number >= 99.95 else f"{number:.3g}"


def _dollars(dollars: float) -> str:
    """To the cent as long as cents can be seen."""
    return f"${dollars:,.2f}" if dollars < CENTS_MAX else f"${_number(dollars)}"
