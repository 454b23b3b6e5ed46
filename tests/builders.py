"""Small builders of domain facts, so that a test names only what it is about."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from orderstore.domain import events as e
from orderstore.domain.money import exact_sum, round_to_minor
from orderstore.domain.state import INITIAL, Order, fold

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def line(sku: str = "LAPTOP-001", quantity: int = 1, unit_price: str = "850") -> e.OrderLine:
    return e.OrderLine(sku=sku, quantity=quantity, unit_price=Decimal(unit_price))


ARTICLE_LINES = (line(), line("MOUSE-002", 2, "25"))


def order_created(lines: tuple[e.OrderLine, ...] = ARTICLE_LINES, **changes: Any) -> e.OrderCreated:
    currency = changes.pop("currency", "USD")
    total = exact_sum([(item.quantity, item.unit_price) for item in lines])
    values = {
        "order_id": "6f0c0ac4-5a7c-5b11-8f2e-0d7a4f6f0001",
        "customer_id": "customer-1",
        "channel": "api",
        "currency": currency,
        "country": "United Kingdom",
        "lines": lines,
        "total_exact": total,
        "total_minor": round_to_minor(total, currency),
        "placed_at": NOON,
        "request_hash": "0" * 64,
    }
    return e.OrderCreated(**{**values, **changes})


PAID = e.PaymentCompleted(attempt=1, mode="authorized", amount_minor=90_000, provider_reference="ch_1")
PAID_AT_ONCE = e.PaymentCompleted(attempt=1, mode="captured", amount_minor=90_000, provider_reference="ch_1")
DECLINED = e.PaymentFailed(attempt=1, category="hard", code="card_declined")
CAPTURED = e.PaymentCaptured(amount_minor=90_000, provider_reference="cap_1")
VOIDED = e.PaymentVoided(provider_reference="ch_1")
RESERVED = e.InventoryReserved(reservation_id="reservation-1")
SHORT = e.InventoryFailed(missing=(e.MissingStock(sku="LAPTOP-001", wanted=1, available=0),))
RELEASED = e.InventoryReleased(reservation_id="reservation-1")
BOOKED = e.ShipmentCreated(shipment_id="shipment-1", carrier="sandbox", label_reference="label-1")
BOOKING_CANCELLED = e.ShipmentCancelled(shipment_id="shipment-1")
DISPATCHED = e.ShipmentDispatched(shipment_id="shipment-1", tracking_number="track-1")
DELIVERED = e.ShipmentDelivered(shipment_id="shipment-1", proof_reference="proof-1")


def given(*history: e.Event) -> Order:
    """The order after these events; OrderCreated comes first by itself."""
    state = fold(INITIAL, (order_created(), *history))
    assert isinstance(state, Order)
    return state
