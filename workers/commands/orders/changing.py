"""`orders cancel`, `cancel-lines`, `hold`, `release`, `delay`, `note`."""

from typing import Annotated

import typer

from orderstore.change_requests import AddNote, CancelLines, DelayOrder
from orderstore.expected import Expected
from orderstore.orders import Orders
from orderstore.recorded import Actor
from orderstore.requests import CancelOrder, HoldOrder, ReleaseHold
from orderstore.wishes import holding, telling, undoing
from orderstore.wishes.wish import Granted
from workers.commands.acting import By, operator
from workers.commands.orders.options import Key, Lines, Note, OrderId, Seen, asking, body, carry_out, key_of, pieces
from workers.commands.running import DEFAULT_STATE_DIR, AsJson, StateDir


def cancel(
    order: OrderId,
    *,
    note: Note = "",
    by: By = None,
    seen: Seen = None,
    as_json: AsJson = False,
    state_dir: StateDir = DEFAULT_STATE_DIR,
) -> None:
    """Undo an order: every worker gives back what it holds. Too late once goods have left."""
    wish = undoing.cancel(body(CancelOrder, {"reason": note}), actor=operator(by))
    carry_out(state_dir, asking(order, wish), by=by, seen=seen, as_json=as_json)


def cancel_lines(
    order: OrderId,
    *,
    lines: Lines,
    key: Key = None,
    by: By = None,
    seen: Seen = None,
    as_json: AsJson = False,
    state_dir: StateDir = DEFAULT_STATE_DIR,
) -> None:
    """Take pieces out of an order that no carrier expects yet."""
    request = body(CancelLines, {"lines": pieces(lines)})
    wish = undoing.cancel_lines(order, request, actor=operator(by), idempotency_key=key_of(key))
    carry_out(state_dir, asking(order, wish), by=by, seen=seen, as_json=as_json)


def hold(
    order: OrderId,
    *,
    reason: Annotated[str, typer.Option("--reason", help="fraud_review, address, stock, payment or operator.")],
    name: Annotated[str | None, typer.Option("--name", help="The hold's name, by which it is released.")] = None,
    note: Note = "",
    key: Key = None,
    by: By = None,
    seen: Seen = None,
    as_json: AsJson = False,
    state_dir: StateDir = DEFAULT_STATE_DIR,
) -> None:
    """Stop an order: nothing is booked and nothing leaves until every hold is released."""
    request = body(HoldOrder, {"reason": reason, "holdId": name, "note": note})
    wish = holding.hold(order, request, idempotency_key=key_of(key))
    carry_out(state_dir, asking(order, wish), by=by, seen=seen, as_json=as_json)


def release(
    order: OrderId,
    name: Annotated[str, typer.Argument(metavar="HOLD", help="The hold's name.")],
    *,
    note: Note = "",
    by: By = None,
    seen: Seen = None,
    as_json: AsJson = False,
    state_dir: StateDir = DEFAULT_STATE_DIR,
) -> None:
    """End a hold; the order goes on after the last one."""
    wish = holding.release(name, body(ReleaseHold, {"note": note}))
    carry_out(state_dir, asking(order, wish), by=by, seen=seen, as_json=as_json)


def delay(
    order: OrderId,
    *,
    until: Annotated[
        str, typer.Option("--until", metavar="TIME", help="When the goods will leave, such as 2026-12-20T00:00:00Z.")
    ],
    reason: Annotated[str, typer.Option("--reason", help="Why, for the customer; it stands in the clear.")],
    consent_within_s: Annotated[
        int | None, typer.Option("--consent-within", metavar="SECONDS", help="Ask the customer, for so long.")
    ] = None,
    key: Key = None,
    by: By = None,
    seen: Seen = None,
    as_json: AsJson = False,
    state_dir: StateDir = DEFAULT_STATE_DIR,
) -> None:
    """Say that goods will leave later. Without consent in time, what has not left is undone."""
    request = body(DelayOrder, {"promisedAt": until, "reason": reason, "consentWithinS": consent_within_s})
    idempotency_key = key_of(key)

    async def work(orders: Orders, actor: Actor, expected: Expected) -> Granted:
        return await orders.delay(order, request, actor=actor, idempotency_key=idempotency_key, expected=expected)

    carry_out(state_dir, work, by=by, seen=seen, as_json=as_json)


def note(
    order: OrderId,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="The note; sealed with the customer's key.")],
    *,
    key: Key = None,
    by: By = None,
    as_json: AsJson = False,
    state_dir: StateDir = DEFAULT_STATE_DIR,
) -> None:
    """Write something down about an order; it changes nothing."""
    wish = telling.note(order, body(AddNote, {"note": text}), idempotency_key=key_of(key))
    carry_out(state_dir, asking(order, wish), by=by, as_json=as_json)
