"""Every event type: its stored and published name and version, who owns it, whether the world sees it, and who consumes it.

Names are written down here, never derived from a class: a class may be renamed, history may not. The queues' filter
policies in `deploy/data-plane.yaml` are held to the `consumers` column by a test.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

from orderstore.domain import events as e

Compatibility = Literal["BACKWARD", "FORWARD", "FULL", "NONE"]
"""What a change of a schema may not break. BACKWARD: new readers read old data; FORWARD: old readers read new data; FULL: both."""


@dataclass(frozen=True, slots=True)
class EventType:
    """One name and its present version. `consumers` are the queues whose filter lets it through; () on a published type: none yet."""

    name: str
    version: str
    """Of the stored form, `major.minor`: a minor version only adds optional fields, a major one needs an upcaster."""
    event: type[e.Event]
    owner: str
    published: bool = True
    consumers: tuple[str, ...] = ()
    earlier: tuple[str, ...] = ()
    """Stored versions that history holds, oldest first; each has a way to `version` through `orderstore/upcasters.py`."""
    published_version: str = "1.0"
    """Of the published form, which changes for its own reasons."""
    compatibility: Compatibility = "FULL"
    """What both forms promise from release to release within one major version."""
    deprecated: str = ""
    """Not empty: nobody should build on it any more; says what to use in its place, and from which release."""


EVENT_TYPES: Final = (
    EventType(
        "OrderCreated",
        "1.3",
        e.OrderCreated,
        "order",
        consumers=(
            "payment",
            "inventory",
        ),
        earlier=(
            "1.0",
            "1.1",
            "1.2",
        ),
    ),
    EventType("OrderGraceEnded", "1.0", e.OrderGraceEnded, "order", consumers=("payment", "inventory")),
    EventType("OrderConfirmed", "1.0", e.OrderConfirmed, "order", consumers=("shipping",)),
    EventType("OrderRejected", "1.0", e.OrderRejected, "order", consumers=("notification",)),
    EventType(
        "OrderCancellationRequested",
        "2.0",
        e.OrderCancellationRequested,
        "order",
        consumers=(
            "payment",
            "inventory",
            "shipping",
        ),
        earlier=("1.0",),
    ),
    EventType("OrderCancellationDeclined", "1.0", e.OrderCancellationDeclined, "order", published=False),
    EventType(
        "LinesCancelled",
        "1.0",
        e.LinesCancelled,
        "order",
        consumers=(
            "payment",
            "inventory",
            "billing",
            "notification",
        ),
    ),
    EventType("OrderEditRequested", "1.0", e.OrderEditRequested, "order", consumers=("inventory",)),
    EventType("OrderEditReserved", "1.0", e.OrderEditReserved, "inventory", consumers=("payment",)),
    EventType(
        "OrderEditApplied",
        "1.0",
        e.OrderEditApplied,
        "order",
        consumers=(
            "shipping",
            "notification",
        ),
    ),
    EventType(
        "OrderEditDeclined",
        "1.0",
        e.OrderEditDeclined,
        "order",
        consumers=(
            "payment",
            "inventory",
            "shipping",
            "notification",
        ),
    ),
    EventType("OrderEditReleased", "1.0", e.OrderEditReleased, "inventory", published=False),
    EventType("OrderCancelled", "1.0", e.OrderCancelled, "order", consumers=("notification",)),
    EventType("OrderExpired", "1.0", e.OrderExpired, "order", published=False),
    EventType("OrderCompleted", "1.0", e.OrderCompleted, "order"),
    EventType("OrderHeld", "1.0", e.OrderHeld, "order", consumers=("notification",)),
    EventType("OrderHoldReleased", "1.0", e.OrderHoldReleased, "order", consumers=("shipping",)),
    EventType("FraudReviewRequested", "1.0", e.FraudReviewRequested, "order"),
    EventType("FraudReviewPassed", "1.0", e.FraudReviewPassed, "order", consumers=("shipping",)),
    EventType("FraudReviewFailed", "1.0", e.FraudReviewFailed, "order", published=False),
    EventType("OrderActionRequired", "1.0", e.OrderActionRequired, "order", consumers=("notification",)),
    EventType("OrderActionAnswered", "1.0", e.OrderActionAnswered, "order", published=False),
    EventType("OrderProcessStalled", "1.0", e.OrderProcessStalled, "order", published=False),
    EventType("OrderProcessResumed", "1.0", e.OrderProcessResumed, "order", published=False),
    EventType("OrderNoteAdded", "1.0", e.OrderNoteAdded, "order", published=False),
    EventType("PaymentMethodChosen", "1.0", e.PaymentMethodChosen, "order", published=False),
    EventType("PaymentAttemptStarted", "1.0", e.PaymentAttemptStarted, "payment", consumers=("payment",)),
    EventType("PaymentActionRequired", "1.0", e.PaymentActionRequired, "payment", published=False),
    EventType(
        "PaymentCompleted",
        "1.1",
        e.PaymentCompleted,
        "payment",
        consumers=("notification",),
        earlier=("1.0",),
    ),
    EventType(
        "PaymentFailed",
        "1.1",
        e.PaymentFailed,
        "payment",
        consumers=("notification",),
        earlier=("1.0",),
        published_version="1.1",
    ),
    EventType("PaymentCaptured", "1.1", e.PaymentCaptured, "payment", published=False, earlier=("1.0",)),
    EventType("PaymentAuthorizationExpired", "1.0", e.PaymentAuthorizationExpired, "payment", consumers=("payment",)),
    EventType("PaymentOutcomeUnknown", "1.0", e.PaymentOutcomeUnknown, "payment", published=False),
    EventType("PaymentVoided", "1.0", e.PaymentVoided, "payment", published=False),
    EventType("PaymentHoldReleased", "1.0", e.PaymentHoldReleased, "payment", published=False),
    EventType("PaymentDisputed", "1.0", e.PaymentDisputed, "payment", consumers=("notification",)),
    EventType("PaymentDisputeClosed", "1.0", e.PaymentDisputeClosed, "payment"),
    EventType("PaymentDiscrepancyFound", "1.0", e.PaymentDiscrepancyFound, "payment", published=False),
    EventType("RefundRequested", "2.0", e.RefundRequested, "order", consumers=("payment",), earlier=("1.0",)),
    EventType(
        "RefundIssued",
        "1.0",
        e.RefundIssued,
        "payment",
        consumers=(
            "billing",
            "notification",
        ),
    ),
    EventType("RefundFailed", "1.0", e.RefundFailed, "payment", published=False),
    EventType("RefundRetried", "1.0", e.RefundRetried, "payment", consumers=("payment",)),
    EventType(
        "InventoryReserved", "1.1", e.InventoryReserved, "inventory", consumers=("notification",), earlier=("1.0",)
    ),
    EventType("InventoryPartiallyReserved", "1.0", e.InventoryPartiallyReserved, "inventory", consumers=("inventory",)),
    EventType("InventoryFailed", "1.0", e.InventoryFailed, "inventory", consumers=("notification",)),
    EventType("BackorderFilled", "1.0", e.BackorderFilled, "inventory", consumers=("shipping",)),
    EventType("ReservationExpired", "1.0", e.ReservationExpired, "inventory", published=False),
    EventType("PiecesReleased", "1.0", e.PiecesReleased, "inventory", published=False),
    EventType("InventoryReleased", "1.0", e.InventoryReleased, "inventory"),
    EventType("InventoryCommitted", "1.0", e.InventoryCommitted, "inventory", published=False),
    EventType("InventoryRestocked", "1.0", e.InventoryRestocked, "inventory", published=False),
    EventType(
        "ShipmentCreated",
        "1.1",
        e.ShipmentCreated,
        "shipping",
        consumers=("shipping",),
        earlier=("1.0",),
        published_version="1.1",
    ),
    EventType("ShipmentRecalled", "1.0", e.ShipmentRecalled, "order", consumers=("shipping",)),
    EventType(
        "ShipmentCancelled",
        "1.0",
        e.ShipmentCancelled,
        "shipping",
        consumers=(
            "payment",
            "inventory",
        ),
    ),
    EventType(
        "ShipmentDispatched",
        "1.0",
        e.ShipmentDispatched,
        "shipping",
        consumers=(
            "payment",
            "inventory",
            "shipping",
            "billing",
            "notification",
        ),
    ),
    EventType("ShipmentDelivered", "1.0", e.ShipmentDelivered, "shipping"),
    EventType(
        "ShipmentFailed",
        "1.0",
        e.ShipmentFailed,
        "shipping",
        consumers=(
            "payment",
            "inventory",
            "notification",
        ),
    ),
    EventType("ShipmentDelayed", "1.0", e.ShipmentDelayed, "shipping", consumers=("notification",)),
    EventType("TrackingUpdated", "1.0", e.TrackingUpdated, "shipping"),
    EventType("ReturnRequested", "1.0", e.ReturnRequested, "order"),
    EventType("ReturnApproved", "1.0", e.ReturnApproved, "order", consumers=("notification",)),
    EventType("ReturnDeclined", "1.0", e.ReturnDeclined, "order", consumers=("notification",)),
    EventType("ReturnCancelled", "1.0", e.ReturnCancelled, "order", published=False),
    EventType("ReturnReceived", "1.0", e.ReturnReceived, "order"),
    EventType("ReturnInspected", "1.0", e.ReturnInspected, "order", consumers=("inventory",)),
    EventType(
        "InvoiceIssued",
        "1.3",
        e.InvoiceIssued,
        "billing",
        earlier=(
            "1.0",
            "1.1",
            "1.2",
        ),
    ),
    EventType("CreditNoteIssued", "1.0", e.CreditNoteIssued, "billing"),
    EventType("InvoiceDocumentStored", "1.0", e.InvoiceDocumentStored, "billing", published=False),
    EventType("DiscrepancyFound", "1.0", e.DiscrepancyFound, "order", published=False),
    EventType("PersonalDataErased", "1.0", e.PersonalDataErased, "order", published=False),
)

BY_NAME: Final[Mapping[str, EventType]] = MappingProxyType({entry.name: entry for entry in EVENT_TYPES})
BY_CLASS: Final[Mapping[type[e.Event], EventType]] = MappingProxyType({entry.event: entry for entry in EVENT_TYPES})
CONSUMERS: Final = ("payment", "inventory", "shipping", "billing", "notification", "archive", "webhooks")
HEARS_EVERYTHING: Final = "archive"
"""The queue without a filter policy: it is told of every commit, also of those that hold nothing public."""
HEARS_ALL_PUBLIC: Final = "webhooks"
"""The queue whose filter lets every published type through: what each endpoint wants is filtered behind it."""


def consumed_by(queue: str) -> tuple[str, ...]:
    """The names of the events that reach a queue: those that its filter policy lets through, or every public one."""
    if queue in (HEARS_EVERYTHING, HEARS_ALL_PUBLIC):
        return tuple(entry.name for entry in EVENT_TYPES if entry.published)
    return tuple(entry.name for entry in EVENT_TYPES if queue in entry.consumers)
