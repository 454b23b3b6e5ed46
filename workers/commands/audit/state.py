"""`audit state`: an order as it stands, or stood at a moment of its past."""

import json
from typing import Annotated

import typer

from orderstore.audit.moments import AtCommit, Clock, Moment
from orderstore.audit.time_travel import Prefix, flattened, prefix_at
from orderstore.recorded import Recorded
from projections.answers.past import document_of
from projections.http.documents import past_document, place_document
from workers.commands.audit.options import (
    ClockOf,
    OrderArgument,
    events_of,
    explained,
    moment_of,
    order_id_of,
    print_table,
    table_of,
)
from workers.commands.running import DEFAULT_STATE_DIR, AsJson, StateDir, fail, with_core
from workers.core import Core

AsOfTime = Annotated[
    str | None, typer.Option("--as-of", help="An RFC 3339 time, such as 2026-03-01T12:00:00Z.", metavar="TIME")
]
AtCommitNumber = Annotated[int | None, typer.Option("--commit", help="After this commit of the order.", min=0)]


def state(
    order: OrderArgument,
    *,
    as_of: AsOfTime = None,
    clock: ClockOf = None,
    commit: AtCommitNumber = None,
    as_json: AsJson = False,
    state_dir: StateDir = DEFAULT_STATE_DIR,
) -> None:
    """Show ORDER from the log: now, as of a time, or after a commit."""
    order_id = order_id_of(order)
    moment = _asked(as_of, clock, commit)

    async def work(core: Core) -> tuple[Recorded, ...]:
        return await events_of(core, order_id)

    with explained():
        events = with_core(state_dir, work)
        if not events:
            fail(f"There is no order {order_id}.")
        then = prefix_at(events, AtCommit(events[-1].commit) if moment is None else moment)
        document = document_of(then.events)
    if document is None:
        began = place_document(events[0])
        fail(
            f"At {then.moment} the order was not placed yet: "
            f"it began with commit 1, recorded {began['recordedAt']}, occurred {began['occurredAt']}."
        )
    past = past_document(document, then)
    if as_json:
        typer.echo(json.dumps(past, indent=2))
        return
    typer.echo(f"Order {order_id} at {_place(then, len(events))}")
    table = table_of("field", "value")
    for field, value in flattened(document).items():
        table.add_row(field, "" if value is None else str(value))
    print_table(table)


def _asked(as_of: str | None, clock: Clock | None, commit: int | None) -> Moment | None:
    """The moment, or None for now. Raises BadParameter: the options contradict each other."""
    if as_of is not None and commit is not None:
        raise typer.BadParameter("these name two moments: give one of them", param_hint="--as-of and --commit")
    if clock is not None and as_of is None:
        raise typer.BadParameter("it says how --as-of is meant, and there is none", param_hint="--clock")
    if as_of is None:
        return None if commit is None else AtCommit(commit)
    moment = moment_of(as_of, clock, "--as-of")
    if isinstance(moment, AtCommit):
        raise typer.BadParameter("a commit's number goes to --commit", param_hint="--as-of")
    return moment


def _place(then: Prefix, head_version: int) -> str:
    last = then.events[-1]
    place = place_document(last)
    where = f"commit {then.commit}"
    asked = "" if str(then.moment) == where else f"{then.moment} = "
    return (
        f"{asked}{where}, version {then.version} of {head_version}; "
        f"last: {last.name}, recorded {place['recordedAt']}, occurred {place['occurredAt']}"
    )
