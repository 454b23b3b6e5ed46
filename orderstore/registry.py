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
        "OrderCreated", "1.2", e.OrderCreated, "order", consumers=("payment", "inventory"), earlier=("1.0", "1.1")
    ),
    EventType("OrderConfirmed", "1.0", e.OrderConfirmed, "order", consumers=("shipping",)),
    EventType("OrderRejected", "1.0", e.OrderRejected, "order", consumers=("notification",)),
    EventType(
        "OrderCancellationRequested",
        "2.0",
        e.OrderCancellationRequested,
        "order",
        consumers=("payment", "inventory", "shipping"),
        earlier=("1.0",),
    ),
    EventType("OrderCancellationDeclined", "1.0", e.OrderCancellationDeclined, "order", published=False),
    EventType("OrderCancelled", "1.0", e.OrderCancelled, "order", consumers=("notification",)),
    EventType("OrderCompleted", "1.0", e.OrderCompleted, "order"),
    EventType("OrderHeld", "1.0", e.OrderHeld, "order", consumers=("notification",)),
    EventType("OrderHoldReleased", "1.0", e.OrderHoldReleased, "order", consumers=("shipping",)),
    EventType("PaymentMethodChosen", "1.0", e.PaymentMethodChosen, "order", published=False),
    EventType("PaymentCompleted", "1.0", e.PaymentCompleted, "payment", consumers=("notification",)),
    EventType("PaymentFailed", "1.0", e.PaymentFailed, "payment", consumers=("notification",)),
    EventType("PaymentCaptured", "1.0", e.PaymentCaptured, "payment", published=False),
    EventType("PaymentVoided", "1.0", e.PaymentVoided, "payment", published=False),
    EventType("PaymentDiscrepancyFound", "1.0", e.PaymentDiscrepancyFound, "payment", published=False),
    EventType("RefundRequested", "2.0", e.RefundRequested, "order", consumers=("payment",), earlier=("1.0",)),
    EventType("RefundIssued", "1.0", e.RefundIssued, "payment", consumers=("billing", "notification")),
    EventType("InventoryReserved", "1.0", e.InventoryReserved, "inventory", consumers=("notification",)),
    EventType("InventoryFailed", "1.0", e.InventoryFailed, "inventory", consumers=("notification",)),
    EventType("InventoryReleased", "1.0", e.InventoryReleased, "inventory"),
    EventType("ShipmentCreated", "1.0", e.ShipmentCreated, "shipping", consumers=("shipping",)),
    EventType("ShipmentCancelled", "1.0", e.ShipmentCancelled, "shipping", consumers=("payment", "inventory")),
    EventType(
        "ShipmentDispatched",
        "1.0",
        e.ShipmentDispatched,
        "shipping",
        consumers=("payment", "shipping", "billing", "notification"),
    ),
    EventType("ShipmentDelivered", "1.0", e.ShipmentDelivered, "shipping"),
    EventType("InvoiceIssued", "1.2", e.InvoiceIssued, "billing", earlier=("1.0", "1.1")),
    EventType("CreditNoteIssued", "1.0", e.CreditNoteIssued, "billing"),
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
