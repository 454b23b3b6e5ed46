"""Taking an order back, or pieces of it, and giving money back."""

from functools import partial

from orderstore.change_requests import CancelLines
from orderstore.domain import decisions, ids
from orderstore.domain.events import (
    CancellationReason,
    Event,
    FreeText,
    LineCancellationReason,
    LinesCancelled,
    OrderCancellationRequested,
    Pieces,
    RefundIssued,
    RefundRequested,
    RefundRetried,
)
from orderstore.domain.parcels import counted, pieces_of
from orderstore.domain.state import State
from orderstore.privacy.words import cancellation_words, refund_words
from orderstore.recorded import Actor
from orderstore.requests import CancelOrder, LinePieces, RequestRefund
from orderstore.wishes.wish import Wish, Words, first, last, says


def cancel(request: CancelOrder, *, actor: Actor) -> Wish:
    """Undo the order. Rejections: OrderClosed, TooLateToCancel."""
    reason: CancellationReason = "operator" if actor.type == "operator" else "customer"

    def decide(state: State, note: FreeText | None) -> tuple[Event, ...]:
        return decisions.request_cancellation(state, reason=reason, note=note)

    return Wish(
        purpose="cancellation",
        decide=decide,
        found=last(says(OrderCancellationRequested)),
        words=Words(text=request.reason, sealed_for=cancellation_words),
    )


def refund_id_for_key(order_id: str, idempotency_key: str) -> str:
    """The refund that a client's Idempotency-Key names: a repeat meets its own request."""
    return ids.event_id(order_id, f"refund:{idempotency_key}")


def refund(order_id: str, request: RequestRefund, *, idempotency_key: str) -> Wish:
    """Give money back for pieces of lines. Rejections: OrderClosed, RefundTooLarge, NothingToRefund."""
    refund_id, lines = refund_id_for_key(order_id, idempotency_key), as_they_are(request.lines)

    def decide(state: State, reason: FreeText | None) -> tuple[Event, ...]:
        return decisions.request_refund(state, refund_id=refund_id, lines=lines, reason=reason)

    return Wish(
        purpose=f"refund-requested:{idempotency_key}",
        decide=decide,
        found=first(says(RefundRequested, refund_id=refund_id)),
        same=lambda event: isinstance(event, RefundRequested) and event.lines == lines,
        words=Words(text=request.reason, sealed_for=partial(refund_words, refund_id=refund_id), kept=_reason),
    )


def cancellation_id_for_key(order_id: str, idempotency_key: str) -> str:
    """The cancellation of lines that a client's Idempotency-Key names."""
    return ids.event_id(order_id, f"line-cancellation:{idempotency_key}")


def cancel_lines(order_id: str, request: CancelLines, *, actor: Actor, idempotency_key: str) -> Wish:
    """Take pieces out of the order. Rejections: OrderClosed, TooLateToCancel, NothingToCancel."""
    cancellation_id = cancellation_id_for_key(order_id, idempotency_key)
    lines = pieces_of(counted(as_they_are(request.lines)))
    reason: LineCancellationReason = "operator" if actor.type == "operator" else "customer"

    def decide(state: State, _note: FreeText | None) -> tuple[Event, ...]:
        return decisions.cancel_lines(state, cancellation_id=cancellation_id, lines=lines, reason=reason)

    return Wish(
        purpose=f"line-cancellation:{cancellation_id}",
        decide=decide,
        found=first(says(LinesCancelled, cancellation_id=cancellation_id)),
        same=lambda event: isinstance(event, LinesCancelled) and event.lines == lines,
    )


def retry_refund(refund_id: str, *, idempotency_key: str) -> Wish:
    """Try a refund again that failed. Rejections: UnknownRefund, TooManyAttempts."""

    def decide(state: State, _note: FreeText | None) -> tuple[Event, ...]:
        return decisions.retry_refund(state, refund_id=refund_id)

    return Wish(
        purpose=f"refund-retried:{refund_id}:{idempotency_key}",
        decide=decide,
        found=last(says((RefundRetried, RefundIssued, RefundRequested), refund_id=refund_id)),
        by_key=True,
    )


def as_they_are(lines: tuple[LinePieces, ...]) -> tuple[Pieces, ...]:
    """The pieces as the domain has them."""
    return tuple(Pieces(line=part.line, quantity=part.quantity) for part in lines)


def _reason(event: Event) -> FreeText | None:
    return event.reason if isinstance(event, RefundRequested) else None
