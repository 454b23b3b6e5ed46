"""Where an order stands, in one small document: no lines, so that it stays small however long the order is.

Pure: it folds the log's events by itself and shares no rule with `orderstore.domain`; property tests hold what it says to the domain's
state, event by event, over any history.
"""

from dataclasses import replace
from typing import Final, assert_never

from orderstore.codec import timestamp
from orderstore.domain import events as e
from orderstore.domain.money import major
from orderstore.recorded import Recorded
from projections.views.order_status_documents import (
    answer_of,
    from_document,
    to_answer,
    to_document,
)
from projections.views.order_status_edits import next_attempt, with_edit
from projections.views.order_status_goods import (
    all_committed,
    count_of,
    inventory_after,
    returns_after,
    with_committed,
    with_parcel,
    without,
)
from projections.views.order_status_money import less_is_due, payment_after
from projections.views.order_status_parts import (
    ACTIONS_MAX,
    CREDIT_NOTES_MAX,
    STALLS_MAX,
    Action,
    Cancellation,
    Hold,
    Inventory,
    OrderStatus,
    Payment,
    Stall,
    Status,
)
from projections.views.view import Listing, OutOfPlace, View

__all__ = (
    "Cancellation",
    "OrderStatus",
    "Status",
    "answer_of",
    "from_document",
    "to_answer",
    "to_document",
)  # beside everything that is defined here

NAME: Final = "order_status"
SCHEMA: Final = 4  # raise it with every change of meaning: documents of another schema are folded anew from the log


def evolve(view: OrderStatus | None, recorded: Recorded) -> OrderStatus:
    """The view after one more event of the order, in the order of the log. Raises OutOfPlace."""
    if isinstance(recorded.event, e.OrderCreated):
        if view is not None:
            raise OutOfPlace(f"{recorded.order_id} is created a second time by commit {recorded.commit}")
        return _placed(recorded.event, recorded)
    if view is None:
        raise OutOfPlace(f"{recorded.order_id}: {recorded.name} in commit {recorded.commit}, and no order before it")
    moment = timestamp(recorded.occurred_at)
    after = _after(view, recorded.event, moment)
    return replace(
        after,
        stalls=_stalls_left(after, recorded.event) if after.stalls else (),
        updated_at=moment,
        last_recorded_at_ms=recorded.recorded_at_ms,
        version=recorded.version,
        commit=recorded.commit,
    )


def _placed(order: e.OrderCreated, recorded: Recorded) -> OrderStatus:
    return OrderStatus(
        order_id=order.order_id,
        customer_id=order.customer_id,
        status="RECEIVED",
        payment=Payment(status="PENDING", amount_minor=order.total_minor),
        inventory=Inventory(backorder=order.terms is not None and order.terms.missing_stock == "backorder"),
        currency=order.currency,
        total_minor=order.total_minor,
        total_exact=format(order.total_exact, "f"),
        total=major(order.total_minor, order.currency),
        line_count=len(order.lines),
        piece_count=sum(line.quantity for line in order.lines),
        placed_at=timestamp(order.placed_at),
        updated_at=timestamp(recorded.occurred_at),
        last_recorded_at_ms=recorded.recorded_at_ms,
        version=recorded.version,
        commit=recorded.commit,
    )


def _after(view: OrderStatus, event: e.Event, moment: str) -> OrderStatus:
    match event:
        case (
            e.PaymentMethodChosen()
            | e.PaymentAttemptStarted()
            | e.PaymentActionRequired()
            | e.PaymentCompleted()
            | e.PaymentFailed()
            | e.PaymentCaptured()
            | e.PaymentOutcomeUnknown()
            | e.PaymentVoided()
            | e.PaymentDisputed()
            | e.PaymentDisputeClosed()
            | e.RefundRequested()
            | e.RefundIssued()
            | e.RefundFailed()
            | e.RefundRetried()
        ):
            return replace(view, payment=payment_after(view.payment, event, due_minor=view.due_minor))
        case e.PaymentAuthorizationExpired():
            anew = replace(payment_after(view.payment, event, due_minor=view.due_minor), attempt=next_attempt(view))
            return replace(view, payment=anew)
        case (
            e.OrderEditRequested()
            | e.OrderEditReserved()
            | e.OrderEditApplied()
            | e.OrderEditDeclined()
            | e.OrderEditReleased()
        ):
            return with_edit(view, event)
        case (
            e.InventoryReserved()
            | e.InventoryPartiallyReserved()
            | e.InventoryFailed()
            | e.BackorderFilled()
            | e.ReservationExpired()
            | e.InventoryReleased()
        ):
            return replace(view, inventory=inventory_after(view.inventory, event))
        case e.InventoryCommitted():
            return with_committed(view, event)
        case e.ShipmentDispatched():
            return replace(with_parcel(view, event), status="IN_FULFILMENT")
        case (
            e.ShipmentCreated()
            | e.ShipmentCancelled()
            | e.ShipmentDelivered()
            | e.ShipmentFailed()
            | e.TrackingUpdated()
        ):
            return with_parcel(view, event)
        case (
            e.ReturnRequested()
            | e.ReturnApproved()
            | e.ReturnDeclined()
            | e.ReturnCancelled()
            | e.ReturnReceived()
            | e.ReturnInspected()
        ):
            return replace(view, returns=returns_after(view.returns, event))
        case e.LinesCancelled():
            return _with_lines_cancelled(view, event)
        case e.InvoiceIssued():
            return replace(view, invoice_numbers=(*view.invoice_numbers, event.invoice_number))
        case e.CreditNoteIssued():
            numbers = (*view.credit_note_numbers, event.credit_note_number)
            omitted = view.credit_notes_omitted + max(0, len(numbers) - CREDIT_NOTES_MAX)
            return replace(view, credit_note_numbers=numbers[-CREDIT_NOTES_MAX:], credit_notes_omitted=omitted)
        case e.OrderConfirmed():
            return replace(view, status="CONFIRMED")
        case e.OrderRejected():
            return _ended(view, "REJECTED")
        case e.OrderCancellationRequested():
            return replace(view, status="CANCELLING", cancellation=Cancellation(reason=event.reason))
        case e.OrderCancellationDeclined():
            cancellation = view.cancellation or Cancellation(reason=event.reason)
            return replace(view, cancellation=replace(cancellation, declined=True))
        case e.OrderCancelled():
            return replace(_ended(view, "CANCELLED"), cancellation=Cancellation(reason=event.reason))
        case e.OrderCompleted():
            return _ended(view, "COMPLETED")
        case e.OrderHeld():
            held = Hold(hold_id=event.hold_id, reason=event.reason, since=moment)
            return replace(view, holds=(*view.holds, held))
        case e.OrderHoldReleased():
            return replace(view, holds=tuple(hold for hold in view.holds if hold.hold_id != event.hold_id))
        case e.FraudReviewRequested():
            return replace(view, review="OPEN")
        case e.FraudReviewPassed():
            return replace(view, review="PASSED")
        case e.FraudReviewFailed():
            return replace(view, review="FAILED")
        case e.OrderActionRequired() | e.OrderActionAnswered():
            return _asked(view, event)
        case e.OrderProcessStalled():
            return replace(view, stalls=(*view.stalls, Stall(event.stage, event.subject))[:STALLS_MAX])
        case e.OrderProcessResumed():
            return replace(view, stalls=tuple(one for one in view.stalls if one != Stall(event.stage, event.subject)))
        case (
            e.OrderCreated()  # handled by `evolve`
            | e.OrderExpired()
            | e.OrderGraceEnded()
            | e.OrderNoteAdded()
            | e.PaymentHoldReleased()
            | e.InventoryRestocked()
            | e.PiecesReleased()
            | e.ShipmentDelayed()
            | e.ShipmentRecalled()
            | e.InvoiceDocumentStored()
            | e.PaymentDiscrepancyFound()
            | e.DiscrepancyFound()
            | e.PersonalDataErased()
        ):
            return view
        case _:
            assert_never(event)


