"""Decisions: `(state, *, inputs) -> tuple[Event, ...]`, `()` meaning "already so". No clock, no ids made up, no I/O.

Outcomes of workers never fail for business reasons: an outcome that the order no longer needs is `()`, or is recorded
so that the worker's next step (`next_steps`) can give back what it holds. Commands of people raise
`rejections.CommandRejected`.
"""

from orderstore.domain import events as e
from orderstore.domain.decide_edits import (
    ask_for_edit,
    cover_edit,
    decline_edit,
    release_edit,
    release_hold_of_attempt,
    request_edit,
    reserve_edit,
    withdraw_edit,
)
from orderstore.domain.decide_payment import (
    capture_payment,
    close_dispute,
    complete_payment,
    dispute_payment,
    expire_authorization,
    fail_payment,
    fail_refund,
    issue_refund,
    lose_sight_of_payment,
    note_discrepancy,
    request_refund,
    require_payment_action,
    retry_payment,
    retry_refund,
    void_payment,
)
from orderstore.domain.decide_process import (
    add_note,
    answer,
    fail_review,
    pass_review,
    request_cancellation,
    resume,
    stall,
)
from orderstore.domain.decide_returns import (
    approve_return,
    cancel_return,
    decline_return,
    inspect_return,
    receive_return,
    request_return,
)
from orderstore.domain.decide_shipping import (
    cancel_shipment,
    create_shipment,
    delay_shipment,
    deliver_shipment,
    dispatch_shipment,
    fail_shipment,
    track_shipment,
)
from orderstore.domain.decide_stock import (
    cancel_lines,
    commit_inventory,
    fail_inventory,
    fill_backorder,
    partly_reserve_inventory,
    release_inventory,
    release_pieces,
    reserve_inventory,
    restock,
)
from orderstore.domain.deciding import Decision, existing
from orderstore.domain.state import NotPlaced, State

__all__ = (
    "Decision",
    "add_note",
    "answer",
    "approve_return",
    "ask_for_edit",
    "cancel_lines",
    "cancel_return",
    "cancel_shipment",
    "capture_payment",
    "close_dispute",
    "commit_inventory",
    "complete_payment",
    "cover_edit",
    "create_shipment",
    "decline_edit",
    "decline_return",
    "delay_shipment",
    "deliver_shipment",
    "dispatch_shipment",
    "dispute_payment",
    "erase_personal_data",
    "expire_authorization",
    "fail_inventory",
    "fail_payment",
    "fail_refund",
    "fail_review",
    "fail_shipment",
    "fill_backorder",
    "inspect_return",
    "issue_refund",
    "lose_sight_of_payment",
    "note_discrepancy",
    "partly_reserve_inventory",
    "pass_review",
    "place",
    "receive_return",
    "release_edit",
    "release_hold_of_attempt",
    "release_inventory",
    "release_pieces",
    "request_cancellation",
    "request_edit",
    "request_refund",
    "request_return",
    "require_payment_action",
    "reserve_edit",
    "reserve_inventory",
    "restock",
    "resume",
    "retry_payment",
    "retry_refund",
    "stall",
    "track_shipment",
    "void_payment",
    "withdraw_edit",
)


def place(state: State, *, order: e.OrderCreated, method: str | None = None) -> Decision:
    """Accept an order, how it is paid, and that somebody is to look at it, where its terms say so. On an existing one: already so (the
    caller compares `request_hash`)."""
    if not isinstance(state, NotPlaced):
        return ()
    paid = () if method is None else (e.PaymentMethodChosen(method=method),)
    reviewed = (e.FraudReviewRequested(),) if order.terms is not None and order.terms.review else ()
    return (order, *paid, *reviewed)


def erase_personal_data(state: State, *, erasure: e.PersonalDataErased) -> Decision:
    """Note that the order's personal data cannot be read any more; whether that is noted already, the log knows and the state does not."""
    existing(state)
    return (erasure,)
