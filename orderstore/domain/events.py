"""What can happen to an order. These are stored for ever: field names and meanings are history. Change them only with a
new version and an upcaster (`orderstore/registry.py`, golden files in `tests/orderstore/golden`).

No event carries card data; personal data, and whatever people write in their own words, is only in `SealedText`.
"""

from orderstore.domain.billing_facts import (
    CreditNoteIssued,
    InvoiceDocumentStored,
    InvoiceIssued,
)
from orderstore.domain.edit_facts import (
    EditDecline,
    OrderEditApplied,
    OrderEditDeclined,
    OrderEditReleased,
    OrderEditRequested,
    OrderEditReserved,
    PaymentHoldReleased,
)
from orderstore.domain.order_facts import (
    CancellationReason,
    HoldReason,
    LineCancellationReason,
    LinesCancelled,
    OrderCancellationDeclined,
    OrderCancellationRequested,
    OrderCancelled,
    OrderCompleted,
    OrderConfirmed,
    OrderCreated,
    OrderGraceEnded,
    OrderHeld,
    OrderHoldReleased,
    OrderNoteAdded,
    OrderRejected,
    PersonalDataErased,
)
from orderstore.domain.payment_facts import (
    DeclineCategory,
    DiscrepancyKind,
    PaymentActionRequired,
    PaymentAttemptStarted,
    PaymentAuthorizationExpired,
    PaymentCaptured,
    PaymentCompleted,
    PaymentDiscrepancyFound,
    PaymentDisputeClosed,
    PaymentDisputed,
    PaymentFailed,
    PaymentMethodChosen,
    PaymentMode,
    PaymentOutcomeUnknown,
    PaymentVoided,
    RefundFailed,
    RefundIssued,
    RefundRequested,
    RefundRetried,
)
from orderstore.domain.price_facts import (
    PricedLine,
    Pricing,
    TaxAmount,
)
from orderstore.domain.process_facts import (
    ActionKind,
    Answer,
    Deadline,
    DiscrepancyArea,
    DiscrepancyFound,
    FraudReviewFailed,
    FraudReviewPassed,
    FraudReviewRequested,
    OrderActionAnswered,
    OrderActionRequired,
    OrderExpired,
    OrderProcessResumed,
    OrderProcessStalled,
    Resumption,
    StalledStage,
)
from orderstore.domain.return_facts import (
    Condition,
    InspectedPieces,
    ReturnApproved,
    ReturnCancelled,
    ReturnDeclined,
    ReturnInspected,
    ReturnReason,
    ReturnReceived,
    ReturnRequested,
)
from orderstore.domain.shipment_facts import (
    ShipmentCancelled,
    ShipmentCreated,
    ShipmentDelayed,
    ShipmentDelivered,
    ShipmentDispatched,
    ShipmentFailed,
    ShipmentRecalled,
    TrackingUpdated,
)
from orderstore.domain.stock_facts import (
    BackorderFilled,
    InventoryCommitted,
    InventoryFailed,
    InventoryPartiallyReserved,
    InventoryReleased,
    InventoryReserved,
    InventoryRestocked,
    MissingStock,
    PiecesReleased,
    ReservationExpired,
)
from orderstore.domain.values import (
    Allocation,
    Allowances,
    FreeText,
    OrderLine,
    Pieces,
    SandboxHooks,
    SealedText,
    Terms,
)

