"""What comes back: announced, allowed or not, received, inspected."""

from functools import partial

from orderstore.change_requests import DeclineReturn, InspectReturn, RequestReturn
from orderstore.domain import decisions, ids
from orderstore.domain.events import (
    Event,
    FreeText,
    InspectedPieces,
    ReturnApproved,
    ReturnCancelled,
    ReturnDeclined,
    ReturnInspected,
    ReturnReceived,
    ReturnRequested,
)
from orderstore.domain.parcels import counted, pieces_of
from orderstore.domain.rejections import WrongReturnStatus
from orderstore.domain.state import State
from orderstore.privacy.words import decline_words, return_words
from orderstore.wishes.undoing import as_they_are
from orderstore.wishes.wish import Wish, Words, first, says


def return_id_for_key(order_id: str, idempotency_key: str) -> str:
    """The return that a client's Idempotency-Key names."""
    return ids.event_id(order_id, f"return:{idempotency_key}")


def request(return_id: str, asked: RequestReturn, *, approved: bool, exchange_order_id: str | None) -> Wish:
    """Announce that pieces come back. Rejections: NothingToReturn, TooManyReturns."""
    lines = pieces_of(counted(as_they_are(asked.lines)))

    def decide(state: State, note: FreeText | None) -> tuple[Event, ...]:
        return decisions.request_return(
            state,
            return_id=return_id,
            lines=lines,
            reason=asked.reason,
            approved=approved,
            note=note,
            exchange_order_id=exchange_order_id,
        )

    def same(event: Event) -> bool:
        return isinstance(event, ReturnRequested) and (event.lines, event.reason, event.exchange_order_id) == (
            lines,
            asked.reason,
            exchange_order_id,
        )

    return Wish(
        purpose=f"return:{return_id}",
        decide=decide,
        found=first(says(ReturnRequested, return_id=return_id)),
        same=same,
        words=Words(text=asked.note, sealed_for=partial(return_words, return_id=return_id), kept=_note),
    )


def approve(return_id: str) -> Wish:
    """Let the pieces come back. Rejections: UnknownReturn, WrongReturnStatus."""

    def decide(state: State, _note: FreeText | None) -> tuple[Event, ...]:
        return decisions.approve_return(state, return_id=return_id)

    return Wish(
        purpose=f"return-approved:{return_id}",
        decide=decide,
        found=first(says(ReturnApproved, return_id=return_id)),
    )


def decline(return_id: str, asked: DeclineReturn) -> Wish:
    """Do not let them. Rejections: UnknownReturn, WrongReturnStatus."""

    def decide(state: State, note: FreeText | None) -> tuple[Event, ...]:
        return decisions.decline_return(state, return_id=return_id, note=note)

    return Wish(
        purpose=f"return-declined:{return_id}",
        decide=decide,
        found=first(says(ReturnDeclined, return_id=return_id)),
        words=Words(text=asked.note, sealed_for=partial(decline_words, return_id=return_id)),
    )


def cancel(return_id: str) -> Wish:
    """The customer keeps the goods. Rejections: UnknownReturn, WrongReturnStatus."""

    def decide(state: State, _note: FreeText | None) -> tuple[Event, ...]:
        return decisions.cancel_return(state, return_id=return_id)

    return Wish(
        purpose=f"return-cancelled:{return_id}",
        decide=decide,
        found=first(says(ReturnCancelled, return_id=return_id)),
    )


def receive(return_id: str) -> Wish:
    """The parcel is back. Rejections: UnknownReturn, WrongReturnStatus."""

    def decide(state: State, _note: FreeText | None) -> tuple[Event, ...]:
        return decisions.receive_return(state, return_id=return_id)

    return Wish(
        purpose=f"return-received:{return_id}",
        decide=decide,
        found=first(says(ReturnReceived, return_id=return_id)),
    )


def inspect(return_id: str, asked: InspectReturn) -> Wish:
    """What came back, and in which condition. Rejections: UnknownReturn, WrongReturnStatus, NothingToReturn."""
    pieces = tuple(
        InspectedPieces(line=part.line, quantity=part.quantity, condition=part.condition)
        for part in sorted(asked.pieces, key=lambda part: (part.line, part.condition, part.quantity))
    )

    def decide(state: State, _note: FreeText | None) -> tuple[Event, ...]:
        return decisions.inspect_return(state, return_id=return_id, pieces=pieces)

    return Wish(
        purpose=f"return-inspected:{return_id}",
        decide=decide,
        found=first(says(ReturnInspected, return_id=return_id)),
        same=lambda event: isinstance(event, ReturnInspected) and event.pieces == pieces,
        reused=lambda: WrongReturnStatus("the return is inspected, and something else was found"),
    )


def _note(event: Event) -> FreeText | None:
    return event.note if isinstance(event, ReturnRequested) else None
