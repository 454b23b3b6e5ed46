"""What the commands on one order share: its options, how it is asked for, and how what happened is told."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import fields, is_dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar
from uuid import uuid4

import typer
from pydantic import BaseModel
from pydantic.alias_generators import to_camel

from orderstore.codec import timestamp
from orderstore.domain.events import FreeText, RefundRequested, ReturnInspected
from orderstore.domain.rejections import CommandRejected
from orderstore.expected import Exactly, Expected, WrongVersion
from orderstore.orders import Orders
from orderstore.recorded import Actor
from orderstore.refusals import RequestRefused, validated
from orderstore.request_fields import check_key
from orderstore.transact import ANY
from orderstore.wishes.wish import CustomerErased, Granted, KeyReused, Wish
from workers.commands.acting import By, operator
from workers.commands.running import checked, fail, with_core
from workers.core import Core

_Model = TypeVar("_Model", bound=BaseModel)
KEY_CHARACTERS_MAX: Final = 255

OrderId = Annotated[str, typer.Argument(metavar="ORDER", help="The order's id.")]
Lines = Annotated[
    list[str],
    typer.Option("--line", metavar="LINE:PIECES", help="Pieces of a line, which is counted from 0; may be repeated."),
]
Note = Annotated[str, typer.Option("--note", help="In words; sealed with the customer's key.")]
Key = Annotated[
    str | None, typer.Option("--key", help="Names this request: a repeat with the same key is answered the same.")
]
Seen = Annotated[
    int | None,
    typer.Option("--if-version", min=1, help="Only if the order is at this version, as `GET /orders/…` shows it."),
]


def with_orders(state_dir: Path, work: Callable[[Orders], Awaitable[Granted]]) -> Granted:
    """Run `work` on the orders that the settings name."""

    async def main(core: Core) -> Granted:
        return await work(core.orders)

    return with_core(state_dir, main)


def carry_out(
    state_dir: Path,
    work: Callable[[Orders, Actor, Expected], Awaitable[Granted]],
    *,
    by: By,
    seen: int | None = None,
    as_json: bool,
) -> None:
    """Do it as the operator `by`, and tell what happened. Exits with 1 when it is refused: then nothing was stored."""
    actor = operator(by)
    expected: Expected = ANY if seen is None else Exactly(seen)
    try:
        granted = with_orders(state_dir, lambda orders: work(orders, actor, expected))
    except CommandRejected as error:
        fail(f"{error} ({error.code}); nothing was stored")
    except (WrongVersion, KeyReused, CustomerErased) as error:
        fail(f"{error}; nothing was stored")
    tell(granted, as_json=as_json)


def asking(order_id: str, wish: Wish) -> Callable[[Orders, Actor, Expected], Awaitable[Granted]]:
    """Work that only asks."""

    async def work(orders: Orders, actor: Actor, expected: Expected) -> Granted:
        return await orders.ask(order_id, wish, actor=actor, expected=expected)

    return work


def key_of(key: str | None) -> str:
    """The key that was given, or one that is drawn. Raises typer.BadParameter."""
    if key is None:
        return str(uuid4())
    if not 1 <= len(key) <= KEY_CHARACTERS_MAX or not key.isascii() or not key.isprintable():
        raise typer.BadParameter(f"--key: 1 to {KEY_CHARACTERS_MAX} printable ASCII characters")
    return checked(check_key, key, "--key")


def body(model: type[_Model], document: dict[str, Any]) -> _Model:
    """What was asked for, as the API would take it. Raises typer.BadParameter, which quotes nothing of it."""
    try:
        return validated(model, {name: value for name, value in document.items() if value is not None})
    except RequestRefused as error:
        found = (f"{reason.pointer or '/'}: {reason.detail}" for reason in error.refusal.reasons)
        raise typer.BadParameter("; ".join(found) or error.refusal.detail) from None


def pieces(lines: list[str]) -> list[dict[str, Any]]:
    """`1:2` is two pieces of the line 1. Raises typer.BadParameter."""
    return [{"line": _number(line), "quantity": _number(count)} for line, count in (_split(one, 2) for one in lines)]


def conditions(lines: list[str]) -> list[dict[str, Any]]:
    """`1:2:sellable`. Raises typer.BadParameter."""
    return [
        {"line": _number(line), "quantity": _number(count), "condition": condition}
        for line, count, condition in (_split(one, 3) for one in lines)
    ]


def goods(items: list[str]) -> list[dict[str, Any]]:
    """`MOUSE-003:2:25.00` is two of them at 25.00 each; a SKU may have colons too. Raises typer.BadParameter."""
    return [
        {"sku": sku, "quantity": _number(count), "price": price}
        for sku, count, price in (_split(one, 3, from_right=True) for one in items)
    ]


def tell(granted: Granted, *, as_json: bool) -> None:
    """What says that it was done: the event, without anybody's words."""
    recorded = granted.recorded
    data = {**_shown(recorded.event), **_promised(granted)}
    if as_json:
        document = {
            "orderId": recorded.order_id,
            "eventId": recorded.event_id,
            "event": recorded.name,
            "commit": recorded.commit,
            "version": recorded.version,
            "new": granted.new,
            "data": data,
        }
        typer.echo(json.dumps(document, indent=2))
        return
    said = ", ".join(f"{name} {json.dumps(value)}" for name, value in data.items())
    when = "" if granted.new else ", as before"
    typer.echo(f"{recorded.name}{when}: {said or 'done'} (order {recorded.order_id}, commit {recorded.commit})")


def _promised(granted: Granted) -> dict[str, Any]:
    """The money that was promised back in the same commit, as the API says it of an inspection."""
    if not isinstance(granted.recorded.event, ReturnInspected):
        return {}
    commit = granted.recorded.commit
    beside = (past.event for past in granted.history.events if past.commit == commit)
    refund = next((event for event in beside if isinstance(event, RefundRequested)), None)
    return {
        "refundId": None if refund is None else refund.refund_id,
        "amountMinor": None if refund is None else refund.amount_minor,
    }


def _shown(value: Any) -> Any:  # noqa: ANN401 - any part of an event
    if is_dataclass(value) and not isinstance(value, type):
        parts = {part.name: getattr(value, part.name) for part in fields(value)}
        return {
            to_camel(name): _shown(part)
            for name, part in parts.items()
            if part is not None and not isinstance(part, FreeText)
        }
    if isinstance(value, tuple):
        return [_shown(part) for part in value]
    if isinstance(value, Decimal):
        return format(value, "f")
    return timestamp(value) if isinstance(value, datetime) else value


def _split(text: str, parts: int, *, from_right: bool = False) -> list[str]:
    found = text.rsplit(":", parts - 1) if from_right else text.split(":")
    if len(found) != parts:
        raise typer.BadParameter(f"{text!r} is not {parts} parts with colons between them, as the help shows")
    return found


def _number(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 9:
        raise typer.BadParameter(f"{text!r}: lines and pieces are whole numbers, such as 1:2")
    return int(text)
