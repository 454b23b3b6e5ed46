"""The documents of the view `order_status`: what the API answers, and what is stored of it.

A document is written with every commit, so what is stored stays within one write unit for an ordinary order: members that say nothing are
left out, and so is what follows from others. `answer_of` puts them back. Beside that `kept` holds what the fold needs to go on and nobody
is told: the owed refunds and open disputes that sums are made of, the missing pieces by line, the stages that stall.

What was in the answer before there were several parcels is stored as it always was, so that a build of then still answers as it did.
"""

from collections.abc import Mapping
from typing import Any, Final

from projections.views.order_status_parts import (
    NOTHING_MISSING,
    Action,
    Cancellation,
    Dispute,
    Edit,
    Hold,
    Inventory,
    OrderStatus,
    Owed,
    Payment,
    Return,
    Seen,
    Shipment,
    Stall,
)

_OMITTED: Final[Mapping[str, Any]] = {
    "shipments": [],
    "shipmentsOmitted": 0,
    "creditNoteNumbers": [],
    "creditNotesOmitted": 0,
    "cancelledPieces": 0,
    "cancelledMinor": 0,
    "review": "NONE",
    "actions": [],
    "actionsOmitted": 0,
    "returns": [],
    "edits": [],
    "stalled": [],
}
"""Members that are not stored while they say this."""
_OMITTED_OF_PAYMENT: Final[Mapping[str, Any]] = {
    "attempt": 1,
    "refundFailedMinor": 0,
    "disputedMinor": 0,
    "outcomeUnknown": False,
    "retryUntil": None,
}
_OMITTED_OF_PARCEL: Final[Mapping[str, Any]] = {"location": None, "seen": None}
_OF_THE_LATEST: Final = ("shipmentId", "status", "trackingNumber")


def to_answer(view: OrderStatus) -> dict[str, Any]:
    """The view as JSON values. These names are the API's: they are written down here and nowhere derived."""
    payment, cancellation = view.payment, view.cancellation
    parcels = [_parcel(shipment) for shipment in view.shipments]
    return {
        "orderId": view.order_id,
        "customerId": view.customer_id,
        "status": view.status,
        "payment": {
            "status": payment.status,
            "attempt": payment.attempt,
            "amountMinor": payment.amount_minor,
            "dueMinor": view.due_minor,
            "capturedMinor": payment.captured_minor,
            "refundedMinor": payment.refunded_minor,
            "refundPendingMinor": payment.refund_pending_minor,
            "refundFailedMinor": payment.refund_failed_minor,
            "disputedMinor": payment.disputed_minor,
            "outcomeUnknown": payment.unknown,
            "retryUntil": payment.retry_until,
        },
        "inventory": {"status": view.inventory.status, "missingPieces": view.inventory.missing_pieces},
        "shipment": _latest(parcels),
        "shipments": parcels,
        "shipmentsOmitted": view.shipments_omitted,
        "invoiceNumbers": list(view.invoice_numbers),
        "creditNoteNumbers": list(view.credit_note_numbers),
        "creditNotesOmitted": view.credit_notes_omitted,
        "cancellation": None
        if cancellation is None
        else {"reason": cancellation.reason, "declined": cancellation.declined},
        "cancelledPieces": view.cancelled_pieces,
        "cancelledMinor": view.cancelled_minor,
        "holds": [{"holdId": hold.hold_id, "reason": hold.reason, "since": hold.since} for hold in view.holds],
        "review": view.review,
        "actions": [
            {"actionId": action.action_id, "kind": action.kind, "deadline": action.deadline} for action in view.actions
        ],
        "actionsOmitted": view.actions_omitted,
        "returns": [
            {
                "returnId": one.return_id,
                "status": one.status,
                "pieces": one.pieces,
                "inspectedPieces": one.inspected,
                "exchangeOrderId": one.exchange_order_id,
            }
            for one in view.returns
        ],
        "edits": [
            {
                "editId": edit.edit_id,
                "status": edit.status,
                "lineCount": edit.line_count,
                "pieceCount": edit.piece_count,
                "amountMinor": edit.amount_minor,
                "attempt": edit.attempt,
                "reason": edit.reason,
            }
            for edit in view.edits
        ],
        "stalled": view.stalled,
        "currency": view.currency,
        "totalMinor": view.total_minor,
        "totalExact": view.total_exact,
        "total": view.total,
        "lineCount": view.line_count,
        "pieceCount": view.piece_count,
        "placedAt": view.placed_at,
        "updatedAt": view.updated_at,
        "lastRecordedAtMs": view.last_recorded_at_ms,
        "version": view.version,
        "commit": view.commit,
    }


def _parcel(shipment: Shipment) -> dict[str, Any]:
    seen = shipment.seen
    return {
        "shipmentId": shipment.shipment_id,
        "status": shipment.status,
        "trackingNumber": shipment.tracking_number,
        "location": shipment.location,
        "pieces": shipment.pieces,
        "seen": None if seen is None else {"code": seen.code, "at": seen.at, "place": seen.place},
    }


def _latest(parcels: list[dict[str, Any]]) -> dict[str, Any] | None:
    return {name: parcels[-1][name] for name in _OF_THE_LATEST} if parcels else None


def to_document(view: OrderStatus) -> dict[str, Any]:
    """The same as it is stored."""
    document = to_answer(view)
    parcels = [_without(parcel, _OMITTED_OF_PARCEL) for parcel in document["shipments"]]
    payment = _without(document["payment"], _OMITTED_OF_PAYMENT)
    del payment["dueMinor"]
    missing = document["inventory"]["missingPieces"]
    stored = document | {
        "payment": payment,
        "inventory": {"status": view.inventory.status} | ({"missingPieces": missing} if missing else {}),
        "shipment": parcels[-1] if parcels else None,
        "shipments": parcels[:-1],
    }
    kept = _kept(view)
    return _without(stored, _OMITTED) | ({"kept": kept} if kept else {})


