"""Where an order stands, in one small document: no lines, so that it stays small however long the order is.

Pure: it folds the log's events by itself and shares no rule with `orderstore.domain`; a property test holds its status to the domain's.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from orderstore.codec import timestamp
from orderstore.domain import events as e
from orderstore.domain.money import major
from orderstore.recorded import Recorded
from projections.views.view import Listing, OutOfPlace, View

NAME: Final = "order_status"
SCHEMA: Final = 2  # raise it with every change of meaning: documents of another schema are folded anew from the log

Status = Literal["RECEIVED", "CONFIRMED", "IN_FULFILMENT", "COMPLETED", "CANCELLING", "CANCELLED", "REJECTED"]
PaymentStatus = Literal["PENDING", "AUTHORIZED", "CAPTURED", "FAILED", "VOIDED"]
InventoryStatus = Literal["PENDING", "RESERVED", "FAILED", "RELEASED"]
ShipmentStatus = Literal["BOOKED", "CANCELLED", "DISPATCHED", "DELIVERED"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """Amounts are minor units of the order's currency; a refund is pending from its request until the provider has paid it."""

    status: PaymentStatus
    amount_minor: int
    captured_minor: int = 0
    refunded_minor: int = 0
    refund_pending_minor: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Shipment:
    shipment_id: str
    status: ShipmentStatus
    tracking_number: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancellation:
    """Why the order is (or was to be) undone; `declined` when the goods had left before."""

    reason: str
    declined: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Somebody stopped the order; `since` is when, ISO 8601 in UTC."""

    hold_id: str
    reason: e.HoldReason
    since: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderStatus:
    """Times are ISO 8601 in UTC, `last_recorded_at_ms` is milliseconds since 1970. `total` is what people read: "900.00"."""

    order_id: str
    customer_id: str | None
    status: Status
    payment: Payment
    inventory: InventoryStatus = "PENDING"
    shipment: Shipment | None = None
    invoice_numbers: tuple[str, ...] = ()
    cancellation: Cancellation | None = None
    holds: tuple[Hold, ...] = ()
    currency: str
    total_minor: int
    total_exact: str
    total: str
    line_count: int
    placed_at: str
    updated_at: str
    last_recorded_at_ms: int
    version: int
    commit: int


def evolve(view: OrderStatus | None, recorded: Recorded) -> OrderStatus:
    """The view after one more event of the order, in the order of the log. Raises OutOfPlace."""
    if isinstance(recorded.event, e.OrderCreated):
        if view is not None:
            raise OutOfPlace(f"{recorded.order_id} is created a second time by commit {recorded.commit}")
        return _placed(recorded.event, recorded)
    if view is None:
        raise OutOfPlace(f"{recorded.order_id}: {recorded.name} in commit {recorded.commit}, and no order before it")
    return replace(
        _after(view, recorded.event, timestamp(recorded.occurred_at)),
        updated_at=timestamp(recorded.occurred_at),
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
        currency=order.currency,
        total_minor=order.total_minor,
        total_exact=format(order.total_exact, "f"),
        total=major(order.total_minor, order.currency),
        line_count=len(order.lines),
        placed_at=timestamp(order.placed_at),
        updated_at=timestamp(recorded.occurred_at),
        last_recorded_at_ms=recorded.recorded_at_ms,
        version=recorded.version,
        commit=recorded.commit,
    )


def _after(view: OrderStatus, event: e.Event, moment: str) -> OrderStatus:
    payment = view.payment
    match event:
        case e.OrderCreated():
            return view  # handled by `evolve`
        case e.PaymentCompleted():
            amount_minor = event.amount_minor
            captured_minor = amount_minor if event.mode == "captured" else 0
            status: PaymentStatus = "CAPTURED" if event.mode == "captured" else "AUTHORIZED"
            paid = replace(payment, status=status, amount_minor=amount_minor, captured_minor=captured_minor)
            return replace(view, payment=paid)
        case e.PaymentFailed():
            return replace(view, payment=replace(payment, status="FAILED"))
        case e.PaymentCaptured():
            return replace(view, payment=replace(payment, status="CAPTURED", captured_minor=event.amount_minor))
        case e.PaymentVoided():
            return replace(view, payment=replace(payment, status="VOIDED"))
        case e.RefundRequested():
            pending_minor = payment.refund_pending_minor + event.amount_minor
            return replace(view, payment=replace(payment, refund_pending_minor=pending_minor))
        case e.RefundIssued():
            refunded = replace(
                payment,
                refunded_minor=payment.refunded_minor + event.amount_minor,
                refund_pending_minor=payment.refund_pending_minor - event.amount_minor,
            )
            return replace(view, payment=refunded)
        case e.InventoryReserved():
            return replace(view, inventory="RESERVED")
        case e.InventoryFailed():
            return replace(view, inventory="FAILED")
        case e.InventoryReleased():
            return replace(view, inventory="RELEASED")
        case e.ShipmentCreated():
            return replace(view, shipment=Shipment(shipment_id=event.shipment_id, status="BOOKED"))
        case e.ShipmentCancelled():
            return replace(view, shipment=Shipment(shipment_id=event.shipment_id, status="CANCELLED"))
        case e.ShipmentDispatched():
            left = Shipment(shipment_id=event.shipment_id, status="DISPATCHED", tracking_number=event.tracking_number)
            return replace(view, status="IN_FULFILMENT", shipment=left)
        case e.ShipmentDelivered():
            tracking_number = None if view.shipment is None else view.shipment.tracking_number
            arrived = Shipment(shipment_id=event.shipment_id, status="DELIVERED", tracking_number=tracking_number)
            return replace(view, shipment=arrived)
        case e.InvoiceIssued():
            return replace(view, invoice_numbers=(*view.invoice_numbers, event.invoice_number))
        case e.OrderConfirmed():
            return replace(view, status="CONFIRMED")
        case e.OrderRejected():
            return replace(view, status="REJECTED", holds=())
        case e.OrderCancellationRequested():
            return replace(view, status="CANCELLING", cancellation=Cancellation(reason=event.reason))
        case e.OrderCancellationDeclined():
            cancellation = view.cancellation or Cancellation(reason=event.reason)
            return replace(view, cancellation=replace(cancellation, declined=True))
        case e.OrderCancelled():
            return replace(view, status="CANCELLED", cancellation=Cancellation(reason=event.reason), holds=())
        case e.OrderCompleted():
            return replace(view, status="COMPLETED", holds=())
        case e.OrderHeld():
            held = Hold(hold_id=event.hold_id, reason=event.reason, since=moment)
            return replace(view, holds=(*view.holds, held))
        case e.OrderHoldReleased():
            return replace(view, holds=tuple(hold for hold in view.holds if hold.hold_id != event.hold_id))
        case _:
            return view


def to_document(view: OrderStatus) -> dict[str, Any]:
    """The view as JSON values. These names are the API's: they are written down here and nowhere derived."""
    payment, shipment, cancellation = view.payment, view.shipment, view.cancellation
    return {
        "orderId": view.order_id,
        "customerId": view.customer_id,
        "status": view.status,
        "payment": {
            "status": payment.status,
            "amountMinor": payment.amount_minor,
            "capturedMinor": payment.captured_minor,
            "refundedMinor": payment.refunded_minor,
            "refundPendingMinor": payment.refund_pending_minor,
        },
        "inventory": {"status": view.inventory},
        "shipment": None
        if shipment is None
        else {
            "shipmentId": shipment.shipment_id,
            "status": shipment.status,
            "trackingNumber": shipment.tracking_number,
        },
        "invoiceNumbers": list(view.invoice_numbers),
        "cancellation": None
        if cancellation is None
        else {"reason": cancellation.reason, "declined": cancellation.declined},
        "holds": [{"holdId": hold.hold_id, "reason": hold.reason, "since": hold.since} for hold in view.holds],
        "currency": view.currency,
        "totalMinor": view.total_minor,
        "totalExact": view.total_exact,
        "total": view.total,
        "lineCount": view.line_count,
        "placedAt": view.placed_at,
        "updatedAt": view.updated_at,
        "lastRecordedAtMs": view.last_recorded_at_ms,
        "version": view.version,
        "commit": view.commit,
    }