__all__ = (
    "ActionKind",
    "Allocation",
    "Allowances",
    "Answer",
    "BackorderFilled",
    "CancellationReason",
    "Condition",
    "CreditNoteIssued",
    "Deadline",
    "DeclineCategory",
    "DiscrepancyArea",
    "DiscrepancyFound",
    "DiscrepancyKind",
    "EditDecline",
    "Event",
    "FraudReviewFailed",
    "FraudReviewPassed",
    "FraudReviewRequested",
    "FreeText",
    "HoldReason",
    "InspectedPieces",
    "InventoryCommitted",
    "InventoryFailed",
    "InventoryPartiallyReserved",
    "InventoryReleased",
    "InventoryReserved",
    "InventoryRestocked",
    "InvoiceDocumentStored",
    "InvoiceIssued",
    "LineCancellationReason",
    "LinesCancelled",
    "MissingStock",
    "OrderActionAnswered",
    "OrderActionRequired",
    "OrderCancellationDeclined",
    "OrderCancellationRequested",
    "OrderCancelled",
    "OrderCompleted",
    "OrderConfirmed",
    "OrderCreated",
    "OrderEditApplied",
    "OrderEditDeclined",
    "OrderEditReleased",
    "OrderEditRequested",
    "OrderEditReserved",
    "OrderExpired",
    "OrderGraceEnded",
    "OrderHeld",
    "OrderHoldReleased",
    "OrderLine",
    "OrderNoteAdded",
    "OrderProcessResumed",
    "OrderProcessStalled",
    "OrderRejected",
    "PaymentActionRequired",
    "PaymentAttemptStarted",
    "PaymentAuthorizationExpired",
    "PaymentCaptured",
    "PaymentCompleted",
    "PaymentDiscrepancyFound",
    "PaymentDisputeClosed",
    "PaymentDisputed",
    "PaymentFailed",
    "PaymentHoldReleased",
    "PaymentMethodChosen",
    "PaymentMode",
    "PaymentOutcomeUnknown",
    "PaymentVoided",
    "PersonalDataErased",
    "Pieces",
    "PiecesReleased",
    "PricedLine",
    "Pricing",
    "RefundFailed",
    "RefundIssued",
    "RefundRequested",
    "RefundRetried",
    "ReservationExpired",
    "Resumption",
    "ReturnApproved",
    "ReturnCancelled",
    "ReturnDeclined",
    "ReturnInspected",
    "ReturnReason",
    "ReturnReceived",
    "ReturnRequested",
    "SandboxHooks",
    "SealedText",
    "ShipmentCancelled",
    "ShipmentCreated",
    "ShipmentDelayed",
    "ShipmentDelivered",
    "ShipmentDispatched",
    "ShipmentFailed",
    "ShipmentRecalled",
    "StalledStage",
    "TaxAmount",
    "Terms",
    "TrackingUpdated",
)

Event = (
    OrderCreated
    | OrderGraceEnded
    | OrderConfirmed
    | OrderRejected
    | OrderCancellationRequested
    | OrderCancellationDeclined
    | LinesCancelled
    | OrderEditRequested
    | OrderEditReserved
    | OrderEditApplied
    | OrderEditDeclined
    | OrderEditReleased
    | OrderCancelled
    | OrderExpired
    | OrderCompleted
    | OrderHeld
    | OrderHoldReleased
    | FraudReviewRequested
    | FraudReviewPassed
    | FraudReviewFailed
    | OrderActionRequired
    | OrderActionAnswered
    | OrderProcessStalled
    | OrderProcessResumed
    | OrderNoteAdded
    | PaymentMethodChosen
    | PaymentAttemptStarted
    | PaymentActionRequired
    | PaymentCompleted
    | PaymentFailed
    | PaymentCaptured
    | PaymentAuthorizationExpired
    | PaymentOutcomeUnknown
    | PaymentVoided
    | PaymentHoldReleased
    | PaymentDisputed
    | PaymentDisputeClosed
    | PaymentDiscrepancyFound
    | RefundRequested
    | RefundIssued
    | RefundFailed
    | RefundRetried
    | InventoryReserved
    | InventoryPartiallyReserved
    | InventoryFailed
    | BackorderFilled
    | ReservationExpired
    | PiecesReleased
    | InventoryReleased
    | InventoryCommitted
    | InventoryRestocked
    | ShipmentCreated
    | ShipmentRecalled
    | ShipmentCancelled
    | ShipmentDispatched
    | ShipmentDelivered
    | ShipmentFailed
    | ShipmentDelayed
    | TrackingUpdated
    | ReturnRequested
    | ReturnApproved
    | ReturnDeclined
    | ReturnCancelled
    | ReturnReceived
    | ReturnInspected
    | InvoiceIssued
    | CreditNoteIssued
    | InvoiceDocumentStored
    | DiscrepancyFound
    | PersonalDataErased
)
