"""What is told of an order: that it will leave later, and notes."""

from datetime import datetime, timedelta
from functools import partial

from orderstore.change_requests import AddNote, DelayOrder
from orderstore.domain import decisions, ids
from orderstore.domain.events import Event, FreeText, OrderNoteAdded, ShipmentDelayed
from orderstore.domain.rejections import PromiseOver
from orderstore.domain.state import State
from orderstore.privacy.words import note_words
from orderstore.wishes.wish import CustomerErased, Wish, Words, first, says


def delay(order_id: str, request: DelayOrder, *, idempotency_key: str, now: datetime) -> Wish:
    """Say when the goods will leave, and ask whether that is soon enough. Rejections: OrderClosed, PromiseOver, TooManyDelays."""
    delay_id = ids.event_id(order_id, f"delay:{idempotency_key}")
    asked_s = request.consent_within_s
    said = ShipmentDelayed(
        delay_id=delay_id,
        promised_at=request.promised_at,
        reason=request.reason,
        consent_by=None if asked_s is None else now + timedelta(seconds=asked_s),
    )

    def decide(state: State, _note: FreeText | None) -> tuple[Event, ...]:
        decided = decisions.delay_shipment(state, outcome=said)
        if decided and said.promised_at <= now:
            raise PromiseOver("the goods would leave at a time that is over: promise a later one")
        return decided

    def same(event: Event) -> bool:
        return (
            isinstance(event, ShipmentDelayed)
            and (event.promised_at, event.reason) == (said.promised_at, said.reason)
            and (event.consent_by is None) == (said.consent_by is None)
        )

    return Wish(
        purpose=f"delay:{delay_id}",
        decide=decide,
        found=first(says(ShipmentDelayed, delay_id=delay_id)),
        same=same,
        by_key=True,
    )


def note(order_id: str, request: AddNote, *, idempotency_key: str) -> Wish:
    """Write something down. Raises CustomerErased where it could not be kept. Rejections: TooManyNotes."""
    note_id = ids.event_id(order_id, f"note:{idempotency_key}")

    def decide(state: State, words: FreeText | None) -> tuple[Event, ...]:
        if words is None:
            raise CustomerErased("this customer's personal data were erased: nothing can be written down about them")
        return decisions.add_note(state, note_id=note_id, note=words)

    return Wish(
        purpose=f"note:{note_id}",
        decide=decide,
        found=first(says(OrderNoteAdded, note_id=note_id)),
        words=Words(text=request.note, sealed_for=partial(note_words, note_id=note_id), kept=_note),
        by_key=True,
    )


def _note(event: Event) -> FreeText | None:
    return event.note if isinstance(event, OrderNoteAdded) else None
