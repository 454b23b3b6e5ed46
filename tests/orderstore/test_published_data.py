"""What the world is told of each event, to the last value: a form says what may stand there, this says what does."""

from typing import Any

import pytest

from orderstore.contract import public_data
from orderstore.registry import EVENT_TYPES
from tests.orderstore.golden_events import COMPLETE

EDIT = {
    "editId": "edit-1",
    "items": [{"sku": "CHARGER-003", "quantity": 2, "price": "19.99"}],
    "amountMinor": 3998,
}
PUBLISHED: dict[str, dict[str, Any]] = {
    "OrderCreated": {
        "orderId": "6f0c0ac4-5a7c-5b11-8f2e-0d7a4f6f0001",
        "customerId": "customer-1",
        "channel": "api",
        "currency": "USD",
        "items": [
            {"sku": "LAPTOP-001", "quantity": 1, "price": "850"},
            {"sku": "MOUSE-002", "quantity": 2, "price": "25"},
        ],
        "totalAmount": "900.00",
        "totalMinor": 90000,
    },
    "OrderGraceEnded": {},
    "OrderConfirmed": {},
    "OrderRejected": {"reasons": ["payment_failed", "inventory_failed"]},
    "OrderCancellationRequested": {"reason": "customer"},
    "LinesCancelled": {
        "cancellationId": "cancellation-1",
        "lines": [{"line": 1, "quantity": 1}],
        "amountMinor": 2500,
        "reason": "customer",
    },
    "OrderEditRequested": EDIT,
    "OrderEditReserved": {"editId": "edit-1", "reservationId": "order-1:edit:edit-1"},
    "OrderEditApplied": EDIT,
    "OrderEditDeclined": {"editId": "edit-1", "reason": "payment_failed", "code": "do_not_honor"},
    "OrderCancelled": {"reason": "customer", "compensations": ["payment_voided"]},
    "OrderCompleted": {},
    "OrderHeld": {"holdId": "hold-1", "reason": "fraud_review"},
    "OrderHoldReleased": {"holdId": "hold-1"},
    "FraudReviewRequested": {},
    "FraudReviewPassed": {},
    "OrderActionRequired": {
        "actionId": "missing_stock",
        "kind": "missing_stock",
        "deadline": "2026-03-04T12:00:00.000Z",
    },
    "PaymentAttemptStarted": {"attempt": 2},
    "PaymentCompleted": {"attempt": 1, "mode": "authorized", "amountMinor": 90000},
    "PaymentFailed": {
        "attempt": 1,
        "category": "soft",
        "code": "card_declined",
        "retryUntil": "2026-03-02T12:00:00.000Z",
    },
    "PaymentAuthorizationExpired": {},
    "PaymentDisputed": {"disputeId": "du_1", "amountMinor": 90000, "reason": "product_not_received"},
    "PaymentDisputeClosed": {"disputeId": "du_1", "outcome": "lost"},
    "RefundRequested": {"refundId": "r1", "amountMinor": 2500},
    "RefundIssued": {"refundId": "r1", "amountMinor": 2500},
    "RefundRetried": {"refundId": "r1", "attempt": 2},
    "InventoryReserved": {"reservationId": "reservation-1"},
    "InventoryPartiallyReserved": {"reservationId": "reservation-1", "missing": [{"line": 1, "quantity": 1}]},
    "InventoryFailed": {"missing": [{"sku": "LAPTOP-001", "wanted": 1, "available": 0}]},
    "BackorderFilled": {"reservationId": "reservation-1", "lines": [{"line": 1, "quantity": 1}]},
    "InventoryReleased": {},
    "ShipmentCreated": {
        "shipmentId": "shipment-1",
        "carrier": "sandbox",
        "lines": [{"line": 0, "quantity": 1}, {"line": 1, "quantity": 1}],
    },
    "ShipmentRecalled": {"shipmentId": "shipment-1"},
    "ShipmentCancelled": {"shipmentId": "shipment-1"},
    "ShipmentDispatched": {"shipmentId": "shipment-1", "trackingNumber": "track-1"},
    "ShipmentDelivered": {"shipmentId": "shipment-1"},
    "ShipmentFailed": {"shipmentId": "shipment-1", "code": "address_unknown"},
    "ShipmentDelayed": {
        "delayId": "delay-1",
        "promisedAt": "2026-04-10T12:00:00.000Z",
        "reason": "supplier_late",
        "consentBy": "2026-03-04T12:00:00.000Z",
    },
    "TrackingUpdated": {
        "shipmentId": "shipment-1",
        "code": "in_transit",
        "seenAt": "2026-03-01T12:00:00.000Z",
        "place": "Leipzig",
    },
    "ReturnRequested": {
        "returnId": "return-1",
        "lines": [{"line": 1, "quantity": 1}],
        "reason": "damaged",
        "exchangeOrderId": "6f0c0ac4-5a7c-5b11-8f2e-0d7a4f6f0002",
    },
    "ReturnApproved": {"returnId": "return-1"},
    "ReturnDeclined": {"returnId": "return-1"},
    "ReturnReceived": {"returnId": "return-1"},
    "ReturnInspected": {"returnId": "return-1", "pieces": [{"line": 1, "quantity": 1, "condition": "sellable"}]},
    "InvoiceIssued": {
        "invoiceNumber": "INV-2026-000001",
        "series": "INV-2026",
        "number": 1,
        "totalMinor": 90000,
        "currency": "USD",
        "issuedAt": "2026-03-01T12:00:00.000Z",
    },
    "CreditNoteIssued": {
        "creditNoteNumber": "CN-2026-000001",
        "series": "CN-2026",
        "number": 1,
        "invoiceNumber": "INV-2026-000001",
        "refundId": "r1",
        "totalMinor": 2500,
        "currency": "USD",
        "issuedAt": "2026-03-01T12:00:00.000Z",
    },
}


def test_every_published_event_is_here() -> None:
    """One that is published without being written down here would be published unseen."""
    assert set(PUBLISHED) == {entry.name for entry in EVENT_TYPES if entry.published}


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_world_is_told_this_and_nothing_else(name: str) -> None:
    """Each field under its published name, with the event's own value."""  # E042
    assert public_data(COMPLETE[name]) == PUBLISHED[name]
