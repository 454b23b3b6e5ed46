"""Golden events of an order as a whole: placed, changed, stopped, decided about, undone, done."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from orderstore.domain import events as e
from tests.builders import NOON, order_created

PRICING = e.Pricing(
    tax_mode="inclusive",
    tax_rounding="line",
    lines=(
        e.PricedLine(net_minor=71_130, tax_minor=13_870, tax_rate_percent=Decimal("19.5")),
        e.PricedLine(net_minor=4_206, tax_minor=294, tax_rate_percent=Decimal(7), discount_minor=500),
    ),
    shipping=e.PricedLine(net_minor=467, tax_minor=33, tax_rate_percent=Decimal(7)),
)
HOOKS = e.SandboxHooks(
    payment_outcome="declined",
    inventory_outcome="out_of_stock",
    technical_failure="payment",
    shipping_outcome="lost",
)
CREATED = order_created(
    contact=e.SealedText(subject="customer-1", ciphertext="c2VhbGVk"),
    reference="online-retail:536365",
    hooks=HOOKS,
    allowances=e.Allowances(outcomes_s=1, dispatch_s=2, delivery_s=3, undo_s=4, refund_s=5),
    pricing=PRICING,
    terms=e.Terms(
        missing_stock="backorder",
        charge="per_shipment",
        payment_retry_s=86_400,
        reservation_s=3_600,
        answer_s=172_800,
        review=True,
    ),
    grace_until=NOON + timedelta(minutes=1),
    ship_by=NOON + timedelta(days=30),
)
BEFORE_TERMS = replace(CREATED, hooks=replace(HOOKS, shipping_outcome=None), terms=None, grace_until=None, ship_by=None)
BARE = order_created(customer_id=None, country=None)
WORDS = e.FreeText(sealed=e.SealedText(subject="customer:c-1", ciphertext="c2VhbGVk"))
CHARGER = (e.OrderLine(sku="CHARGER-003", quantity=2, unit_price=Decimal("19.99"), description="65 W"),)
BARE_CHARGER = (replace(CHARGER[0], description=""),)
CHARGER_PRICING = replace(
    PRICING,
    lines=(e.PricedLine(net_minor=3_346, tax_minor=652, tax_rate_percent=Decimal("19.5")),),
    shipping=None,
)
MOUSE = (e.Pieces(line=1, quantity=1),)

COMPLETE: dict[str, e.Event] = {
    "OrderCreated": CREATED,
    "OrderGraceEnded": e.OrderGraceEnded(),
    "OrderConfirmed": e.OrderConfirmed(),
    "OrderRejected": e.OrderRejected(reasons=("payment_failed", "inventory_failed")),
    "OrderCancellationRequested": e.OrderCancellationRequested(reason="customer", note=WORDS),
    "OrderCancellationDeclined": e.OrderCancellationDeclined(reason="dispatched"),
    "LinesCancelled": e.LinesCancelled(
        cancellation_id="cancellation-1", lines=MOUSE, amount_minor=2_500, reason="customer", refund_id="r2"
    ),
    "OrderEditRequested": e.OrderEditRequested(
        edit_id="edit-1",
        lines=CHARGER,
        amount_minor=3_998,
        due_minor=93_998,
        attempt=2,
        pricing=CHARGER_PRICING,
    ),
    "OrderEditReserved": e.OrderEditReserved(
        edit_id="edit-1",
        reservation_id="order-1:edit:edit-1",
        allocations=(e.Allocation(location="north", lines=(e.Pieces(line=2, quantity=2),)),),
        untracked_skus=("GIFT-WRAP",),
    ),
    "OrderEditApplied": e.OrderEditApplied(
        edit_id="edit-1", lines=CHARGER, amount_minor=3_998, pricing=CHARGER_PRICING
    ),
    "OrderEditDeclined": e.OrderEditDeclined(edit_id="edit-1", reason="payment_failed", code="do_not_honor"),
    "OrderEditReleased": e.OrderEditReleased(edit_id="edit-1"),
    "OrderCancelled": e.OrderCancelled(reason="customer", compensations=("payment_voided",)),
    "OrderExpired": e.OrderExpired(deadline="payment_retry"),
    "OrderCompleted": e.OrderCompleted(),
    "OrderHeld": e.OrderHeld(hold_id="hold-1", reason="fraud_review", note=WORDS),
    "OrderHoldReleased": e.OrderHoldReleased(hold_id="hold-1", note=WORDS),
    "FraudReviewRequested": e.FraudReviewRequested(),
    "FraudReviewPassed": e.FraudReviewPassed(score=12, rules=("velocity", "address")),
    "FraudReviewFailed": e.FraudReviewFailed(score=97, rules=("stolen_card",)),
    "OrderActionRequired": e.OrderActionRequired(
        action_id="missing_stock", kind="missing_stock", deadline=NOON + timedelta(days=3)
    ),
    "OrderActionAnswered": e.OrderActionAnswered(action_id="missing_stock", answer="accepted"),
    "OrderProcessStalled": e.OrderProcessStalled(
        stage="refund", since=NOON, due_at=NOON + timedelta(days=14), subject="r1"
    ),
    "OrderProcessResumed": e.OrderProcessResumed(stage="refund", action="retry", subject="r1", note=WORDS),
    "OrderNoteAdded": e.OrderNoteAdded(note_id="note-1", note=WORDS),
    "DiscrepancyFound": e.DiscrepancyFound(
        area="stock", kind="not_set_aside", subject="MOUSE-002@main", ours=2, theirs=0
    ),
    "PersonalDataErased": e.PersonalDataErased(
        subject="customer:c-1", certificate="0b7b5ad2-7d3c-5f55-9a53-0c2f3a3d7a11", key_classes=("operational",)
    ),
}
MINIMAL: dict[str, e.Event] = {
    "OrderCreated": BARE,
    "OrderCancellationRequested": e.OrderCancellationRequested(reason="customer"),
    "LinesCancelled": e.LinesCancelled(
        cancellation_id="cancellation-1", lines=MOUSE, amount_minor=2_500, reason="customer"
    ),
    "OrderEditRequested": e.OrderEditRequested(
        edit_id="edit-1", lines=BARE_CHARGER, amount_minor=3_998, due_minor=93_998, attempt=2
    ),
    "OrderEditReserved": e.OrderEditReserved(edit_id="edit-1", reservation_id="order-1:edit:edit-1"),
    "OrderEditApplied": e.OrderEditApplied(edit_id="edit-1", lines=BARE_CHARGER, amount_minor=3_998),
    "OrderEditDeclined": e.OrderEditDeclined(edit_id="edit-1", reason="out_of_stock"),
    "OrderHeld": e.OrderHeld(hold_id="hold-1", reason="fraud_review"),
    "OrderHoldReleased": e.OrderHoldReleased(hold_id="hold-1"),
    "FraudReviewPassed": e.FraudReviewPassed(),
    "FraudReviewFailed": e.FraudReviewFailed(),
    "OrderProcessStalled": e.OrderProcessStalled(stage="refund", since=NOON, due_at=NOON + timedelta(days=14)),
    "OrderProcessResumed": e.OrderProcessResumed(stage="refund", action="retry"),
}
EARLIER: dict[str, e.Event] = {
    "OrderCreated-1.2-complete": BEFORE_TERMS,
    "OrderCreated-1.2-minimal": BARE,
    "OrderCreated-1.1-complete": replace(BEFORE_TERMS, pricing=None),
    "OrderCreated-1.1-minimal": BARE,
    "OrderCreated-1.0-complete": replace(BEFORE_TERMS, allowances=None, pricing=None),
    "OrderCreated-1.0-minimal": BARE,
    "OrderCancellationRequested-1.0-complete": e.OrderCancellationRequested(
        reason="customer", note=e.FreeText(plain="changed my mind")
    ),
    "OrderCancellationRequested-1.0-minimal": e.OrderCancellationRequested(reason="customer"),
}
