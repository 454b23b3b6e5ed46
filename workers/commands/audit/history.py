"""`audit history`: what happened to an order, by whom and why."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from orderstore.audit.history import HistoryRow, history_of
from orderstore.codec import CodecError, timestamp
from orderstore.domain.ids import stream_of
from orderstore.store.errors import CorruptCommit
from workers.commands.running import DEFAULT_STATE_DIR, AsJson, StateDir, wide_console, with_core
from workers.wiring import Core

ID_PREFIX: Final = 8
BRIEF_MAX: Final = 60
# Long references say little to a reader and stand in `--json`.
REFERENCES: Final = ("_id", "_reference", "tracking_number")
HIDDEN: Final = frozenset(
    {"order_id", "request_hash", "contact", "placed_at", "supplied_at", "issued_at", "series", "number"}
)


def history(order: str, *, as_json: AsJson = False, state_dir: StateDir = DEFAULT_STATE_DIR) -> None:
    """List everything that happened to ORDER: when, who, why, and the commit that proves it."""

    async def work(core: Core) -> tuple[HistoryRow, ...]:
        return await history_of(core.store, stream_of(core.settings.tenant, order))

    try:
        rows = with_core(state_dir, work)
    except (CorruptCommit, CodecError) as error:
        Console(stderr=True).print(
            f"{error}\nThe order cannot be read as it stands; `orderstore audit verify` names every fault."
        )
        raise typer.Exit(1) from error
    if not rows:
        Console(stderr=True).print(f"There is no order {order}.")
        raise typer.Exit(1)
    if as_json:
        typer.echo(json.dumps([_document(row) for row in rows], indent=2))
        return
    table = Table("commit", "id", "event", "what", "occurred", "actor", "cause", "hash", box=SIMPLE_HEAD)
    for row in rows:
        actor = f"{row.actor.type} {row.actor.id}"
        cause = row.causation_id[:ID_PREFIX]
        at = timestamp(row.occurred_at)
        event_id = row.event_id[:ID_PREFIX]
        table.add_row(str(row.commit), event_id, row.type, brief(row.data), at, actor, cause, row.hash_prefix)
    wide_console().print(table)


def brief(data: Mapping[str, Any]) -> str:
    """What an event says, in a line: its plain values, without what the other columns show or the order's own lines."""
    plain = {
        name: value
        for name, value in data.items()
        if name not in HIDDEN and not name.endswith(REFERENCES) and not isinstance(value, dict)
    }
    words = [f"{name}={len(value)}" if isinstance(value, list) else f"{name}={value}" for name, value in plain.items()]
    line = " ".join(words)
    return line if len(line) <= BRIEF_MAX else line[: BRIEF_MAX - 1] + "…"


def _document(row: HistoryRow) -> dict[str, Any]:
    document = asdict(row)
    return {**document, "occurred_at": timestamp(row.occurred_at), "recorded_at": timestamp(row.recorded_at)}
