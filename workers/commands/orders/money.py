"""`orders retry-payment`, `answer`, `review`, `refund`, `retry-refund`."""

from typing import Annotated

import typer

from orderstore.change_requests import AnswerQuestion, RetryPayment, ReviewOrder
from orderstore.requests import RequestRefund
from orderstore.wishes import answering, undoing
from workers.commands.acting import By
from workers.commands.orders.options import Key, Lines, Note, OrderId, Seen, asking, body, carry_out, key_of, pieces
from workers.commands.running import DEFAULT_STATE_DIR, AsJson, StateDir


def retry_payment(
    order: OrderId,
    *,
    method: Annotated[
        str | None, typer.Option("--method", metavar="TOKEN", help="The payment provider's token of another card.")
    ] = None,
    key: Key = None,
    by: By = None,
    seen: Seen = None,
    as_json: AsJson = False,
    state_dir: StateDir = DEFAULT_STATE_DIR,
) -> None:
    """Pay in another way what was declined, or what the bank asks about; or try again."""
    wish = answering.retry_payment(body(RetryPayment, {"paymentMethod": method}), idempotency_key=key_of(key))
    carry_out(state_dir, asking(order, wish), by=by, seen=seen, as_json=as_json)


def answer(
    order: OrderId,
    question: Annotated[str, typer.Argument(metavar="QUESTION", help="What was asked, such as missing_stock.")],
    decision: Annotated[str, typer.Argument(metavar="ANSWER", help="accepted or declined.")],
    *,
    by: By = None,
    seen: Seen = None,
    as_json: AsJson = False,
    state_dir: StateDir = DEFAULT_STATE_DIR,
) -> None:
    """Answer for a customer who has called."""
    wish = answering.answer(question, body(AnswerQuestion, {"answer": decision}))
    carry_out(state_dir, asking(order, wish), by=by, seen=seen, as_json=as_json)


def review(
    order: OrderId,
    outcome: Annotated[str, typer.Argument(metavar="OUTCOME", help="passed or failed.")],
    *,
    score: Annotated[int | None, typer.Option("--score", help="0 to 100, by the reviewer's own measure.")] = None,
    rules: Annotated[
        list[str] | None, typer.Option("--rule", help="The name of what was looked at; may be repeated.")
    ] = None,
    by: By = None,
    seen: Seen = None,
    as_json: AsJson = False,
    state_dir: StateDir = DEFAULT_STATE_DIR,
) -> None:
    """Let an order that is under review go on, or undo it."""
    wish = answering.review(body(ReviewOrder, {"outcome": outcome, "score": score, "rules": rules or []}))
    carry_out(state_dir, asking(order, wish), by=by, seen=seen, as_json=as_json)


def refund(
    order: OrderId,
    *,
    lines: Lines,
    note: Note = "",
    key: Key = None,
    by: By = None,
    seen: Seen = None,
    as_json: AsJson = False,
    state_dir: StateDir = DEFAULT_STATE_DIR,
) -> None:
    """Give money back for pieces that stay where they are."""
    request = body(RequestRefund, {"lines": pieces(lines), "reason": note})
    wish = undoing.refund(order, request, idempotency_key=key_of(key))
    carry_out(state_dir, asking(order, wish), by=by, seen=seen, as_json=as_json)


def retry_refund(
    order: OrderId,
    refund_id: Annotated[str, typer.Argument(metavar="REFUND", help="The refund's id, as the order's events show it.")],
    *,
    key: Key = None,
    by: By = None,
    as_json: AsJson = False,
    state_dir: StateDir = DEFAULT_STATE_DIR,
) -> None:
    """Try a refund again that the provider could not give."""
    wish = undoing.retry_refund(refund_id, idempotency_key=key_of(key))
    carry_out(state_dir, asking(order, wish), by=by, as_json=as_json)
