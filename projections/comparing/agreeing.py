"""What the status view has to say of an order's own state, in the words of its document: two folds that share no rule. Pure.

Of what the view bounds (`projections/views/order_status_parts.py`), what lies beyond is not compared.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from orderstore.codec import timestamp
from orderstore.domain import state as s
from orderstore.domain.parcels import shipped
from projections.views import order_status
from projections.views.order_status_parts import (
    ACTIONS_MAX,
    CREDIT_NOTES_MAX,
    DISPUTES_MAX,
    OWED_MAX,
    SHIPMENTS_MAX,
    STALLS_MAX,
)

_STATUS: Final[Mapping[type[s.State], order_status.Status]] = MappingProxyType(
    {
        s.Received: "RECEIVED",
        s.Confirmed: "CONFIRMED",
        s.InFulfilment: "IN_FULFILMENT",
        s.Completed: "COMPLETED",
        s.Cancelling: "CANCELLING",
        s.Cancelled: "CANCELLED",
        s.Rejected: "REJECTED",
    }
)
_OF_A_PARCEL: Final = ("shipmentId", "status", "location", "pieces")
_OF_AN_EDIT: Final = ("editId", "status", "lineCount", "pieceCount", "amountMinor", "attempt")
_OF_A_HOLD: Final = ("holdId", "reason")


def of_state(state: s.Order) -> dict[str, Any]:
    """What the document must say, by field."""
    notes, parcels = state.credit_notes, [_parcel(state, one) for one in state.shipments]
    return {
        "status": _STATUS[type(state)],
        **_of_payment(state),
        "inventory.status": state.inventory.status.name,
        "inventory.missingPieces": sum(part.quantity for part in state.inventory.missing),
        "shipment.status": parcels[-1]["status"] if parcels else None,
        "shipments": parcels[-SHIPMENTS_MAX:],
        "shipmentsOmitted": max(0, len(parcels) - SHIPMENTS_MAX),
        "invoiceNumbers": [] if state.invoice is None else [state.invoice.invoice_number],
        "creditNoteNumbers": [note.number for note in notes[-CREDIT_NOTES_MAX:]],
        "creditNotesOmitted": max(0, len(notes) - CREDIT_NOTES_MAX),
        "cancelledPieces": sum(part.quantity for one in state.cancelled for part in one.lines),
        "cancelledMinor": sum(one.amount_minor for one in state.cancelled),
        "holds": [{"holdId": hold.hold_id, "reason": hold.reason} for hold in state.holds],
        "edits": [_edit(edit) for edit in state.edits],
        "totalMinor": state.order.total_minor,
        "totalExact": format(state.order.total_exact, "f"),
        "lineCount": len(state.order.lines),
        "pieceCount": sum(line.quantity for line in state.order.lines),
        "review": state.review.upper(),
        **_of_people(state),
    }


def of_view(view: order_status.OrderStatus) -> dict[str, Any]:
    """What it says, by the same fields and some more."""
    document = order_status.to_answer(view)
    of_parts = {f"{part}.{name}": value for part in ("payment", "inventory") for name, value in document[part].items()}
    return {
        **document,
        **of_parts,
        "shipment.status": None if document["shipment"] is None else document["shipment"]["status"],
        "shipments": [{name: parcel[name] for name in _OF_A_PARCEL} for parcel in document["shipments"]],
        "holds": [{name: hold[name] for name in _OF_A_HOLD} for hold in document["holds"]],
        "edits": [{name: edit[name] for name in _OF_AN_EDIT} for edit in document["edits"]],
    }


def _edit(edit: s.Edit) -> dict[str, Any]:
    return {
        "editId": edit.edit_id,
        "status": edit.status.name,
        "lineCount": len(edit.lines),
        "pieceCount": sum(line.quantity for line in edit.lines),
        "amountMinor": edit.amount_minor,
        "attempt": edit.attempt,
    }


def _of_payment(state: s.Order) -> dict[str, Any]:
    payment = state.payment
    said = {
        "payment.status": payment.status.name,
        "payment.attempt": payment.attempt,
        "payment.amountMinor": payment.amount_minor,
        "payment.dueMinor": state.due_minor,
        "payment.capturedMinor": payment.captured_minor,
        "payment.refundedMinor": sum(refund.amount_minor for refund in payment.refunds if refund.issued),
        "payment.outcomeUnknown": payment.unknown,
        "payment.retryUntil": None if payment.retry_until is None else timestamp(payment.retry_until),
    }
    if len(payment.refunds) <= OWED_MAX:
        failed = [refund for refund in payment.refunds_owed if refund.failed]
        said["payment.refundPendingMinor"] = sum(refund.amount_minor for refund in payment.refunds_pending)
        said["payment.refundFailedMinor"] = sum(refund.amount_minor for refund in failed)
    if len(payment.disputes) <= DISPUTES_MAX:
        said["payment.disputedMinor"] = payment.disputed_minor
    return said


def _parcel(state: s.Order, shipment: s.Shipment) -> dict[str, Any]:
    return {
        "shipmentId": shipment.shipment_id,
        "status": shipment.status.name,
        "location": shipment.location,
        "pieces": sum(part.quantity for part in shipped(state, shipment)),
    }


def _of_people(state: s.Order) -> dict[str, Any]:
    said: dict[str, Any] = {
        "returns": [
            {
                "returnId": one.return_id,
                "status": one.status.name,
                "pieces": sum(part.quantity for part in one.lines),
                "inspectedPieces": sum(part.quantity for part in one.inspected)
                if one.status is s.ReturnStatus.INSPECTED
                else None,
                "exchangeOrderId": one.exchange_order_id,
            }
            for one in state.returns
        ]
    }
    if len(state.question_ids) <= ACTIONS_MAX:
        said["actions"] = [
            {"actionId": one.action_id, "kind": one.kind, "deadline": timestamp(one.deadline)}
            for one in state.questions
        ]
    told_apart = len(state.shipments) <= SHIPMENTS_MAX and len(state.payment.refunds) <= OWED_MAX
    if told_apart and len(state.stalls) < STALLS_MAX:
        said["stalled"] = sorted({stall.stage for stall in state.stalls})
    return said