def _without(document: Mapping[str, Any], omitted: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name not in omitted or value != omitted[name]}


def _kept(view: OrderStatus) -> dict[str, Any]:
    payment, inventory = view.payment, view.inventory
    kept = {
        "owed": [[one.refund_id, one.amount_minor, one.failed] for one in payment.owed],
        "disputes": [[one.dispute_id, one.amount_minor] for one in payment.disputes],
        "missing": sorted(inventory.missing.items()),
        "backorder": inventory.backorder,
        "committed": inventory.committed if inventory.status != "COMMITTED" else 0,
        "stalls": [[one.stage, one.subject] for one in view.stalls],
    }
    return {name: value for name, value in kept.items() if value}


def answer_of(stored: Mapping[str, Any]) -> dict[str, Any]:
    """What the API answers of a stored document, which is what `to_answer` says of the view that it was made of."""
    answer = {**_OMITTED, **stored}
    answer.pop("kept", None)
    latest = stored["shipment"]
    parcels = [
        {**_OMITTED_OF_PARCEL, **parcel} for parcel in (*answer["shipments"], *(() if latest is None else (latest,)))
    ]
    due_minor = stored["totalMinor"] - answer["cancelledMinor"]
    return answer | {
        "payment": {**_OMITTED_OF_PAYMENT, **stored["payment"], "dueMinor": due_minor},
        "inventory": {"missingPieces": 0, **stored["inventory"]},
        "shipment": _latest(parcels),
        "shipments": parcels,
    }


def from_document(stored: Mapping[str, Any]) -> OrderStatus:
    """The view in a document that `to_document` made. Raises KeyError for any other."""
    document, kept = answer_of(stored), stored.get("kept", {})
    payment, cancellation = document["payment"], document["cancellation"]
    return OrderStatus(
        order_id=document["orderId"],
        customer_id=document["customerId"],
        status=document["status"],
        payment=Payment(
            status=payment["status"],
            amount_minor=payment["amountMinor"],
            attempt=payment["attempt"],
            captured_minor=payment["capturedMinor"],
            refunded_minor=payment["refundedMinor"],
            refund_pending_minor=payment["refundPendingMinor"],
            refund_failed_minor=payment["refundFailedMinor"],
            disputed_minor=payment["disputedMinor"],
            unknown=payment["outcomeUnknown"],
            retry_until=payment["retryUntil"],
            owed=tuple(Owed(refund_id=id_, amount_minor=minor, failed=no) for id_, minor, no in kept.get("owed", ())),
            disputes=tuple(Dispute(dispute_id=id_, amount_minor=minor) for id_, minor in kept.get("disputes", ())),
        ),
        inventory=Inventory(
            status=document["inventory"]["status"],
            missing=dict(kept["missing"]) if "missing" in kept else NOTHING_MISSING,
            backorder=kept.get("backorder", False),
            committed=kept.get("committed", 0),
        ),
        shipments=tuple(_shipment(parcel) for parcel in document["shipments"]),
        shipments_omitted=document["shipmentsOmitted"],
        invoice_numbers=tuple(document["invoiceNumbers"]),
        credit_note_numbers=tuple(document["creditNoteNumbers"]),
        credit_notes_omitted=document["creditNotesOmitted"],
        cancellation=None
        if cancellation is None
        else Cancellation(reason=cancellation["reason"], declined=cancellation["declined"]),
        cancelled_pieces=document["cancelledPieces"],
        cancelled_minor=document["cancelledMinor"],
        holds=tuple(
            Hold(hold_id=hold["holdId"], reason=hold["reason"], since=hold["since"]) for hold in document["holds"]
        ),
        review=document["review"],
        actions=tuple(
            Action(action_id=one["actionId"], kind=one["kind"], deadline=one["deadline"]) for one in document["actions"]
        ),
        actions_omitted=document["actionsOmitted"],
        returns=tuple(
            Return(
                return_id=one["returnId"],
                status=one["status"],
                pieces=one["pieces"],
                inspected=one["inspectedPieces"],
                exchange_order_id=one["exchangeOrderId"],
            )
            for one in document["returns"]
        ),
        edits=tuple(
            Edit(
                edit_id=edit["editId"],
                status=edit["status"],
                line_count=edit["lineCount"],
                piece_count=edit["pieceCount"],
                amount_minor=edit["amountMinor"],
                attempt=edit["attempt"],
                reason=edit["reason"],
            )
            for edit in document["edits"]
        ),
        stalls=tuple(Stall(stage, subject) for stage, subject in kept.get("stalls", ())),
        currency=document["currency"],
        total_minor=document["totalMinor"],
        total_exact=document["totalExact"],
        total=document["total"],
        line_count=document["lineCount"],
        piece_count=document["pieceCount"],
        placed_at=document["placedAt"],
        updated_at=document["updatedAt"],
        last_recorded_at_ms=document["lastRecordedAtMs"],
        version=document["version"],
        commit=document["commit"],
    )


def _shipment(parcel: Mapping[str, Any]) -> Shipment:
    seen = parcel["seen"]
    return Shipment(
        shipment_id=parcel["shipmentId"],
        status=parcel["status"],
        pieces=parcel["pieces"],
        location=parcel["location"],
        tracking_number=parcel["trackingNumber"],
        seen=None if seen is None else Seen(code=seen["code"], at=seen["at"], place=seen["place"]),
    )
