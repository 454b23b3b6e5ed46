"""Which events begin something that wants a person, and which end it. Pure: what an event says decides, and the entries that are there."""

from typing import Final

from orderstore.codec import timestamp
from orderstore.domain import events as e
from orderstore.domain.allowances import Stage
from orderstore.domain.waiting import PAYMENT
from orderstore.recorded import Recorded
from projections.views.exception_entries import (
    AREA_OWNERS,
    HOLD_OWNERS,
    STAGE_ACTIONS,
    STAGE_KINDS,
    STAGE_OWNERS,
    Entry,
    Kind,
)
from projections.views.view import OutOfPlace

_ENDED_ORDER: Final[tuple[Kind, ...]] = (
    "held",
    "review",
    "stalled",
    "compensation_failed",
    "payment_unknown",
    "unpaid",
    "refund_failed",
    "shipment_failed",
)
"""What an order that was undone, or never came about, wants nobody for any more."""
BEGIN: Final = frozenset(
    {
        e.OrderHeld,
        e.OrderCancellationDeclined,
        e.FraudReviewRequested,
        e.OrderProcessStalled,
        e.PaymentOutcomeUnknown,
        e.PaymentAuthorizationExpired,
        e.RefundFailed,
        e.PaymentDisputed,
        e.ShipmentFailed,
        e.ReturnRequested,
        e.ReturnReceived,
        e.DiscrepancyFound,
        e.PaymentDiscrepancyFound,
    }
)
END: Final = frozenset(
    {
        e.OrderHoldReleased,
        e.RefundRequested,
        e.OrderCompleted,
        e.OrderCancelled,
        e.OrderRejected,
        e.ShipmentFailed,
        e.FraudReviewPassed,
        e.FraudReviewFailed,
        e.OrderProcessResumed,
        e.PaymentCompleted,
        e.RefundIssued,
        e.RefundRetried,
        e.PaymentDisputeClosed,
        e.ReturnApproved,
        e.ReturnDeclined,
        e.ReturnCancelled,
        e.ReturnInspected,
        e.ReturnReceived,
        e.OrderNoteAdded,
    }
)
REACTS_TO: Final = BEGIN | END
"""None of them is something that every order meets, but for its end: an order without exceptions costs this view next to nothing."""


def is_ordinary(recorded: Recorded) -> bool:
    """Of these, what nothing can have begun before: a payment that never had to be tried again."""
    event = recorded.event
    return isinstance(event, e.PaymentCompleted) and event.attempt == 1


def begins(event: e.Event, since: str) -> Entry | None:
    """What begins with this event, if anything."""
    match event:
        case e.OrderHeld():
            return Entry(
                kind="held",
                cause=event.reason,
                since=since,
                owner=HOLD_OWNERS[event.reason],
                actions=("release", "cancel"),
                reference=event.hold_id,
            )
        case e.OrderCancellationDeclined():
            return Entry(
                kind="cancellation_declined",
                cause=event.reason,
                since=since,
                owner="order",
                actions=("refund", "hold"),
            )
        case e.FraudReviewRequested():
            return Entry(kind="review", cause="requested", since=since, owner="payment", actions=("review", "cancel"))
        case e.OrderProcessStalled():
            return Entry(
                kind=STAGE_KINDS[event.stage],
                cause=event.stage,
                since=timestamp(event.since),
                due_at=timestamp(event.due_at),
                owner=STAGE_OWNERS[event.stage],
                actions=STAGE_ACTIONS[event.stage],
                reference=event.subject,
            )
        case e.PaymentOutcomeUnknown():
            return Entry(
                kind="payment_unknown",
                cause=f"attempt {event.attempt}",
                since=since,
                owner="payment",
                actions=("retry", "cancel"),
                reference=PAYMENT,
            )
        case e.PaymentAuthorizationExpired():
            return Entry(
                kind="unpaid",
                cause="authorization_expired",
                since=since,
                owner="payment",
                actions=("pay", "cancel"),
                reference=event.provider_reference,
            )
        case e.RefundFailed():
            return Entry(
                kind="refund_failed",
                cause=event.code,
                since=since,
                owner="payment",
                actions=("retry",),
                reference=event.refund_id,
            )
        case e.PaymentDisputed():
            return Entry(
                kind="dispute",
                cause=event.reason,
                since=since,
                due_at=None if event.answer_by is None else timestamp(event.answer_by),
                owner="payment",
                actions=("note",),
                reference=event.dispute_id,
            )
        case e.ShipmentFailed():
            return Entry(
                kind="shipment_failed",
                cause=event.code,
                since=since,
                owner="shipping",
                actions=("refund",),  # what has not left is held beside it, and the hold offers the rest
                reference=event.shipment_id,
            )
        case e.ReturnRequested():
            return _return("requested", event.return_id, since)
        case e.ReturnReceived():
            return _return("received", event.return_id, since)
        case e.DiscrepancyFound():
            return Entry(
                kind="discrepancy",
                cause=f"{event.area}: {event.kind}",
                since=since,
                owner=AREA_OWNERS[event.area],
                actions=("note",),
                reference=event.subject,
            )
        case e.PaymentDiscrepancyFound():
            return Entry(
                kind="discrepancy",
                cause=f"money: {event.kind}",
                since=since,
                owner="payment",
                actions=("note",),
                reference=event.provider_reference,
            )
        case _:
            return None


