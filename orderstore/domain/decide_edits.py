"""Decisions about edits that add pieces to an order, in the shape of `decisions`, which offers them.

An edit is all or nothing: first its pieces are set aside, then the provider is asked to hold what the whole order costs with it, and only
then is the order changed, in one commit. Until then the order is what it was, and nothing of it is booked; and what was held for it before
is let go only afterwards. Whoever is late, with pieces or with money, finds the edit decided and gives back what he holds.
"""

from datetime import datetime

from orderstore.domain import events as e
from orderstore.domain.deciding import ATTEMPTS_MAX, Decision, existing, with_follow_up
from orderstore.domain.edits import Added, priced
from orderstore.domain.parcels import LIVE, shipments_in
from orderstore.domain.rejections import (
    EditUnderWay,
    OrderClosed,
    TooEarlyToEdit,
    TooLateToEdit,
    TooManyAttempts,
    UnknownEdit,
)
from orderstore.domain.state import (
    Cancelled,
    Cancelling,
    Completed,
    Confirmed,
    Edit,
    EditStatus,
    InFulfilment,
    Order,
    PaymentStatus,
    Received,
    Rejected,
    State,
)

_SECOND_ORDER = "place a second order for what is wanted beside it"


def request_edit(state: State, *, edit_id: str, added: tuple[Added, ...]) -> Decision:
    """Ask for pieces to be added; `()` when that was asked before, whatever became of it.

    Raises UnknownOrder, OrderClosed, TooEarlyToEdit, TooLateToEdit, EditUnderWay, EditRefused, TooManyAttempts.
    """
    order = existing(state)
    if any(edit.edit_id == edit_id for edit in order.edits):
        return ()
    _check_may_be_edited(order)
    attempt = order.payment.next_attempt
    if attempt > ATTEMPTS_MAX:
        raise TooManyAttempts(f"the order's payment was tried {ATTEMPTS_MAX} times")
    amount_minor, pricing = priced(order.order, added)
    return (
        e.OrderEditRequested(
            edit_id=edit_id,
            lines=tuple(one.line for one in added),
            amount_minor=amount_minor,
            due_minor=order.due_minor + amount_minor,
            attempt=attempt,
            pricing=pricing,
        ),
    )


def _check_may_be_edited(order: Order) -> None:
    match order:
        case Received():
            raise TooEarlyToEdit("the order is not confirmed yet: try again when it is")
        case InFulfilment() | Completed():
            raise TooLateToEdit(f"goods have left: {_SECOND_ORDER}")
        case Cancelling() | Cancelled() | Rejected():
            raise OrderClosed("the order is cancelled or rejected")
        case Confirmed():
            pass
    refuse_while_edited(order)
    if shipments_in(order, LIVE):
        raise TooLateToEdit(f"the carrier expects the goods: {_SECOND_ORDER}")
    if order.payment.refunds:
        raise TooLateToEdit(f"money was promised back: {_SECOND_ORDER}")
    match order.payment.status:
        case PaymentStatus.AUTHORIZED:
            pass
        case PaymentStatus.CAPTURED | PaymentStatus.PARTIALLY_CAPTURED:
            raise TooLateToEdit(f"the order's money was taken: {_SECOND_ORDER}")
        case PaymentStatus.PENDING | PaymentStatus.ACTION_REQUIRED | PaymentStatus.FAILED | PaymentStatus.VOIDED:
            raise TooEarlyToEdit("the order's payment is being decided: try again when it is")


def refuse_while_edited(order: Order) -> None:
    """Raises EditUnderWay: what the order costs is not to change under an edit."""
    if order.open_edit is not None:
        raise EditUnderWay("the order is being edited: wait until that is decided, or withdraw the edit")


def reserve_edit(state: State, *, outcome: e.OrderEditReserved) -> Decision:
    """Every piece of the edit is set aside. One that costs nothing more is applied at once. On an edit that is decided `()`: the worker
    gives them back."""
    order = existing(state)
    edit = _open(order, outcome.edit_id)
    if edit is None or edit.reserved:
        return ()
    return (outcome, *((_applied(edit),) if edit.amount_minor == 0 else ()))


