"""What is published of an order's goods: set aside, sent, and sent back."""

from typing import Literal, NotRequired, TypedDict

from orderstore.schemas.forms.parts import Count, Line, Moment, Pieces


class InventoryReserved(TypedDict):
    """Every line is set aside."""

    reservationId: str


class InventoryPartiallyReserved(TypedDict):
    """Some pieces are set aside, and these are missing."""

    reservationId: str
    missing: list[Pieces]


class MissingStock(TypedDict):
    """A SKU that could not be reserved in full."""

    sku: str
    wanted: int
    available: int


class InventoryFailed(TypedDict):
    """Nothing is set aside: at least one SKU is short."""

    missing: list[MissingStock]


class BackorderFilled(TypedDict):
    """These pieces were missing and have come."""

    reservationId: str
    lines: list[Pieces]


class ShipmentCreated(TypedDict):
    """The carrier has a booking. `lines` are what is in the parcel; absent: everything that was ordered."""

    shipmentId: str
    carrier: str
    lines: NotRequired[list[Pieces]]


class ShipmentDispatched(TypedDict):
    """The goods have left."""

    shipmentId: str
    trackingNumber: str


class Shipment(TypedDict):
    """A shipment, and nothing to add."""

    shipmentId: str


class ShipmentFailed(TypedDict):
    """The carrier will not bring it; `code` is its own word."""

    shipmentId: str
    code: str


class ShipmentDelayed(TypedDict):
    """The goods leave later; where `consentBy` is set, the customer has to agree until then."""

    delayId: str
    promisedAt: Moment
    reason: str
    consentBy: Moment | None


class TrackingUpdated(TypedDict):
    """The carrier has seen the parcel."""

    shipmentId: str
    code: str
    seenAt: Moment
    place: str | None


class ReturnRequested(TypedDict):
    """The customer wants to send these pieces back. Whatever was said about it stays in the log. `exchangeOrderId` is the order that
    replaces them; absent: none does."""

    returnId: str
    lines: list[Pieces]
    reason: Literal["withdrawal", "damaged", "wrong_item", "not_as_described", "other"]
    exchangeOrderId: NotRequired[str]


class Return(TypedDict):
    """A return, and nothing to add."""

    returnId: str


class InspectedPieces(TypedDict):
    """So many pieces of a line came back in this condition."""

    line: Line
    quantity: Count
    condition: Literal["sellable", "damaged", "dismissed"]


class ReturnInspected(TypedDict):
    """What came back, and in which condition."""

    returnId: str
    pieces: list[InspectedPieces]
