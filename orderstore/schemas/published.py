"""The data of each published event, as types: `contract.public_data` is checked against them, and their schemas are derived from them.

A contract with names of its own: nothing here is taken from the domain, so that a change there which would change what the world sees
is a type error in `contract.py` first. Every change is held to the last release's schemas (`orderstore schemas check`).
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from orderstore.schemas.forms.goods import (
    BackorderFilled,
    InspectedPieces,
    InventoryFailed,
    InventoryPartiallyReserved,
    InventoryReserved,
    MissingStock,
    Return,
    ReturnInspected,
    ReturnRequested,
    Shipment,
    ShipmentCreated,
    ShipmentDelayed,
    ShipmentDispatched,
    ShipmentFailed,
    TrackingUpdated,
)
from orderstore.schemas.forms.money import (
    CreditNoteIssued,
    InvoiceIssued,
    Money,
    PaymentAttemptStarted,
    PaymentCompleted,
    PaymentDisputeClosed,
    PaymentDisputed,
    PaymentFailed,
    Refund,
    RefundRetried,
)
from orderstore.schemas.forms.orders import (
    Item,
    LinesCancelled,
    Nothing,
    OrderActionRequired,
    OrderCancellationDeclined,
    OrderCancellationRequested,
    OrderCancelled,
    OrderCreated,
    OrderEdit,
    OrderEditDeclined,
    OrderEditReserved,
    OrderHeld,
    OrderHoldReleased,
    OrderRejected,
)
from orderstore.schemas.forms.parts import Pieces

__all__ = (
    "FORMS",
    "BackorderFilled",
    "CreditNoteIssued",
    "InspectedPieces",
    "InventoryFailed",
    "InventoryPartiallyReserved",
    "InventoryReserved",
    "InvoiceIssued",
    "Item",
    "LinesCancelled",
    "MissingStock",
    "Money",
    "Nothing",
    "OrderActionRequired",
    "OrderCancellationDeclined",
    "OrderCancellationRequested",
    "OrderCancelled",
    "OrderCreated",
    "OrderEdit",
    "OrderEditDeclined",
    "OrderEditReserved",
    "OrderHeld",
    "OrderHoldReleased",
    "OrderRejected",
    "PaymentAttemptStarted",
    "PaymentCompleted",
    "PaymentDisputeClosed",
    "PaymentDisputed",
    "PaymentFailed",
    "Pieces",
    "PublicData",
    "Refund",
    "RefundRetried",
    "Return",
    "ReturnInspected",
    "ReturnRequested",
    "Shipment",
    "ShipmentCreated",
    "ShipmentDelayed",
    "ShipmentDispatched",
    "ShipmentFailed",
    "TrackingUpdated",
)

PublicData = (
    OrderCreated
    | PaymentCompleted
    | PaymentFailed
    | Money
    | Refund
    | InventoryReserved
    | InventoryFailed
    | OrderRejected
    | OrderCancellationRequested
    | OrderCancellationDeclined
    | OrderCancelled
    | OrderHeld
    | OrderHoldReleased
    | ShipmentCreated
    | ShipmentDispatched
    | Shipment
    | InvoiceIssued
    | CreditNoteIssued
    | LinesCancelled
    | OrderEdit
    | OrderEditReserved
    | OrderEditDeclined
    | OrderActionRequired
    | PaymentAttemptStarted
    | PaymentDisputed
    | PaymentDisputeClosed
    | RefundRetried
    | InventoryPartiallyReserved
    | BackorderFilled
    | ShipmentFailed
    | ShipmentDelayed
    | TrackingUpdated
    | ReturnRequested
    | Return
    | ReturnInspected
    | Nothing
)

FORMS: Final[Mapping[str, type]] = MappingProxyType(
    {
        "OrderCreated": OrderCreated,
        "OrderGraceEnded": Nothing,
        "OrderConfirmed": Nothing,
        "OrderRejected": OrderRejected,
        "OrderCancellationRequested": OrderCancellationRequested,
        "OrderCancelled": OrderCancelled,
        "OrderCompleted": Nothing,
        "OrderHeld": OrderHeld,
        "OrderHoldReleased": OrderHoldReleased,
        "PaymentCompleted": PaymentCompleted,
        "PaymentFailed": PaymentFailed,
        "RefundRequested": Refund,
        "RefundIssued": Refund,
        "InventoryReserved": InventoryReserved,
        "InventoryFailed": InventoryFailed,
        "InventoryReleased": Nothing,
        "ShipmentCreated": ShipmentCreated,
        "ShipmentRecalled": Shipment,
        "ShipmentCancelled": Shipment,
        "ShipmentDispatched": ShipmentDispatched,
        "ShipmentDelivered": Shipment,
        "InvoiceIssued": InvoiceIssued,
        "CreditNoteIssued": CreditNoteIssued,
        "LinesCancelled": LinesCancelled,
        "OrderEditRequested": OrderEdit,
        "OrderEditReserved": OrderEditReserved,
        "OrderEditApplied": OrderEdit,
        "OrderEditDeclined": OrderEditDeclined,
        "OrderActionRequired": OrderActionRequired,
        "PaymentAttemptStarted": PaymentAttemptStarted,
        "PaymentDisputed": PaymentDisputed,
        "PaymentDisputeClosed": PaymentDisputeClosed,
        "RefundRetried": RefundRetried,
        "InventoryPartiallyReserved": InventoryPartiallyReserved,
        "BackorderFilled": BackorderFilled,
        "ShipmentFailed": ShipmentFailed,
        "ShipmentDelayed": ShipmentDelayed,
        "TrackingUpdated": TrackingUpdated,
        "ReturnRequested": ReturnRequested,
        "ReturnInspected": ReturnInspected,
        "FraudReviewRequested": Nothing,
        "FraudReviewPassed": Nothing,
        "PaymentAuthorizationExpired": Nothing,
        "ReturnApproved": Return,
        "ReturnDeclined": Return,
        "ReturnReceived": Return,
    }
)
"""The form of each published event, by its name in the registry."""
