"""`notifications resend`: tell it again."""

import json
from dataclasses import asdict
from typing import Annotated

import typer

from orderstore.domain.rejections import UnknownOrder
from orderstore.request_fields import check_key
from workers.commands.acting import By, operator, reason_of
from workers.commands.audit.options import order_id_of
from workers.commands.notifications.options import OrderArgument, Reason
from workers.commands.running import DEFAULT_STATE_DIR, AsJson, StateDir, checked, fail, with_core
from workers.core import Core
from workers.notification.opening import department
from workers.notification.records import Notification
from workers.notification.resending import Resender, ResendRefused
from workers.notification.telling import NotToldYet, PerhapsTold

SENT = "sent"


def resend(
    order: OrderArgument,
    notification: Annotated[
        str, typer.Argument(metavar="NOTIFICATION", help="As `notifications ls` shows it: <event id>:<channel>.")
    ],
    *,
    reason: Reason,
    by: By = None,
    as_json: AsJson = False,
    state_dir: StateDir = DEFAULT_STATE_DIR,
) -> None:
    """Tell it again, with the text of the first time. Exit 1 if it was not sent. Interrupted, run it again."""
    order_id = order_id_of(order, "ORDER")
    named = checked(check_key, notification, "NOTIFICATION")
    if not 1 <= len(named) <= 200:
        raise typer.BadParameter("NOTIFICATION: as `orderstore notifications ls` shows it")
    actor, why = operator(by).id, reason_of(reason)

    async def work(core: Core) -> Notification:
        told = department(core)
        resender = Resender(core.orders, told.records, told.routes, told.telling)
        return await resender.resend(order_id, named, actor=actor, reason=why)

    try:
        record = with_core(state_dir, work)
    except (ResendRefused, UnknownOrder) as error:
        fail(str(error))
    except NotToldYet as error:
        fail(f"it was not sent ({error}); run the command again")
    except PerhapsTold as error:
        fail(f"nobody knows whether it was sent ({error}); run the command again in a minute or two")
    if as_json:
        typer.echo(json.dumps(asdict(record), indent=2))
    else:
        typer.echo(f"{record.notification}: {record.state} ({record.detail})")
    if record.state != SENT:
        raise typer.Exit(1)
