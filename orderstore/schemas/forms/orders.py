"""What is published of an order as a whole: placed, changed, stopped, undone, done."""

from typing import Literal, NotRequired, TypedDict

from orderstore.schemas.forms.parts import Amount, Count, Currency, Minor, Moment, Pieces

CancellationReason = Literal["customer", "operator", "payment_failed", "inventory_failed"]
HoldReason = Literal["fraud_review", "address", "stock", "payment", "operator"]
LineCancellationReason = Literal["customer", "operator", "inventory", "delay"]
ActionKind = Literal["payment", "missing_stock", "delay_consent", "edit_payment"]
EditDecline = Literal["out_of_stock", "payment_failed", "not_in_time", "withdrawn", "order_undone"]


class Item(TypedDict):
    """One line, as it was ordered."""

    sku: str
    quantity: Count
    price: Amount


class OrderCreated(TypedDict):
    """The order is accepted. `customerId` is what travels of the customer: never a name, an address or an e-mail address."""

    orderId: str
    customerId: str | None
    channel: str
    currency: Currency
    items: list[Item]
    totalAmount: Amount
    totalMinor: Minor


class OrderRejected(TypedDict):
    """Neither paid for nor set aside, and why."""

    reasons: list[str]


class OrderCancellationRequested(TypedDict):
    """The order is to be undone. Whatever was said about it stays in the log."""

    reason: CancellationReason


class OrderCancellationDeclined(TypedDict):
    """It goes on."""

    reason: Literal["dispatched"]


class OrderCancelled(TypedDict):
    """Every outstanding step is undone; what had to be."""

    reason: CancellationReason
    compensations: list[str]


class LinesCancelled(TypedDict):
    """These pieces are no part of the order any more."""

    cancellationId: str
    lines: list[Pieces]
    amountMinor: Minor
    reason: LineCancellationReason


class OrderEdit(TypedDict):
    """Lines that are to follow the order's own, or do from now on, and what it costs more with them."""

    editId: str
    items: list[Item]
    amountMinor: Minor


class OrderEditReserved(TypedDict):
    """Every piece of the edit is set aside."""

    editId: str
    reservationId: str


class OrderEditDeclined(TypedDict):
    """The order stays what it was. `code` is the payment provider's own word, where it was the provider."""

    editId: str
    reason: EditDecline
    code: NotRequired[str]


class OrderHeld(TypedDict):
    """Nothing leaves until every hold is released. Whatever was said about it stays in the log."""

    holdId: str
    reason: HoldReason


class OrderHoldReleased(TypedDict):
    """This hold is over; others may be open."""

    holdId: str


class OrderActionRequired(TypedDict):
    """The customer has to decide something until then."""

    actionId: str
    kind: ActionKind
    deadline: Moment


class Nothing(TypedDict):
    """The event says all by its name."""
