"""The shapes of orders as they stand, for the OpenAPI document. A test holds each real answer to these."""

from typing import Annotated, Literal

from pydantic import Field

from orderstore.domain.events import ActionKind, EditDecline
from projections.http.schemas import Answer, AsOf, HoldReason


class Payment(Answer):
    """`dueMinor` is what the customer has to pay: the total without the pieces that were cancelled. Of what was captured, `refundedMinor`
    was given back; `refundPendingMinor` and `refundFailedMinor` are promised, and the provider's or a person's turn. `disputedMinor` is
    what the bank has taken back, for now or for ever. With `outcomeUnknown`, nobody can say what became of the present attempt. A payment
    that FAILED may be tried again until `retryUntil`, where there is one."""

    status: Literal["PENDING", "ACTION_REQUIRED", "AUTHORIZED", "PARTIALLY_CAPTURED", "CAPTURED", "FAILED", "VOIDED"]
    attempt: int
    amount_minor: int
    due_minor: int
    captured_minor: int
    refunded_minor: int
    refund_pending_minor: int
    refund_failed_minor: int
    disputed_minor: int
    outcome_unknown: bool
    retry_until: str | None


class Inventory(Answer):
    """PARTIAL: pieces are missing, and the customer is asked, or they are cancelled; BACKORDERED: they are sent when they come; COMMITTED:
    all of it has left, and nothing is set aside any more; EXPIRED: set aside for as long as was promised, and not paid for."""

    status: Literal["PENDING", "RESERVED", "PARTIAL", "BACKORDERED", "COMMITTED", "FAILED", "EXPIRED", "RELEASED"]
    missing_pieces: int


ShipmentStatus = Literal["BOOKED", "CANCELLED", "FAILED", "DISPATCHED", "DELIVERED", "LOST"]


class Shipment(Answer):
    """The parcel that was booked last; `shipments` has all of them."""

    shipment_id: str
    status: ShipmentStatus
    tracking_number: str | None


class Seen(Answer):
    """Where the carrier saw the parcel last, in its own words."""

    code: str
    at: str
    place: str | None


class Parcel(Answer):
    """A parcel with so many pieces. FAILED: the carrier refused it before it left; LOST: it left, and will not arrive."""

    shipment_id: str
    status: ShipmentStatus
    tracking_number: str | None
    location: str | None
    pieces: int
    seen: Seen | None


class Action(Answer):
    """What the customer has still to decide, until `deadline`: pay in another way, do without what is missing, wait longer, or do what the
    bank asks for before pieces are added."""

    action_id: str
    kind: ActionKind
    deadline: str


class Return(Answer):
    """Pieces that come back: as many as were announced, and, once somebody has looked, as many as came; the order that replaces them,
    where it is an exchange."""

    return_id: str
    status: Literal["REQUESTED", "APPROVED", "DECLINED", "CANCELLED", "RECEIVED", "INSPECTED"]
    pieces: int
    inspected_pieces: int | None
    exchange_order_id: str | None


class Edit(Answer):
    """Lines that somebody wants to add, and what the order costs more with them. While it is open the order is what it was, and nothing of
    it is booked; applied, its lines follow the others; declined, `reason` says why."""

    edit_id: str
    status: Literal["OPEN", "APPLIED", "DECLINED"]
    line_count: int
    piece_count: int
    amount_minor: int
    attempt: int
    reason: EditDecline | None


class Cancellation(Answer):
    reason: str
    declined: bool


class Hold(Answer):
    """Somebody stopped the order: nothing is booked and nothing leaves until every hold is released."""

    hold_id: str
    reason: HoldReason
    since: str


class LeftBehind(Answer):
    """What the relay could not publish: from which commit on (null while that is not known), or, once somebody had it go on without them,
    the first of the commits that it left out; since when, and why."""

    commit: int | None
    since: str
    cause: str


class Publication(Answer):
    """`state` is the same in the words of the event-driven flow: received, then published to every subscriber. `skipped`: an operator
    decided that what is left behind is never published; the events tell which these are."""

    status: Literal["pending", "published", "skipped"]
    state: Literal["ORDER_RECEIVED", "EVENT_PUBLISHED"]
    published_through: str | None
    parked: bool
    left_behind: LeftBehind | None


class OrderFields(Answer):
    """Amounts named `...Minor` are integers in minor units of `currency`; `total` is the same as people write it. `shipment` is the last of
    `shipments`, for who read it when there was one parcel at most. Of very many parcels and credit notes the latest are shown, of open
    questions (`actions`) the first: `...Omitted` says how many more there are. `stalled` are the stages that take longer than they may."""

    order_id: str
    customer_id: str | None
    status: Literal["RECEIVED", "CONFIRMED", "IN_FULFILMENT", "COMPLETED", "CANCELLING", "CANCELLED", "REJECTED"]
    payment: Payment
    inventory: Inventory
    shipment: Annotated[Shipment | None, Field(deprecated=True)]
    shipments: list[Parcel]
    shipments_omitted: int
    invoice_numbers: list[str]
    credit_note_numbers: list[str]
    credit_notes_omitted: int
    cancellation: Cancellation | None
    cancelled_pieces: int
    cancelled_minor: int
    holds: list[Hold]
    review: Literal["NONE", "OPEN", "PASSED", "FAILED"]
    actions: list[Action]
    actions_omitted: int
    returns: list[Return]
    edits: list[Edit]
    stalled: list[Literal["outcomes", "dispatch", "delivery", "undo", "refund"]]
    currency: str
    total_minor: int
    total_exact: str
    total: str
    line_count: int
    piece_count: int
    placed_at: str
    updated_at: str
    last_recorded_at_ms: int
    version: int
    commit: int


class OrderStatus(OrderFields):
    """Where the order stands now. Amounts named `...Minor` are integers in minor units of `currency`; `total` is for people."""

    publication: Publication


class OrderStatusThen(OrderFields):
    """Where the order stood. `publication` is null: the log does not hold when an event was published, and says nothing of it."""

    publication: None
    as_of: AsOf


class OrdersPage(Answer):
    items: list[OrderStatus]
    next_cursor: str | None


class LineCounts(Answer):
    """Pieces of a line (0-based): ordered, and of these cancelled, missing still, shipped; of what is shipped, delivered and lost; of what
    is delivered, returned and looked at; and for how many the money was given back."""

    line: int
    sku: str
    description: str
    ordered: int
    cancelled: int
    missing: int
    shipped: int
    delivered: int
    lost: int
    returned: int
    refunded: int


class LinesPage(Answer):
    """The order's lines at this commit. `nextLine` is the first one of the next page, null when there is none."""

    order_id: str
    commit: int
    version: int
    line_count: int
    items: list[LineCounts]
    next_line: int | None
