"""`audit diff`: what changed in an order between two moments, and who changed it."""

import json
from typing import Annotated

import typer

from orderstore.audit.history import shown
from orderstore.audit.moments import AtCommit
from orderstore.audit.time_travel import Difference, Prefix
from orderstore.recorded import Recorded
from projections.answers.past import changes
from projections.http.documents import changes_document, place_document
from workers.commands.audit.options import (
    ClockOf,
    OrderArgument,
    brief,
    events_of,
    explained,
    moment_of,
    order_id_of,
    print_table,
    table_of,
)
from workers.commands.running import DEFAULT_STATE_DIR, AsJson, StateDir, fail, with_core
from workers.core import Core

From = Annotated[str, typer.Argument(metavar="FROM", help="A commit's number (0 is before the first), or a time.")]
To = Annotated[str, typer.Argument(metavar="TO", help="The same. If it is the earlier one, changes are taken back.")]


def diff(
    order: OrderArgument,
    start: From,
    end: To,
    *,
    clock: ClockOf = None,
    as_json: AsJson = False,
    state_dir: StateDir = DEFAULT_STATE_DIR,
) -> None:
    """Compare ORDER at FROM and TO: what differs, who changed it, and all that happened between."""
    order_id = order_id_of(order)
    old, new = moment_of(start, clock, "FROM"), moment_of(end, clock, "TO")
    if clock is not None and isinstance(old, AtCommit) and isinstance(new, AtCommit):
        raise typer.BadParameter("it says how times are meant, and FROM and TO are commits", param_hint="--clock")

    async def work(core: Core) -> tuple[Recorded, ...]:
        return await events_of(core, order_id)

    with explained():
        events = with_core(state_dir, work)
        if not events:
            fail(f"There is no order {order_id}.")
        found = changes(events, old, new)
    if as_json:
        typer.echo(json.dumps(changes_document(order_id, found, events_max=len(events)), indent=2))
        return
    typer.echo(f"Order {order_id}, from {_place(found.old)} to {_place(found.new)}: {_summary(found)}")
    if found.fields:
        table = table_of("field", "old", "new", "commit", "event", "actor")
        for change in found.fields:
            actor = f"{change.by.actor.type} {change.by.actor.id}"
            old_text, new_text = _text(change.old), _text(change.new)
            table.add_row(change.field, old_text, new_text, str(change.by.commit), change.by.name, actor)
        print_table(table)
    if found.events:
        table = table_of("commit", "event", "what", "recorded", "occurred", "actor", "source")
        for recorded in found.events:
            place = place_document(recorded)
            actor = f"{recorded.actor.type} {recorded.actor.id}"
            times = (place["recordedAt"], place["occurredAt"])
            what = brief(shown(recorded.event))
            table.add_row(str(recorded.commit), recorded.name, what, *times, actor, recorded.source)
        print_table(table)


def _place(then: Prefix) -> str:
    where = f"commit {then.commit}" if then.commit else "before it was placed"
    return where if str(then.moment) == where else f"{then.moment} = {where}"


def _summary(found: Difference) -> str:
    if found.direction == "none":
        return "the same moment of its history"
    taken = "lie between" if found.direction == "forward" else "are taken back"
    return f"{len(found.fields)} fields differ, {len(found.events):,} events {taken}"


def _text(value: object) -> str:
    return "" if value is None else str(value)
