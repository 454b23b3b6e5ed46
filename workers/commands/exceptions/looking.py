"""`exceptions ls` and `show`: which orders want somebody, for what, and what has been done about one of them."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from orderstore.codec import timestamp
from orderstore.domain import events as e
from projections.answers.exceptions import ExceptionQueries
from projections.answers.orders import ViewQueries, current_generations
from projections.answers.ports import EXCEPTION_KINDS, ExceptionKind
from projections.views import exceptions
from workers.commands.exceptions.remedies import commands_for
from workers.commands.running import DEFAULT_STATE_DIR, AsJson, StateDir, wide_console, with_core
from workers.core import Core, now_ms

SHOWN: Final = 50
PAGES_MAX: Final = 20
"""Of a kind: pages may be short."""


def ls(
    *,
    kinds: Annotated[
        list[str] | None, typer.Option("--kind", help=f"Only this kind; may be repeated: {', '.join(EXCEPTION_KINDS)}.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1_000, help="Of each kind.")] = SHOWN,
    as_json: AsJson = False,
    state_dir: StateDir = DEFAULT_STATE_DIR,
) -> None:
    """List the orders that want somebody, the longest waiting first, kind by kind."""
    wanted = [kind for kind in EXCEPTION_KINDS if not kinds or kind in kinds]
    if unknown := [kind for kind in kinds or () if kind not in EXCEPTION_KINDS]:
        raise typer.BadParameter(f"no kind of exception: {', '.join(unknown)}")

    async def work(core: Core) -> list[Mapping[str, Any]]:
        queries = queries_of(core)
        return [item for kind in wanted for item in await of_kind(queries, kind, limit)]

    found = with_core(state_dir, work)
    if as_json:
        typer.echo(json.dumps([_with_commands(item, state_dir) for item in found], indent=2))
        return
    console = wide_console()
    if not found:
        console.print("Nobody is wanted.")
        return
    table = _table("Order", "Kind", "Cause", "Reference", "Since", "Due", "Owner", "Actions")
    for item in found:
        for entry in item["entries"]:
            table.add_row(item["orderId"], *_cells(entry))
    console.print(table)
    for item in found:
        for entry in item["entries"]:
            _say_commands(item["orderId"], entry, state_dir)


def show(
    order_id: Annotated[str, typer.Argument(help="The order.")],
    *,
    as_json: AsJson = False,
    state_dir: StateDir = DEFAULT_STATE_DIR,
) -> None:
    """Show what an order wants somebody for, as the log has it, and what was done about it before."""

    async def work(core: Core) -> tuple[Sequence[exceptions.Entry], list[dict[str, Any]]]:
        history = await core.orders.load(order_id)
        view: exceptions.Exceptions | None = None
        for recorded in history.events:
            view = exceptions.evolve(view, recorded)
        done = [
            {
                "at": timestamp(recorded.occurred_at),
                "stage": recorded.event.stage,
                "subject": recorded.event.subject,
                "action": recorded.event.action,
                "by": f"{recorded.actor.type} {recorded.actor.id}",
            }
            for recorded in history.events
            if isinstance(recorded.event, e.OrderProcessResumed)
        ]
        return () if view is None else view.entries, done

    entries, done = with_core(state_dir, work)
    shown = exceptions.to_document(exceptions.Exceptions(order_id=order_id, entries=tuple(entries)))
    if as_json:
        whole = _with_commands({"orderId": order_id, "entries": shown["entries"]}, state_dir)
        typer.echo(json.dumps({"entries": whole["entries"], "actions": done}, indent=2))
        return
    console = wide_console()
    table = _table("Kind", "Cause", "Reference", "Since", "Due", "Owner", "Actions", "Ended")
    for one in entries:
        ended = f"{one.ended_at} {one.ended_by}" if one.ended_at else ""
        table.add_row(
            one.kind,
            one.cause,
            one.reference or "",
            one.since,
            one.due_at or "",
            one.owner,
            ", ".join(one.actions),
            ended,
        )
    console.print(table if entries else "The order never wanted anybody.")
    for act in done:
        subject = f" {act['subject']}" if act["subject"] else ""
        console.print(f"{act['at']}  {act['by']}: {act['action']} {act['stage']}{subject}")
    for entry in shown["entries"]:
        _say_commands(order_id, entry, state_dir)


def queries_of(core: Core) -> ExceptionQueries:
    """The one list of exceptions."""
    tenant, generations = core.settings.tenant, current_generations(core.views)
    queries = ViewQueries(core.views, tenant=tenant, generations=generations)
    return ExceptionQueries(
        core.views, core.parked, tenant=tenant, generations=generations, queries=queries, now_ms=now_ms
    )


async def of_kind(queries: ExceptionQueries, kind: ExceptionKind, limit: int) -> list[Mapping[str, Any]]:
    """The first of a kind. Raises ViewsUnavailable."""
    found: list[Mapping[str, Any]] = []
    cursor: str | None = None
    for _ in range(PAGES_MAX):
        page = await queries.exceptions(kind, cursor, limit - len(found))
        found += page.items
        cursor = page.next_cursor
        if cursor is None or len(found) >= limit:
            break
    return found[:limit]


def _with_commands(item: Mapping[str, Any], state_dir: Path) -> dict[str, Any]:
    """An order's document with the command of each action."""
    entries = [{**entry, "commands": commands_for(item["orderId"], entry, state_dir)} for entry in item["entries"]]
    return {**item, "entries": entries}


def _say_commands(order_id: str, entry: Mapping[str, Any], state_dir: Path) -> None:
    """What can be done about one entry, to be copied: a line is never folded."""
    commands = commands_for(order_id, entry, state_dir)
    if not commands:
        return
    typer.echo(f"{entry['kind']}: {entry['cause']}, since {entry['since']}")
    for command in commands:
        typer.echo(f"  {command}")


def _cells(entry: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        entry["kind"],
        entry["cause"],
        entry["reference"] or "",
        entry["since"],
        entry["dueAt"] or "",
        entry["owner"],
        ", ".join(entry["actions"]),
    )


def _table(*columns: str) -> Table:
    """What does not fit goes on in the next line: an id that is cut cannot be copied."""
    table = Table(box=SIMPLE_HEAD)
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column == "Order")
    return table
