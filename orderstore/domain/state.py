"""The order as its events tell it. `evolve` holds no rules; an impossible transition is a bug."""

from collections.abc import Iterable
from typing import Final, TypeVar, assert_never

from orderstore.domain import events as e
from orderstore.domain.copying import become, replace
from orderstore.domain.evolving import (
    payment_after,
    refund_of,
    returns_after,
    shipments_after,
)
from orderstore.domain.evolving_edits import after_edit, all_released
from orderstore.domain.evolving_pieces import committed, without_pieces
from orderstore.domain.evolving_stock import inventory_after
from orderstore.domain.parts import (
    UNPAID,
    CreditNote,
    Edit,
    EditStatus,
    Hold,
    Inventory,
    InventoryStatus,
    LineCancellation,
    Payment,
    PaymentStatus,
    Question,
    Refund,
    Return,
    ReturnStatus,
    Shipment,
    ShipmentStatus,
    Stall,
)
from orderstore.domain.shares import surplus_refund_id
from orderstore.domain.statuses import (
    Cancelled,
    Cancelling,
    Completed,
    Confirmed,
    ImpossibleTransition,
    InFulfilment,
    NotPlaced,
    Order,
    Placed,
    Received,
    Rejected,
    State,
)
from orderstore.domain.waiting import stalls_left

__all__ = (
    "Cancelled",
    "Cancelling",
    "Completed",
    "Confirmed",
    "CreditNote",
    "Edit",
    "EditStatus",
    "Hold",
    "ImpossibleTransition",
    "InFulfilment",
    "Inventory",
    "InventoryStatus",
    "LineCancellation",
    "NotPlaced",
    "Order",
    "Payment",
    "PaymentStatus",
    "Placed",
    "Question",
    "Received",
    "Refund",
    "Rejected",
    "Return",
    "ReturnStatus",
    "Shipment",
    "ShipmentStatus",
    "Stall",
    "State",
)  # beside everything that is defined here

_S = TypeVar("_S", bound=Placed)

INITIAL: Final = NotPlaced()


def fold(state: State, events: Iterable[e.Event]) -> State:
    """Apply events in order."""
    for event in events:
        state = evolve(state, event)
    return state


def evolve(state: State, event: e.Event) -> State:
    """The state after one more event. Raises ImpossibleTransition."""
    after = _evolve(state, event)
    if after.stalls and (left := stalls_left(after, event)) != after.stalls:
        return replace(after, stalls=left)
    return after


def _evolve(state: State, event: e.Event) -> Order:
    if isinstance(event, e.OrderCreated):
        if not isinstance(state, NotPlaced):
            raise ImpossibleTransition("OrderCreated on an order that exists")
        unpaid = replace(UNPAID, amount_minor=event.total_minor)
        return become(
            Received, state, order=event, payment=unpaid, grace_until=event.grace_until, ship_by=event.ship_by
        )
    if isinstance(state, NotPlaced):
        raise ImpossibleTransition(f"{type(event).__name__} before OrderCreated")
    match event:  # cases are tried in turn: what every order meets comes first
        case e.PaymentCompleted() | e.PaymentCaptured():
            return replace(state, payment=payment_after(state.payment, event, due_minor=state.due_minor))
        case e.InventoryReserved() | e.InventoryCommitted():
            return committed(replace(state, inventory=inventory_after(state.inventory, event, backorder=False)))
        case e.OrderConfirmed():
            return _become(Confirmed, state, after=(Received,))
        case (
            e.ShipmentCreated()
            | e.ShipmentDelivered()
            | e.ShipmentRecalled()
            | e.ShipmentCancelled()
            | e.ShipmentFailed()
        ):
            return replace(state, shipments=shipments_after(state.shipments, event))
        case e.ShipmentDispatched():
            sent = replace(state, shipments=shipments_after(state.shipments, event))
            return (
                sent if isinstance(sent, InFulfilment) else _become(InFulfilment, sent, after=(Confirmed, Cancelling))
            )
        case e.InvoiceIssued():
            return replace(state, invoice=event)
        case e.OrderCompleted():
            return _become(Completed, state, after=(InFulfilment,))
        case e.CreditNoteIssued():
            return replace(state, credit_notes=(*state.credit_notes, _credit_note(state, event)))
        case e.InvoiceDocumentStored():
            return state if event.number in state.stored else replace(state, stored=(*state.stored, event.number))
        case e.OrderRejected():
            return _become(Rejected, state, after=(Received,))
        case e.OrderCancellationRequested():
            return replace(_become(Cancelling, state, after=(Received, Confirmed)), reason=event.reason)
        case e.OrderCancelled():
            return replace(_become(Cancelled, state, after=(Cancelling,)), reason=event.reason)
        case e.RefundRequested():
            return _refunding(state, event)
        case (
            e.PaymentFailed()
            | e.PaymentVoided()
            | e.PaymentHoldReleased()
            | e.PaymentMethodChosen()
            | e.PaymentAttemptStarted()
            | e.PaymentActionRequired()
            | e.PaymentAuthorizationExpired()
            | e.PaymentOutcomeUnknown()
            | e.PaymentDisputed()
            | e.PaymentDisputeClosed()
            | e.RefundIssued()
            | e.RefundFailed()
            | e.RefundRetried()
        ):
            return replace(state, payment=payment_after(state.payment, event, due_minor=state.due_minor))
        case (
            e.InventoryPartiallyReserved()
            | e.InventoryFailed()
            | e.BackorderFilled()
            | e.ReservationExpired()
            | e.PiecesReleased()
        ):
            return replace(state, inventory=inventory_after(state.inventory, event, backorder=_backorders(state)))
        case e.InventoryReleased():
            inventory = inventory_after(state.inventory, event, backorder=False)
            return all_released(replace(state, inventory=inventory))
        case e.LinesCancelled():
            return committed(without_pieces(state, event))
        case (
            e.OrderEditRequested()
            | e.OrderEditReserved()
            | e.OrderEditApplied()
            | e.OrderEditDeclined()
            | e.OrderEditReleased()
        ):
            return after_edit(state, event)
        case e.OrderHeld() | e.OrderHoldReleased():
            return _held(state, event)
        case e.OrderActionRequired():
            question = Question(event.action_id, event.kind, event.deadline)
            return replace(
                state, questions=(*state.questions, question), question_ids=(*state.question_ids, event.action_id)
            )
        case e.OrderActionAnswered():
            open_ones = tuple(question for question in state.questions if question.action_id != event.action_id)
            return replace(state, questions=open_ones)
        case e.FraudReviewRequested():
            return replace(state, review="open")
        case e.FraudReviewPassed():
            return replace(state, review="passed")
        case e.FraudReviewFailed():
            return replace(state, review="failed")
        case e.ReturnRequested():
            asked = Return(return_id=event.return_id, lines=event.lines, exchange_order_id=event.exchange_order_id)
            return replace(state, returns=(*state.returns, asked))
        case (
            e.ReturnApproved()
            | e.ReturnDeclined()
            | e.ReturnCancelled()
            | e.ReturnReceived()
            | e.ReturnInspected()
            | e.InventoryRestocked()
        ):
            return replace(state, returns=returns_after(state.returns, event))
        case e.OrderProcessStalled():
            return replace(state, stalls=(*state.stalls, Stall(event.stage, event.subject)))
        case e.OrderProcessResumed():
            return replace(state, stalls=tuple(one for one in state.stalls if one != Stall(event.stage, event.subject)))
        case e.OrderGraceEnded():
            return replace(state, grace_until=None)
        case e.OrderNoteAdded():
            return replace(state, notes=state.notes + 1)
        case e.ShipmentDelayed():
            ship_by = state.ship_by and max(state.ship_by, event.promised_at)
            return replace(state, delays=state.delays + 1, ship_by=ship_by)
        case (
            e.OrderCancellationDeclined()
            | e.OrderExpired()
            | e.TrackingUpdated()
            | e.PaymentDiscrepancyFound()
            | e.DiscrepancyFound()
            | e.PersonalDataErased()
        ):
            return state
        case _:
            assert_never(event)


