"""Events as the world sees them: the envelope and the data that are published to SNS, with names of their own.

It is a contract: adding an optional field is a minor version, anything else a new version or type. Personal data is never
in it (`customerId` is what travels), nor are the sandbox's test hooks: a worker that needs them reads the order.

Source of the envelope: requirement E042; sizes: CloudEvents recommends at most 64 KiB for an event.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, assert_never

import orjson

from orderstore.codec import timestamp
from orderstore.domain import events as e
from orderstore.domain.ids import stream_of
from orderstore.domain.money import major
from orderstore.recorded import Recorded
from orderstore.registry import BY_NAME
from orderstore.schemas import published as p
from orderstore.schemas.envelopes import Actor, Envelope

# What is larger travels as a reference into the log (`dataRef`).
DATA_BYTES_MAX: Final = 60_000
COMMIT_ATTRIBUTE: Final = "commit"
"""The message attribute that says of which commit of the order a message tells."""


@dataclass(frozen=True, slots=True)
class PublicEvent:
    """One message: `attributes` are what filter policies see, `body` is the envelope as JSON."""

    event_id: str
    order_id: str
    body: bytes
    attributes: Mapping[str, str]
    tenant: str | None = None
    """Whose order it is: for a topic that tells its queues by whom they are used."""


def publish(recorded: Recorded) -> PublicEvent | None:
    """The public form of a stored event, or None for one that is nobody's business but the order's."""
    entry = BY_NAME[recorded.name]
    if not entry.published:
        return None
    envelope = Envelope(
        eventId=recorded.event_id,
        eventType=recorded.name,
        eventVersion=entry.published_version,
        source=recorded.source,
        occurredAt=timestamp(recorded.occurred_at),
        orderId=recorded.order_id,
        tenant=recorded.tenant,
        version=recorded.version,
        correlationId=recorded.correlation_id,
        causationId=recorded.causation_id,
        actor=Actor(type=recorded.actor.type, id=recorded.actor.id),
    )
    if recorded.traceparent is not None:
        envelope["traceparent"] = recorded.traceparent
    data = public_data(recorded.event)
    if len(orjson.dumps(data)) > DATA_BYTES_MAX:
        envelope["dataRef"] = f"{stream_of(recorded.tenant, recorded.order_id)}#{recorded.version}"
    else:
        envelope["data"] = data
    attributes = {
        "eventType": recorded.name,
        "eventVersion": entry.published_version,
        "source": recorded.source,
        "orderId": recorded.order_id,
        "correlationId": recorded.correlation_id,
    }
    return PublicEvent(recorded.event_id, recorded.order_id, orjson.dumps(envelope), attributes, recorded.tenant)


def public_data(event: e.Event) -> p.PublicData:
    """The fields that the world sees of an event. Its types are the contract: their schemas are held to the last release's."""
    match event:
        case e.OrderCreated():
            return p.OrderCreated(
                orderId=event.order_id,
                customerId=event.customer_id,
                channel=event.channel,
                currency=event.currency,
                items=[
                    p.Item(sku=line.sku, quantity=line.quantity, price=str(line.unit_price)) for line in event.lines
                ],
                totalAmount=major(event.total_minor, event.currency),
                totalMinor=event.total_minor,
            )
        case e.PaymentCompleted():
            return p.PaymentCompleted(attempt=event.attempt, mode=event.mode, amountMinor=event.amount_minor)
        case e.PaymentFailed():
            return _declined(event)
        case e.PaymentCaptured():
            return p.Money(amountMinor=event.amount_minor)
        case e.RefundRequested() | e.RefundIssued():
            return p.Refund(refundId=event.refund_id, amountMinor=event.amount_minor)
        case e.InventoryReserved():
            return p.InventoryReserved(reservationId=event.reservation_id)
        case e.InventoryFailed():
            return p.InventoryFailed(
                missing=[
                    p.MissingStock(sku=short.sku, wanted=short.wanted, available=short.available)
                    for short in event.missing
                ]
            )
        case e.OrderRejected():
            return p.OrderRejected(reasons=list(event.reasons))
        case e.OrderCancellationRequested():
            return p.OrderCancellationRequested(reason=event.reason)
        case e.OrderCancellationDeclined():
            return p.OrderCancellationDeclined(reason=event.reason)
        case e.OrderCancelled():
            return p.OrderCancelled(reason=event.reason, compensations=list(event.compensations))
        case e.OrderHeld():
            return p.OrderHeld(holdId=event.hold_id, reason=event.reason)
        case e.OrderHoldReleased():
            return p.OrderHoldReleased(holdId=event.hold_id)
        case e.ShipmentCreated():
            return _booked(event)
        case e.ShipmentDispatched():
            return p.ShipmentDispatched(shipmentId=event.shipment_id, trackingNumber=event.tracking_number)
        case e.ShipmentRecalled() | e.ShipmentCancelled() | e.ShipmentDelivered():
            return p.Shipment(shipmentId=event.shipment_id)
        case e.InvoiceIssued():
            return p.InvoiceIssued(
                invoiceNumber=event.invoice_number,
                series=event.series,
                number=event.number,
                totalMinor=event.total_minor,
                currency=event.currency,
                issuedAt=timestamp(event.issued_at),
            )
        case e.CreditNoteIssued():
            return p.CreditNoteIssued(
                creditNoteNumber=event.credit_note_number,
                series=event.series,
                number=event.number,
                invoiceNumber=event.invoice_number,
                refundId=event.refund_id,
                totalMinor=event.total_minor,
                currency=event.currency,
                issuedAt=timestamp(event.issued_at),
            )
        case e.LinesCancelled():
            return p.LinesCancelled(
                cancellationId=event.cancellation_id,
                lines=_pieces(event.lines),
                amountMinor=event.amount_minor,
                reason=event.reason,
            )
        case e.OrderEditRequested() | e.OrderEditApplied():
            return p.OrderEdit(
                editId=event.edit_id,
                items=[
                    p.Item(sku=line.sku, quantity=line.quantity, price=str(line.unit_price)) for line in event.lines
                ],
                amountMinor=event.amount_minor,
            )
        case e.OrderEditReserved():
            return p.OrderEditReserved(editId=event.edit_id, reservationId=event.reservation_id)
        case e.OrderEditDeclined():
            return _edit_declined(event)
        case e.OrderActionRequired():
            return p.OrderActionRequired(actionId=event.action_id, kind=event.kind, deadline=timestamp(event.deadline))
        case e.PaymentAttemptStarted():
            return p.PaymentAttemptStarted(attempt=event.attempt)
        case e.PaymentDisputed():
            return p.PaymentDisputed(disputeId=event.dispute_id, amountMinor=event.amount_minor, reason=event.reason)
        case e.PaymentDisputeClosed():
            return p.PaymentDisputeClosed(disputeId=event.dispute_id, outcome=event.outcome)
        case e.RefundRetried():
            return p.RefundRetried(refundId=event.refund_id, attempt=event.attempt)
        case e.InventoryPartiallyReserved():
            return p.InventoryPartiallyReserved(reservationId=event.reservation_id, missing=_pieces(event.missing))
        case e.BackorderFilled():
            came = tuple(part for allocation in event.allocations for part in allocation.lines)
            return p.BackorderFilled(reservationId=event.reservation_id, lines=_pieces(came))
        case e.ShipmentFailed():
            return p.ShipmentFailed(shipmentId=event.shipment_id, code=event.code)
        case e.ShipmentDelayed():
            consent_by = None if event.consent_by is None else timestamp(event.consent_by)
            return p.ShipmentDelayed(
                delayId=event.delay_id,
                promisedAt=timestamp(event.promised_at),
                reason=event.reason,
                consentBy=consent_by,
            )
        case e.TrackingUpdated():
            return p.TrackingUpdated(
                shipmentId=event.shipment_id, code=event.code, seenAt=timestamp(event.seen_at), place=event.place
            )
        case e.ReturnRequested():
            return _announced(event)
        case e.ReturnApproved() | e.ReturnDeclined() | e.ReturnReceived():
            return p.Return(returnId=event.return_id)
        case e.ReturnInspected():
            return p.ReturnInspected(
                returnId=event.return_id,
                pieces=[
                    p.InspectedPieces(line=part.line, quantity=part.quantity, condition=part.condition)
                    for part in event.pieces
                ],
            )
        case (
            e.PaymentVoided()
            | e.PaymentAuthorizationExpired()
            | e.PaymentHoldReleased()
            | e.OrderEditReleased()
            | e.PaymentActionRequired()
            | e.PaymentOutcomeUnknown()
            | e.RefundFailed()
            | e.ReservationExpired()
            | e.PiecesReleased()
            | e.InventoryCommitted()
            | e.InventoryRestocked()
            | e.OrderGraceEnded()
            | e.OrderExpired()
            | e.OrderActionAnswered()
            | e.OrderProcessStalled()
            | e.OrderProcessResumed()
            | e.OrderNoteAdded()
            | e.FraudReviewRequested()
            | e.FraudReviewPassed()
            | e.FraudReviewFailed()
            | e.ReturnCancelled()
            | e.InvoiceDocumentStored()
            | e.DiscrepancyFound()
            | e.PaymentMethodChosen()
            | e.PaymentDiscrepancyFound()
            | e.InventoryReleased()
            | e.OrderConfirmed()
            | e.OrderCompleted()
            | e.PersonalDataErased()
        ):
            return p.Nothing()
        case _:
            assert_never(event)


def _declined(event: e.PaymentFailed) -> p.PaymentFailed:
    data = p.PaymentFailed(attempt=event.attempt, category=event.category, code=event.code)
    if event.retry_until is not None:
        data["retryUntil"] = timestamp(event.retry_until)
    return data


def _edit_declined(event: e.OrderEditDeclined) -> p.OrderEditDeclined:
    data = p.OrderEditDeclined(editId=event.edit_id, reason=event.reason)
    if event.code is not None:
        data["code"] = event.code
    return data


def _booked(event: e.ShipmentCreated) -> p.ShipmentCreated:
    data = p.ShipmentCreated(shipmentId=event.shipment_id, carrier=event.carrier)
    if event.lines:
        data["lines"] = _pieces(event.lines)
    return data


def _announced(event: e.ReturnRequested) -> p.ReturnRequested:
    data = p.ReturnRequested(returnId=event.return_id, lines=_pieces(event.lines), reason=event.reason)
    if event.exchange_order_id is not None:
        data["exchangeOrderId"] = event.exchange_order_id
    return data


def _pieces(lines: tuple[e.Pieces, ...]) -> list[p.Pieces]:
    return [p.Pieces(line=part.line, quantity=part.quantity) for part in lines]
