"""`audit trail`: who did what, across all orders."""

import json
from contextlib import aclosing
from typing import Annotated, Final

import typer

from orderstore.audit.trail import Newest, trail_of_all
from workers.commands.audit.dead_letters import act_document, act_line, acts_wanted
from workers.commands.audit.options import (
    ActorIdOf,
    ActorTypeOf,
    CausationOf,
    CorrelationOf,
    FirstCommit,
    LastCommit,
    OccurredFrom,
    OccurredTo,
    RecordedFrom,
    RecordedTo,
    SourceOf,
    TypesOf,
    brief,
    explained,
    print_table,
    row_document,
    table_of,
    wanted_of,
    when,
)
from workers.commands.running import DEFAULT_STATE_DIR, AsJson, StateDir, counting, fail, with_core
from workers.core import Core
from workers.dead_letters.records import Record

LIMIT: Final = 100
LIMIT_MAX: Final = 10_000  # what is kept in memory until the scan is over

HowMany = Annotated[
    int | None, typer.Option("--limit", help="The newest so many.", min=1, max=LIMIT_MAX, show_default=str(LIMIT))
]
Everything = Annotated[
    bool,
    typer.Option("--all", help="Everything, as it is found: a JSON object a line, and no order across orders."),
]


def trail(
    *,
    actor_type: ActorTypeOf = None,
    actor_id: ActorIdOf = None,
    types: TypesOf = None,
    source: SourceOf = None,
    correlation_id: CorrelationOf = None,
    causation_id: CausationOf = None,
    recorded_from: RecordedFrom = None,
    recorded_to: RecordedTo = None,
    occurred_from: OccurredFrom = None,
    occurred_to: OccurredTo = None,
    first_commit: FirstCommit = None,
    last_commit: LastCommit = None,
    limit: HowMany = None,
    everything: Everything = False,
    as_json: AsJson = False,
    state_dir: StateDir = DEFAULT_STATE_DIR,
) -> None:
    """List who did what across all orders: the newest events that pass every filter, then what was done with dead letters.

    It reads the whole log (since --recorded-from), and the records of `orderstore dlq`.
    """
    wanted = wanted_of(
        actor_type=actor_type,
        actor_id=actor_id,
        types=types,
        source=source,
        correlation_id=correlation_id,
        causation_id=causation_id,
        recorded_from=recorded_from,
        recorded_to=recorded_to,
        occurred_from=occurred_from,
        occurred_to=occurred_to,
        first_commit=first_commit,
        last_commit=last_commit,
    )
    if everything and limit is not None:
        raise typer.BadParameter("everything has no limit: give one of them", param_hint="--all and --limit")
    newest = Newest(limit or LIMIT)
    troubles: list[str] = []
    totals = {"orders": 0, "found": 0}
    progress, show = counting("reading")

    async def work(core: Core) -> list[Record]:
        async with aclosing(trail_of_all(core.store, wanted, tenant=core.settings.tenant)) as trails:
            async for found in trails:
                totals["orders"] += 1
                totals["found"] += len(found.rows)
                if found.trouble is not None:
                    troubles.append(f"{found.stream}: {found.trouble}")
                if everything:
                    for row in found.rows:
                        typer.echo(json.dumps(row_document(row)))
                else:
                    newest.see(found.rows)
                show(totals["orders"], f"orders, {totals['found']:,} events found")
        return await acts_wanted(core, wanted, limit=LIMIT_MAX if everything else limit or LIMIT)

    with explained(), progress:
        acts = with_core(state_dir, work)
    rows = newest.rows()
    if as_json and not everything:
        items = [row_document(row) for row in rows]
        letters = [act_document(act) for act in acts]
        typer.echo(json.dumps({**totals, "items": items, "dead_letters": letters, "unreadable": troubles}, indent=2))
    elif everything:
        for act in acts:
            typer.echo(json.dumps({"dead_letter": act_document(act)}))
    else:
        table = table_of("recorded", "order", "commit", "event", "what", "actor", "source")
        for row in rows:
            actor = f"{row.actor.type} {row.actor.id}"
            table.add_row(when(row), row.order_id, str(row.commit), row.type, brief(row.data), actor, row.source)
        print_table(table)
        shown = "all of them" if totals["found"] <= len(rows) else f"the newest {len(rows):,} are shown"
        typer.echo(f"{totals['orders']:,} orders read, {totals['found']:,} events found: {shown}.")
        for act in acts:
            typer.echo(act_line(act))
    if troubles:
        fail("This is not all: these orders cannot be read, see `orderstore audit verify`.\n" + "\n".join(troubles))
