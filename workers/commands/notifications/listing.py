"""`notifications ls`: every notification of an order."""

import json
from typing import Any

import typer

from orderstore.codec import timestamp_of
from orderstore.domain.rejections import UnknownOrder
from orderstore.history import History
from workers.commands.audit.options import order_id_of
from workers.commands.notifications.options import OrderArgument, block, moment
from workers.commands.running import DEFAULT_STATE_DIR, AsJson, StateDir, fail, with_core
from workers.core import Core
from workers.notification.listing import notifications_of
from workers.notification.records import Notification


def ls(order: OrderArgument, *, as_json: AsJson = False, state_dir: StateDir = DEFAULT_STATE_DIR) -> None:
    """Show what was told of ORDER, by which channel, and what became of it."""
    order_id = order_id_of(order, "ORDER")

    async def work(core: Core) -> tuple[History, tuple[Notification, ...]]:
        history = await core.orders.load(order_id)
        table = core.settings.table("notifications")
        return history, await notifications_of(core.clients.dynamodb, table, order_id)

    try:
        history, found = with_core(state_dir, work)
    except UnknownOrder as error:
        fail(str(error))
    names: dict[str, tuple[int, str]] = {
        str(recorded.event_id): (recorded.version, recorded.name) for recorded in history.events
    }
    found = tuple(sorted(found, key=lambda record: (names.get(_event(record), (0, ""))[0], record.notification)))
    if as_json:
        typer.echo(json.dumps([_document(record, names) for record in found], indent=2))
        return
    if not found:
        typer.echo("nothing was told of this order yet")
        return
    for record in found:
        typer.echo("\n".join([*_lines(record, names.get(_event(record), (0, "?"))[1]), ""]))


def _lines(record: Notification, event: str) -> list[str]:
    """A block: ids are long, and whoever copies one needs the whole of it, on a narrow terminal and through a pipe."""
    return block(
        [
            (event, f"{record.channel}: {record.shown_state}"),
            ("  notification", record.notification),
            ("  begun (UTC)", moment(record.begun_at_ms)),
            ("  ended (UTC)", moment(record.finished_at_ms)),
            ("  why or what", _why(record)),
        ]
    )


def _event(record: Notification) -> str:
    return record.notification.partition(":")[0]


def _why(record: Notification) -> str:
    if record.resend:
        return f"{record.detail} (again, by {record.resend['by']}: {record.resend['reason']})"
    return record.detail


def _document(record: Notification, names: dict[str, tuple[int, str]]) -> dict[str, Any]:
    return {
        "eventType": names.get(_event(record), (0, None))[1],
        "notification": record.notification,
        "channel": record.channel,
        "template": record.template,
        "state": record.state,
        "shownState": record.shown_state,
        "channels": list(record.channels),
        "begunAt": timestamp_of(record.begun_at_ms) if record.begun_at_ms else None,
        "finishedAt": timestamp_of(record.finished_at_ms) if record.finished_at_ms else None,
        "subject": record.subject,
        "detail": record.detail,
        "feedback": {kind: timestamp_of(at_ms) for kind, at_ms in record.feedback.items()},
        "resend": dict(record.resend),
    }