def from_document(document: Mapping[str, Any]) -> OrderStatus:
    """The view in a document that `to_document` made. Raises KeyError for any other."""
    payment, shipment, cancellation = document["payment"], document["shipment"], document["cancellation"]
    return OrderStatus(
        order_id=document["orderId"],
        customer_id=document["customerId"],
        status=document["status"],
        payment=Payment(
            status=payment["status"],
            amount_minor=payment["amountMinor"],
            captured_minor=payment["capturedMinor"],
            refunded_minor=payment["refundedMinor"],
            refund_pending_minor=payment["refundPendingMinor"],
        ),
        inventory=document["inventory"]["status"],
        shipment=None
        if shipment is None
        else Shipment(
            shipment_id=shipment["shipmentId"],
            status=shipment["status"],
            tracking_number=shipment["trackingNumber"],
        ),
        invoice_numbers=tuple(document["invoiceNumbers"]),
        cancellation=None
        if cancellation is None
        else Cancellation(reason=cancellation["reason"], declined=cancellation["declined"]),
        holds=tuple(
            Hold(hold_id=hold["holdId"], reason=hold["reason"], since=hold["since"]) for hold in document["holds"]
        ),
        currency=document["currency"],
        total_minor=document["totalMinor"],
        total_exact=document["totalExact"],
        total=document["total"],
        line_count=document["lineCount"],
        placed_at=document["placedAt"],
        updated_at=document["updatedAt"],
        last_recorded_at_ms=document["lastRecordedAtMs"],
        version=document["version"],
        commit=document["commit"],
    )


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
