"""`audit history`: what happened to an order, by whom and why."""

import json

import typer

from orderstore.audit.trail import Trail, trail_of
from orderstore.domain.ids import stream_of
from workers.commands.audit.options import (
    ID_PREFIX,
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
    order_id_of,
    print_table,
    row_document,
    table_of,
    wanted_of,
    when,
)
from workers.commands.running import DEFAULT_STATE_DIR, AsJson, StateDir, fail, with_core
from workers.core import Core


def history(
    order: str,
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
    as_json: AsJson = False,
    state_dir: StateDir = DEFAULT_STATE_DIR,
) -> None:
    """List what happened to ORDER: when, who, why, and the commit that proves it. Filters leave out what does not pass all of them."""
    order_id = order_id_of(order)
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

    async def work(core: Core) -> Trail:
        return await trail_of(core.store, stream_of(core.settings.tenant, order_id), wanted)

    with explained():
        trail = with_core(state_dir, work)
    if not trail.commits:
        fail(f"There is no order {order_id}.")
    if as_json:
        typer.echo(json.dumps([row_document(row) for row in trail.rows], indent=2))
        return
    table = table_of("commit", "id", "event", "what", "recorded", "actor", "cause", "hash")
    for row in trail.rows:
        actor = f"{row.actor.type} {row.actor.id}"
        cause, event_id = row.causation_id[:ID_PREFIX], row.event_id[:ID_PREFIX]
        table.add_row(str(row.commit), event_id, row.type, brief(row.data), when(row), actor, cause, row.hash_prefix)
    print_table(table)
    if not trail.rows:
        typer.echo(f"None of what is in its {trail.commits:,} commits passes the filters.")
