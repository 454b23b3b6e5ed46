"""`parked ls` and `parked show`."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Annotated, Final, Literal

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from orderstore.codec import decode, timestamp
from projections.observe import SUBSCRIPTIONS, Subscription
from projections.parked_orders.judging import judge
from projections.stream.parking import Decision, Parked, every_row, oldest_first
from workers.commands.audit.options import OrderArgument
from workers.commands.parked.words import (
    DOES,
    SubscriptionArgument,
    age,
    document_of,
    failing,
    items_of,
    named,
    not_parked,
    order_in,
    stream_named,
)
from workers.commands.running import DEFAULT_STATE_DIR, AsJson, StateDir, with_core
from workers.core import Core

BEFORE: Final = 2  # commits that are shown around the failing one
BEHIND: Final = 5
SHOWN_MAX: Final = 200


@dataclass(frozen=True, slots=True)
class LogLine:
    """A commit of the order, as far as it can be read: names, never contents."""

    commit: int
    recorded_at_ms: int | None
    events: tuple[str, ...]
    trouble: str | None


def ls(
    *,
    subscription: Annotated[Subscription | None, typer.Option("--subscription", help="Only of this one.")] = None,
    state: Annotated[
        Literal["parked", "skipped", "passed"] | None,
        typer.Option(
            "--state",
            help="parked: waits for a decision; skipped: was set aside by somebody; "
            "passed: goes on without commits that somebody skipped (only shown when asked for).",
        ),
    ] = None,
    as_json: AsJson = False,
    state_dir: StateDir = DEFAULT_STATE_DIR,
) -> None:
    """List the parked orders, oldest first."""

    async def work(core: Core) -> tuple[Parked, ...]:
        names = SUBSCRIPTIONS if subscription is None else (subscription,)
        passed = state == "passed"
        return oldest_first([row for name in names for row in await every_row(core.parked, name, passed=passed)])

    rows = [row for row in with_core(state_dir, work) if state in (None, row.state)]
    if as_json:
        typer.echo(json.dumps([document_of(row) for row in rows], indent=2))
        return
    if not rows:
        typer.echo(
            "Nothing is parked." if subscription is None and state is None else "Nothing of that kind is parked."
        )
        return
    _print_rows(rows)
    if state == "passed":
        typer.echo(f"{len(rows)} went on without a commit. Next: orderstore parked show SUBSCRIPTION ORDER")
        return
    waiting = sum(1 for row in rows if row.state == "parked")
    more = f", {len(rows) - waiting} set aside" if len(rows) > waiting else ""
    typer.echo(f"{waiting} parked{more}. Next: orderstore parked show SUBSCRIPTION ORDER")


def show(
    subscription: SubscriptionArgument,
    order: OrderArgument,
    *,
    as_json: AsJson = False,
    state_dir: StateDir = DEFAULT_STATE_DIR,
) -> None:
    """Show one parked order: why, since when, what was decided, what waits, and its log around the failing commit."""
    order_id = named(order)

    async def work(core: Core) -> tuple[Parked | None, tuple[Parked, ...], int, tuple[LogLine, ...]]:
        stream = stream_named(core, order_id)
        row = await core.parked.get(subscription, stream)
        former = await core.parked.released(subscription, stream)
        if row is None and not former:
            await not_parked(core, subscription, order_id)
        head = await items_of(core).head(stream)
        return row, former, head, await _log_around(core, stream, failing(row) if row else None, head)

    row, former, head, log = with_core(state_dir, work)
    if as_json:
        found = {
            "parked": None if row is None else document_of(row),
            "former": [document_of(one) for one in former],
            "lastCommit": head,
            "log": [asdict(line) for line in log],
        }
        typer.echo(json.dumps(found, indent=2))
        return
    if row is None:
        typer.echo(f"Order {order_id} is not parked for {subscription} any more.")
    else:
        _print_row(row, head)
        _print_log(log, failing(row))
    if former:
        typer.echo(f"\nParked before, and released ({len(former)}):")
        for one in former:
            at = "" if failing(one) is None else f" at commit {failing(one)}"
            typer.echo(f"  {_moment(one.parked_at_ms)}  {one.cause.error}{at}")
            _print_decisions(one.decisions, indent=4)


async def _log_around(core: Core, stream: str, commit: int | None, head: int) -> tuple[LogLine, ...]:
    first = max(1, (commit or head) - BEFORE)
    last = min(head, (commit or head) + BEHIND)
    return tuple([await _line(core, stream, number) for number in range(first, last + 1)])


async def _line(core: Core, stream: str, number: int) -> LogLine:
    item = await items_of(core).item(stream, number)
    if item is None:
        return LogLine(number, None, (), "it is missing")
    recorded_at_ms: int | None = None
    try:
        commit = await core.store.from_image(item)
        recorded_at_ms = commit.recorded_at_ms
        events = tuple(recorded.name for recorded in decode(commit))
    except Exception as error:
        cause = judge(error).cause
        if cause is None:
            raise
        return LogLine(number, recorded_at_ms, (), f"{cause.error}: {cause.message}")
    return LogLine(number, recorded_at_ms, events, None)


def _print_rows(rows: Sequence[Parked]) -> None:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in ("for", "state", "age"):
        table.add_column(name, no_wrap=True)
    table.add_column("order, and why", min_width=36, overflow="fold")
    for name in ("commit", "held"):
        table.add_column(name, no_wrap=True, justify="right")
    for row in rows:
        why = f"{order_in(row)}\n{row.cause.error}: {row.cause.message}"
        commit = ", ".join(map(str, row.passed)) if row.state == "passed" else failing(row)
        table.add_row(
            row.subscription,
            row.state,
            age(row.parked_at_ms),
            why,
            "?" if commit is None else str(commit),
            str(row.held),
        )
    console = Console(emoji=False, highlight=False, markup=False)
    needed = console.measure(table).minimum
    (console if needed <= console.width else Console(emoji=False, width=needed, highlight=False, markup=False)).print(
        table
    )


def _print_row(row: Parked, head: int) -> None:
    commit = failing(row)
    where = "not known yet: a back-fill parked it; a retry finds out" if commit is None else f"{commit} of {head}"
    meaning = f"{DOES[row.subscription]} until somebody retries{' or skips' if row.state == 'parked' else ''} it"
    lines = [
        ("order", order_in(row)),
        (row.state, f"for {row.subscription}: {meaning}"),
        ("since", f"{_moment(row.parked_at_ms)} ({age(row.parked_at_ms)} ago)"),
        ("cause", f"{row.cause.error}: {row.cause.message}"),
        ("tries", str(row.attempts)),
        ("commit", where),
        ("held", f"about {row.held} records behind it"),
    ]
    if row.passed:
        lines.append(("passed", f"commit {', '.join(map(str, row.passed))}: skipped for good, also by a retry"))
    if row.owed_since_ms is not None:
        lines.append(("owed", f"also what was recorded since {_moment(row.owed_since_ms)}: a back-fill left it out"))
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for line in lines:
        table.add_row(*line)
    Console(emoji=False, highlight=False, markup=False).print(table)
    if row.decisions:
        typer.echo("\nDecided:")
        _print_decisions(row.decisions)


def _print_decisions(decisions: Sequence[Decision], *, indent: int = 2) -> None:
    for decision in decisions:
        typer.echo(f"{' ' * indent}{_moment(decision.at_ms)}  {decision.what} by {decision.actor}: {decision.reason}")


def _print_log(log: Sequence[LogLine], commit: int | None) -> None:
    typer.echo("\nIts log there:")
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("", no_wrap=True)
    table.add_column("commit", no_wrap=True, justify="right")
    table.add_column("recorded", no_wrap=True)
    table.add_column("events", overflow="fold")
    for line in log:
        recorded = "" if line.recorded_at_ms is None else _moment(line.recorded_at_ms)
        what = ", ".join(line.events) if line.trouble is None else line.trouble
        table.add_row(">" if line.commit == commit else "", str(line.commit), recorded, what)
    Console(emoji=False, highlight=False, markup=False).print(table)


def _moment(at_ms: int) -> str:
    return timestamp(datetime.fromtimestamp(at_ms / 1_000, UTC))