def ask_for_edit(state: State, *, edit_id: str, deadline: datetime) -> Decision:
    """The provider waits for the customer, who has until then."""
    order = existing(state)
    edit = _open(order, edit_id)
    question = question_of(edit_id)
    if edit is None or question in order.question_ids:
        return ()
    return (e.OrderActionRequired(action_id=question, kind="edit_payment", deadline=deadline),)


def cover_edit(state: State, *, edit_id: str, outcome: e.PaymentCompleted) -> Decision:
    """The provider holds what the order costs with the edit: it is applied in the same commit."""
    order = existing(state)
    edit = _open(order, edit_id)
    if edit is None or not edit.reserved or outcome.attempt != edit.attempt:
        return ()
    return with_follow_up(order, *_answered(order, edit, "accepted"), outcome, _applied(edit))


def decline_edit(state: State, *, edit_id: str, reason: e.EditDecline, code: str | None = None) -> Decision:
    """The edit comes to nothing; `()` when it is decided."""
    order = existing(state)
    edit = _open(order, edit_id)
    return () if edit is None else _declined(order, edit, reason, code)


def withdraw_edit(state: State, *, edit_id: str) -> Decision:
    """Somebody takes an edit back. Raises UnknownOrder, UnknownEdit, TooLateToEdit (it is applied)."""
    order = existing(state)
    edit = next((one for one in order.edits if one.edit_id == edit_id), None)
    if edit is None:
        raise UnknownEdit("the order never had this edit")
    match edit.status:
        case EditStatus.OPEN:
            return _declined(order, edit, "withdrawn")
        case EditStatus.DECLINED:
            return ()
        case EditStatus.APPLIED:
            raise TooLateToEdit("the edit is applied: cancel the lines that it has added")


def given_up(order: Order, reason: e.EditDecline, code: str | None = None) -> Decision:
    """What becomes of an edit that is open when the order's own course decides it; usually `()`."""
    return () if order.open_edit is None else _declined(order, order.open_edit, reason, code)


def release_edit(state: State, *, edit_id: str) -> Decision:
    """Nothing is set aside for a declined edit any more. Of an order that is being undone all is put back at once."""
    order = existing(state)
    if isinstance(order, Cancelling | Cancelled | Rejected):
        return ()
    waits = any(
        edit.edit_id == edit_id and edit.status is EditStatus.DECLINED and not edit.released for edit in order.edits
    )
    return (e.OrderEditReleased(edit_id=edit_id),) if waits else ()


def release_hold_of_attempt(state: State, *, outcome: e.PaymentHoldReleased) -> Decision:
    """What another attempt held is held no longer."""
    order = existing(state)
    waits = any(spare.attempt == outcome.attempt for spare in order.payment.spare)
    return with_follow_up(order, outcome) if waits else ()


def question_of(edit_id: str) -> str:
    """The id of the question that an edit's customer is asked by the bank."""
    return f"edit:{edit_id}"


def _open(order: Order, edit_id: str) -> Edit | None:
    edit = order.open_edit
    return edit if edit is not None and edit.edit_id == edit_id else None


def _applied(edit: Edit) -> e.OrderEditApplied:
    return e.OrderEditApplied(
        edit_id=edit.edit_id, lines=edit.lines, amount_minor=edit.amount_minor, pricing=edit.pricing
    )


def _declined(order: Order, edit: Edit, reason: e.EditDecline, code: str | None = None) -> Decision:
    answer: e.Answer = "expired" if reason == "not_in_time" else "declined"
    declined = e.OrderEditDeclined(edit_id=edit.edit_id, reason=reason, code=code)
    return (*_answered(order, edit, answer), declined)


def _answered(order: Order, edit: Edit, answer: e.Answer) -> tuple[e.OrderActionAnswered, ...]:
    return tuple(
        e.OrderActionAnswered(action_id=question.action_id, answer=answer)
        for question in order.questions
        if question.action_id == question_of(edit.edit_id)
    )