def _credit_note(state: Order, event: e.CreditNoteIssued) -> CreditNote:
    """Raises ImpossibleTransition for one that no invoice is behind, or no refund, or that its refund has already."""
    if state.invoice is None or state.invoice.invoice_number != event.invoice_number:
        raise ImpossibleTransition(f"credit note {event.credit_note_number} names an invoice that the order has not")
    if not any(refund.refund_id == event.refund_id and refund.issued for refund in state.payment.refunds):
        raise ImpossibleTransition(f"credit note {event.credit_note_number} is for a refund that was not issued")
    if any(note.refund_id == event.refund_id for note in state.credit_notes):
        raise ImpossibleTransition(f"refund {event.refund_id} is credited a second time")
    return CreditNote(refund_id=event.refund_id, total_minor=event.total_minor, number=event.credit_note_number)


def _refunding(state: Order, event: e.RefundRequested) -> Order:
    promised = refund_of(event, of_cancellation=event.refund_id in _refunds_of(state), after=len(state.cancelled))
    return replace(state, payment=replace(state.payment, refunds=(*state.payment.refunds, promised)))


def _refunds_of(state: Order) -> frozenset[str]:
    of_parts = (part.refund_id for part in state.cancelled if part.refund_id is not None)
    return frozenset((*of_parts, surplus_refund_id(state.order.order_id)))


def _held(state: Order, event: e.OrderHeld | e.OrderHoldReleased) -> Order:
    if isinstance(event, e.OrderHeld):
        if event.hold_id in state.hold_ids:
            raise ImpossibleTransition(f"hold {event.hold_id} is placed a second time")
        holds = (*state.holds, Hold(event.hold_id, event.reason))
        return replace(state, holds=holds, hold_ids=(*state.hold_ids, event.hold_id))
    left = tuple(hold for hold in state.holds if hold.hold_id != event.hold_id)
    if len(left) == len(state.holds):
        raise ImpossibleTransition(f"hold {event.hold_id} is released and is not open")
    return replace(state, holds=left)


def _backorders(state: Order) -> bool:
    return state.order.terms is not None and state.order.terms.missing_stock == "backorder"


def _become(status: type[_S], state: Order, *, after: tuple[type[Placed], ...]) -> _S:
    """The same order in another status. Its end ends its holds and its questions."""
    if not isinstance(state, after):
        raise ImpossibleTransition(f"an order that is {type(state).__name__} cannot become {status.__name__}")
    if issubclass(status, Completed | Cancelled | Rejected):
        return become(status, state, holds=(), questions=())
    return become(status, state)
