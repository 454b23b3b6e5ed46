"""Stopping an order, and letting it go on."""

from functools import partial

from orderstore.domain import holds, ids
from orderstore.domain.events import (
    Event,
    FreeText,
    OrderCancelled,
    OrderCompleted,
    OrderHeld,
    OrderHoldReleased,
    OrderRejected,
)
from orderstore.domain.rejections import HoldReused
from orderstore.domain.state import State
from orderstore.privacy.words import hold_words, release_words
from orderstore.requests import HoldOrder, ReleaseHold
from orderstore.wishes.wish import Wish, Words, first, says


def hold_id_of(order_id: str, request: HoldOrder, idempotency_key: str) -> str:
    """The hold that a request means: the one that it names, or the one that its Idempotency-Key does."""
    return request.hold_id or ids.event_id(order_id, f"hold:{idempotency_key}")


def hold(order_id: str, request: HoldOrder, *, idempotency_key: str) -> Wish:
    """Stop the order until this hold is released. Rejections: OrderClosed, TooManyHolds, HoldReused."""
    hold_id = hold_id_of(order_id, request, idempotency_key)

    def decide(state: State, note: FreeText | None) -> tuple[Event, ...]:
        return holds.hold(state, hold_id=hold_id, reason=request.reason, note=note)

    return Wish(
        purpose=f"hold:{hold_id}",
        decide=decide,
        found=first(says(OrderHeld, hold_id=hold_id)),
        same=lambda event: isinstance(event, OrderHeld) and event.reason == request.reason,
        reused=lambda: HoldReused("this name was given to another hold of this order"),
        words=Words(text=request.note, sealed_for=partial(hold_words, hold_id=hold_id), kept=_note),
    )


def release(hold_id: str, request: ReleaseHold) -> Wish:
    """End this hold; the end of the order has ended it too. Rejections: UnknownHold."""

    def decide(state: State, note: FreeText | None) -> tuple[Event, ...]:
        return holds.release_hold(state, hold_id=hold_id, note=note)

    return Wish(
        purpose=f"hold-released:{hold_id}",
        decide=decide,
        found=first(says(OrderHoldReleased, hold_id=hold_id), says((OrderCompleted, OrderCancelled, OrderRejected))),
        words=Words(text=request.note, sealed_for=partial(release_words, hold_id=hold_id)),
    )


def _note(event: Event) -> FreeText | None:
    return event.note if isinstance(event, OrderHeld) else None