def _return(cause: str, return_id: str, since: str) -> Entry:
    return Entry(kind="return", cause=cause, since=since, owner="order", actions=("return",), reference=return_id)


def ends(entries: tuple[Entry, ...], event: e.Event) -> set[int]:
    """Which of the entries this event ends, by their places. Some of them may have ended before."""
    match event:
        case e.OrderHoldReleased():
            placed = _placed(entries, event.hold_id)
            parcel = event.hold_id.removeprefix("shipment:")
            lost = of_kind(entries, "shipment_failed", reference=parcel) if parcel != event.hold_id else set()
            return {placed, *of_kind(entries[:placed], "cancellation_declined"), *lost}
        case e.RefundRequested():
            return of_kind(entries, "cancellation_declined")  # of what was lost there may be more than it names
        case e.OrderCompleted():
            return of_kind(entries, "held", "review", "shipment_failed", "unpaid")
        case e.OrderCancelled() | e.OrderRejected():
            return of_kind(entries, *_ENDED_ORDER)
        case e.FraudReviewPassed() | e.FraudReviewFailed():
            return of_kind(entries, "review")
        case e.OrderProcessResumed():  # which the order says by itself too, when the stage goes on
            unknown = event.stage == "outcomes" and event.subject == PAYMENT
            return of_kind(entries, "payment_unknown") if unknown else _stages(entries, event.stage, event.subject)
        case e.PaymentCompleted():
            return of_kind(entries, "unpaid")
        case e.RefundIssued() | e.RefundRetried():
            return of_kind(entries, "refund_failed", reference=event.refund_id)
        case e.PaymentDisputeClosed():
            return of_kind(entries, "dispute", reference=event.dispute_id)
        case e.ReturnApproved() | e.ReturnDeclined() | e.ReturnCancelled() | e.ReturnInspected() | e.ReturnReceived():
            return of_kind(entries, "return", reference=event.return_id)
        case e.OrderNoteAdded():
            return of_kind(entries, "discrepancy")
        case _:
            return set()


def of_kind(entries: tuple[Entry, ...], *kinds: Kind, reference: str | None = None) -> set[int]:
    """The places of the entries of these kinds, or of those of them with this reference."""
    return {
        at for at, one in enumerate(entries) if one.kind in kinds and (reference is None or one.reference == reference)
    }


def _stages(entries: tuple[Entry, ...], stage: Stage, reference: str | None) -> set[int]:
    late = of_kind(entries, STAGE_KINDS[stage])
    return {at for at in late if entries[at].cause == stage and entries[at].reference == reference}


def _placed(entries: tuple[Entry, ...], hold_id: str) -> int:
    for at, entry in enumerate(entries):
        if entry.kind == "held" and entry.reference == hold_id:
            return at
    raise OutOfPlace(f"hold {hold_id} is released and was never placed")
