"""Golden events of an order's money, and of the documents about it."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from orderstore.domain import events as e
from tests.builders import CAPTURED, DECLINED, NOON, PAID, VOIDED

REFERENCE = "pi_3MtwBwLkdIwHu7ix28a3tqPa"
METHOD = "pm_1MtwBwLkdIwHu7ix28a3tqPa"
MOUSE = (e.Pieces(line=1, quantity=1),)
TAXES = (
    e.TaxAmount(rate_percent=Decimal(7), net_minor=4_673, tax_minor=327),
    e.TaxAmount(rate_percent=Decimal("19.5"), net_minor=71_130, tax_minor=13_870),
)
BUYER = e.SealedText(subject="fiscal:2026:customer:c-1", ciphertext="c2VhbGVk")
INVOICE = e.InvoiceIssued(
    series="INV-2026",
    number=1,
    invoice_number="INV-2026-000001",
    total_minor=90_000,
    currency="USD",
    issued_at=NOON,
    supplied_at=NOON,
    buyer=BUYER,
    taxes=TAXES,
    lines=(e.Pieces(line=0, quantity=1), e.Pieces(line=1, quantity=1)),
)
BARE_INVOICE = replace(INVOICE, buyer=None, taxes=None, lines=())
CREDIT_NOTE = e.CreditNoteIssued(
    series="CN-2026",
    number=1,
    credit_note_number="CN-2026-000001",
    invoice_number="INV-2026-000001",
    refund_id="r1",
    total_minor=2_500,
    currency="USD",
    issued_at=NOON,
    lines=MOUSE,
    buyer=BUYER,
    taxes=(e.TaxAmount(rate_percent=Decimal(7), net_minor=2_336, tax_minor=164),),
)

COMPLETE: dict[str, e.Event] = {
    "PaymentMethodChosen": e.PaymentMethodChosen(method=METHOD),
    "PaymentAttemptStarted": e.PaymentAttemptStarted(attempt=2, method=METHOD),
    "PaymentActionRequired": e.PaymentActionRequired(
        attempt=1, provider_reference=REFERENCE, deadline=NOON + timedelta(days=1)
    ),
    "PaymentCompleted": replace(PAID, capture_before=NOON + timedelta(days=7)),
    "PaymentFailed": replace(DECLINED, category="soft", retry_until=NOON + timedelta(days=1)),
    "PaymentCaptured": replace(CAPTURED, shipment_id="shipment-1", final=False),
    "PaymentAuthorizationExpired": e.PaymentAuthorizationExpired(provider_reference="ch_1"),
    "PaymentOutcomeUnknown": e.PaymentOutcomeUnknown(attempt=1),
    "PaymentVoided": VOIDED,
    "PaymentHoldReleased": e.PaymentHoldReleased(attempt=2, provider_reference=REFERENCE),
    "PaymentDisputed": e.PaymentDisputed(
        dispute_id="du_1", amount_minor=90_000, reason="product_not_received", answer_by=NOON + timedelta(days=7)
    ),
    "PaymentDisputeClosed": e.PaymentDisputeClosed(dispute_id="du_1", outcome="lost"),
    "PaymentDiscrepancyFound": e.PaymentDiscrepancyFound(
        kind="amount_differs",
        attempt_key="0d9f9b1e-6a0e-4c5e-8f3c-0d1f2a3b4c5d:payment:1",
        provider_reference=REFERENCE,
        ours_minor=90_000,
        theirs_minor=89_999,
    ),
    "RefundRequested": e.RefundRequested(
        refund_id="r1",
        amount_minor=2_500,
        reason=e.FreeText(sealed=e.SealedText(subject="customer:c-1", ciphertext="c2VhbGVk")),
        lines=MOUSE,
    ),
    "RefundIssued": e.RefundIssued(refund_id="r1", amount_minor=2_500, provider_reference="re_1"),
    "RefundFailed": e.RefundFailed(refund_id="r1", attempt=1, code="expired_or_canceled_card"),
    "RefundRetried": e.RefundRetried(refund_id="r1", attempt=2),
    "InvoiceIssued": INVOICE,
    "CreditNoteIssued": CREDIT_NOTE,
    "InvoiceDocumentStored": e.InvoiceDocumentStored(
        number="INV-2026-000001",
        document="invoice",
        media_type="application/pdf",
        object_key="documents/main/INV-2026-000001.pdf",
        sha256="9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        size=48_213,
    ),
}
MINIMAL: dict[str, e.Event] = {
    "PaymentHoldReleased": e.PaymentHoldReleased(attempt=2),
    "PaymentAttemptStarted": e.PaymentAttemptStarted(attempt=2),
    "PaymentCompleted": PAID,
    "PaymentFailed": DECLINED,
    "PaymentCaptured": CAPTURED,
    "PaymentVoided": e.PaymentVoided(provider_reference=None),
    "PaymentDisputed": e.PaymentDisputed(dispute_id="du_1", amount_minor=90_000, reason="product_not_received"),
    "RefundRequested": e.RefundRequested(refund_id="r1", amount_minor=90_000),
    "InvoiceIssued": BARE_INVOICE,
    "CreditNoteIssued": replace(CREDIT_NOTE, lines=(), buyer=None, taxes=None),
}
EARLIER: dict[str, e.Event] = {
    "PaymentCompleted-1.0-complete": PAID,
    "PaymentCompleted-1.0-minimal": PAID,
    "PaymentFailed-1.0-complete": DECLINED,
    "PaymentFailed-1.0-minimal": DECLINED,
    "PaymentCaptured-1.0-complete": CAPTURED,
    "PaymentCaptured-1.0-minimal": CAPTURED,
    "RefundRequested-1.0-complete": e.RefundRequested(
        refund_id="r1", amount_minor=2_500, reason=e.FreeText(plain="broken"), lines=MOUSE
    ),
    "RefundRequested-1.0-minimal": e.RefundRequested(
        refund_id="r1", amount_minor=90_000, reason=e.FreeText(plain="cancellation")
    ),
    "InvoiceIssued-1.2-complete": replace(INVOICE, lines=()),
    "InvoiceIssued-1.2-minimal": BARE_INVOICE,
    "InvoiceIssued-1.1-complete": replace(INVOICE, taxes=None, lines=()),
    "InvoiceIssued-1.1-minimal": BARE_INVOICE,
    "InvoiceIssued-1.0-complete": BARE_INVOICE,
    "InvoiceIssued-1.0-minimal": BARE_INVOICE,
}