def _with_lines_cancelled(view: OrderStatus, event: e.LinesCancelled) -> OrderStatus:
    less = replace(
        view,
        inventory=without(view.inventory, event.lines),
        cancelled_pieces=view.cancelled_pieces + count_of(event.lines),
        cancelled_minor=view.cancelled_minor + event.amount_minor,
    )
    return all_committed(replace(less, payment=less_is_due(less.payment, due_minor=less.due_minor)))


def _asked(view: OrderStatus, event: e.OrderActionRequired | e.OrderActionAnswered) -> OrderStatus:
    """The first open questions are shown, and how many more there are."""
    if isinstance(event, e.OrderActionAnswered):
        left = tuple(action for action in view.actions if action.action_id != event.action_id)
        if len(left) == len(view.actions):
            return replace(view, actions_omitted=max(0, view.actions_omitted - 1))
        return replace(view, actions=left)
    if len(view.actions) >= ACTIONS_MAX:
        return replace(view, actions_omitted=view.actions_omitted + 1)
    action = Action(action_id=event.action_id, kind=event.kind, deadline=timestamp(event.deadline))
    return replace(view, actions=(*view.actions, action))


def _ended(view: OrderStatus, status: Status) -> OrderStatus:
    """Holds and questions end with the order."""
    return replace(view, status=status, holds=(), actions=(), actions_omitted=0)


def _stalls_left(view: OrderStatus, event: e.Event) -> tuple[Stall, ...]:
    """As `waiting.stalls_left`."""
    held_anew = isinstance(event, e.PaymentCompleted)
    return tuple(
        stall for stall in view.stalls if _waits_in(view, stall) and not (held_anew and stall.stage == "capture")
    )


def _waits_in(view: OrderStatus, stall: Stall) -> bool:
    """Whether the order is still in the stage; of a parcel or a refund that is not told apart any more nobody says so."""
    match stall.stage:
        case "outcomes":
            return view.status == "RECEIVED"
        case "capture":
            here = view.status in ("RECEIVED", "CONFIRMED", "IN_FULFILMENT")
            return here and view.payment.status == "AUTHORIZED"
        case "dispatch" if view.holds:
            return False
        case "dispatch" if stall.subject is None:
            return view.status == "CONFIRMED"
        case "dispatch":
            booked = any(one.shipment_id == stall.subject and one.status == "BOOKED" for one in view.shipments)
            return booked and view.status == "IN_FULFILMENT"
        case "undo":
            return view.status == "CANCELLING"
        case "delivery":
            return any(one.shipment_id == stall.subject and one.status == "DISPATCHED" for one in view.shipments)
        case "refund":
            ended = view.status in ("CANCELLED", "REJECTED")
            return not ended and any(one.refund_id == stall.subject for one in view.payment.owed)


def customer_list(customer_id: str) -> str:
    """The list of a customer's orders, by the time they were placed."""
    return f"customer/{customer_id}"


def _listing(view: OrderStatus) -> Listing | None:
    if view.customer_id is None:
        return None
    return Listing(customer_list(view.customer_id), f"{view.placed_at}/{view.order_id}")


VIEW: Final[View[OrderStatus]] = View(
    name=NAME,
    schema=SCHEMA,
    evolve=evolve,
    to_document=to_document,
    from_document=from_document,
    listing=_listing,
)
