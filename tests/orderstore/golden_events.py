"""What the golden files say, as the events that this build makes of them: every type and stored version, complete and minimal."""

from dataclasses import replace
from decimal import Decimal

from orderstore.domain import events as e
from orderstore.registry import BY_NAME
from tests.builders import (
    BOOKED,
    BOOKING_CANCELLED,
    CAPTURED,
    DECLINED,
    DELIVERED,
    DISPATCHED,
    NOON,
    PAID,
    RELEASED,
    RESERVED,
    SHORT,
    VOIDED,
    order_created,
)

TAXES = (
    e.TaxAmount(rate_percent=Decimal(7), net_minor=4_673, tax_minor=327),
    e.TaxAmount(rate_percent=Decimal("19.5"), net_minor=71_130, tax_minor=13_870),
)
PRICING = e.Pricing(
    tax_mode="inclusive",
    tax_rounding="line",
    lines=(
        e.PricedLine(net_minor=71_130, tax_minor=13_870, tax_rate_percent=Decimal("19.5")),
        e.PricedLine(net_minor=4_206, tax_minor=294, tax_rate_percent=Decimal(7), discount_minor=500),
    ),
    shipping=e.PricedLine(net_minor=467, tax_minor=33, tax_rate_percent=Decimal(7)),
)
COMPLETE: dict[str, e.Event] = {
    "OrderCreated": order_created(
        contact=e.SealedText(subject="customer-1", ciphertext="c2VhbGVk"),
        reference="online-retail:536365",
        hooks=e.SandboxHooks(payment_outcome="declined", inventory_outcome="out_of_stock", technical_failure="payment"),
        allowances=e.Allowances(outcomes_s=1, dispatch_s=2, delivery_s=3, undo_s=4, refund_s=5),
        pricing=PRICING,
    ),
    "PaymentMethodChosen": e.PaymentMethodChosen(method="pm_1MtwBwLkdIwHu7ix28a3tqPa"),
    "PaymentCompleted": PAID,
    "PaymentFailed": DECLINED,
    "PaymentCaptured": CAPTURED,
    "PaymentVoided": VOIDED,
    "PaymentDiscrepancyFound": e.PaymentDiscrepancyFound(
        kind="amount_differs",
        attempt_key="0d9f9b1e-6a0e-4c5e-8f3c-0d1f2a3b4c5d:payment:1",
        provider_reference="pi_3MtwBwLkdIwHu7ix28a3tqPa",
        ours_minor=90_000,
        theirs_minor=89_999,
    ),
    "RefundRequested": e.RefundRequested(
        refund_id="r1",
        amount_minor=2_500,
        reason=e.FreeText(sealed=e.SealedText(subject="customer:c-1", ciphertext="c2VhbGVk")),
        lines=(e.Pieces(line=1, quantity=1),),
    ),
    "RefundIssued": e.RefundIssued(refund_id="r1", amount_minor=2_500, provider_reference="re_1"),
    "InventoryReserved": e.InventoryReserved(reservation_id="reservation-1", untracked_skus=("POST",)),
    "InventoryFailed": SHORT,
    "InventoryReleased": RELEASED,
    "OrderConfirmed": e.OrderConfirmed(),
    "OrderRejected": e.OrderRejected(reasons=("payment_failed", "inventory_failed")),
    "OrderCancellationRequested": e.OrderCancellationRequested(
        reason="customer", note=e.FreeText(sealed=e.SealedText(subject="customer:c-1", ciphertext="c2VhbGVk"))
    ),
    "OrderCancellationDeclined": e.OrderCancellationDeclined(reason="dispatched"),
    "OrderCancelled": e.OrderCancelled(reason="customer", compensations=("payment_voided",)),
    "ShipmentCreated": BOOKED,
    "ShipmentCancelled": BOOKING_CANCELLED,
    "ShipmentDispatched": DISPATCHED,
    "ShipmentDelivered": DELIVERED,
    "InvoiceIssued": e.InvoiceIssued(
        series="INV-2026",
        number=1,
        invoice_number="INV-2026-000001",
        total_minor=90_000,
        currency="USD",
        issued_at=NOON,
        supplied_at=NOON,
        buyer=e.SealedText(subject="fiscal:2026:customer:c-1", ciphertext="c2VhbGVk"),
        taxes=TAXES,
    ),
    "CreditNoteIssued": e.CreditNoteIssued(
        series="CN-2026",
        number=1,
        credit_note_number="CN-2026-000001",
        invoice_number="INV-2026-000001",
        refund_id="r1",
        total_minor=2_500,
        currency="USD",
        issued_at=NOON,
        lines=(e.Pieces(line=1, quantity=1),),
        buyer=e.SealedText(subject="fiscal:2026:customer:c-1", ciphertext="c2VhbGVk"),
        taxes=(e.TaxAmount(rate_percent=Decimal(7), net_minor=2_336, tax_minor=164),),
    ),
    "OrderCompleted": e.OrderCompleted(),
    "OrderHeld": e.OrderHeld(
        hold_id="hold-1",
        reason="fraud_review",
        note=e.FreeText(sealed=e.SealedText(subject="customer:c-1", ciphertext="c2VhbGVk")),
    ),
    "OrderHoldReleased": e.OrderHoldReleased(
        hold_id="hold-1", note=e.FreeText(sealed=e.SealedText(subject="customer:c-1", ciphertext="c2VhbGVk"))
    ),
    "PersonalDataErased": e.PersonalDataErased(
        subject="customer:c-1", certificate="0b7b5ad2-7d3c-5f55-9a53-0c2f3a3d7a11", key_classes=("operational",)
    ),
}
MINIMAL: dict[str, e.Event] = {
    "OrderCreated": order_created(customer_id=None, country=None),
    "PaymentVoided": e.PaymentVoided(provider_reference=None),
    "RefundRequested": e.RefundRequested(refund_id="r1", amount_minor=90_000),
    "InventoryReserved": RESERVED,
    "InventoryReleased": e.InventoryReleased(reservation_id=None),
    "OrderCancellationRequested": e.OrderCancellationRequested(reason="customer"),
    "OrderHeld": e.OrderHeld(hold_id="hold-1", reason="fraud_review"),
    "OrderHoldReleased": e.OrderHoldReleased(hold_id="hold-1"),
    "InvoiceIssued": replace(COMPLETE["InvoiceIssued"], buyer=None, taxes=None),  # type: ignore[call-arg]  # it is an InvoiceIssued
    "CreditNoteIssued": replace(COMPLETE["CreditNoteIssued"], lines=(), buyer=None, taxes=None),  # type: ignore[call-arg]  # it is a CreditNoteIssued
}
# What older builds wrote, and the event that it is today.
EARLIER: dict[str, e.Event] = {
    "OrderCreated-1.1-complete": replace(COMPLETE["OrderCreated"], pricing=None),  # type: ignore[call-arg]  # it is an OrderCreated
    "OrderCreated-1.1-minimal": MINIMAL["OrderCreated"],
    "InvoiceIssued-1.1-complete": replace(COMPLETE["InvoiceIssued"], taxes=None),  # type: ignore[call-arg]  # it is an InvoiceIssued
    "InvoiceIssued-1.1-minimal": MINIMAL["InvoiceIssued"],
    "OrderCreated-1.0-complete": replace(COMPLETE["OrderCreated"], allowances=None, pricing=None),  # type: ignore[call-arg]  # it is an OrderCreated
    "OrderCreated-1.0-minimal": MINIMAL["OrderCreated"],
    "RefundRequested-1.0-complete": e.RefundRequested(
        refund_id="r1",
        amount_minor=2_500,
        reason=e.FreeText(plain="broken"),
        lines=(e.Pieces(line=1, quantity=1),),
    ),
    "RefundRequested-1.0-minimal": e.RefundRequested(
        refund_id="r1", amount_minor=90_000, reason=e.FreeText(plain="cancellation")
    ),
    "OrderCancellationRequested-1.0-complete": e.OrderCancellationRequested(
        reason="customer", note=e.FreeText(plain="changed my mind")
    ),
    "OrderCancellationRequested-1.0-minimal": e.OrderCancellationRequested(reason="customer"),
    "InvoiceIssued-1.0-complete": MINIMAL["InvoiceIssued"],
    "InvoiceIssued-1.0-minimal": MINIMAL["InvoiceIssued"],
}

PRESENT: dict[str, e.Event] = {
    f"{name}-{BY_NAME[name].version}-complete": event for name, event in COMPLETE.items()
} | {f"{name}-{BY_NAME[name].version}-minimal": MINIMAL.get(name, event) for name, event in COMPLETE.items()}
"""By the golden file's name. An event without optional fields is complete when it is minimal."""
