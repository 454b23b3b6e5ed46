"""Where in an order's events personal data stand: the one list of them. A test holds it to the events' own fields."""

from collections.abc import Iterator
from dataclasses import dataclass

from orderstore.domain import events as e
from orderstore.history import History
from orderstore.privacy.buyers import buyer_purpose
from orderstore.privacy.words import (
    cancellation_words,
    decline_words,
    hold_words,
    note_words,
    refund_words,
    release_words,
    resume_words,
    return_words,
)
from orderstore.recorded import Recorded


@dataclass(frozen=True, slots=True, kw_only=True)
class Personal:
    """A text in an event that is, or may be, about a person: sealed, or plain where an older build stored it so."""

    version: int
    """Of the event, counted over the order."""
    field: str
    sealed: e.SealedText | None
    purpose: str


def personal_in(history: History) -> Iterator[Personal]:
    """Everything personal in an order, oldest first. The service's own words are not."""
    for recorded in history.events:
        yield from _personal(recorded, history.stream)


def _personal(recorded: Recorded, stream: str) -> Iterator[Personal]:
    event, version = recorded.event, recorded.version
    match event:
        case e.OrderCreated(contact=e.SealedText() as sealed):
            yield Personal(version=version, field="contact", sealed=sealed, purpose=stream)
        case e.InvoiceIssued(buyer=e.SealedText() as sealed) | e.CreditNoteIssued(buyer=e.SealedText() as sealed):
            yield Personal(version=version, field="buyer", sealed=sealed, purpose=buyer_purpose(stream))
        case e.OrderCancellationRequested(note=e.FreeText() as words):
            yield from _words(recorded, "note", words, cancellation_words(stream))
        case e.RefundRequested(reason=e.FreeText() as words):
            yield from _words(recorded, "reason", words, refund_words(stream, event.refund_id))
        case e.OrderHeld(note=e.FreeText(sealed=e.SealedText() as sealed)):
            yield Personal(version=version, field="note", sealed=sealed, purpose=hold_words(stream, event.hold_id))
        case e.OrderHoldReleased(note=e.FreeText(sealed=e.SealedText() as sealed)):
            yield Personal(version=version, field="note", sealed=sealed, purpose=release_words(stream, event.hold_id))
        case e.ReturnRequested(note=e.FreeText(sealed=e.SealedText() as sealed)):
            yield Personal(version=version, field="note", sealed=sealed, purpose=return_words(stream, event.return_id))
        case e.ReturnDeclined(note=e.FreeText(sealed=e.SealedText() as sealed)):
            yield Personal(version=version, field="note", sealed=sealed, purpose=decline_words(stream, event.return_id))
        case e.OrderNoteAdded(note=e.FreeText(sealed=e.SealedText() as sealed)):
            yield Personal(version=version, field="note", sealed=sealed, purpose=note_words(stream, event.note_id))
        case e.OrderProcessResumed(note=e.FreeText(sealed=e.SealedText() as sealed)):
            purpose = resume_words(stream, event.stage, event.subject)
            yield Personal(version=version, field="note", sealed=sealed, purpose=purpose)
        case _:
            return


def _words(recorded: Recorded, field: str, words: e.FreeText, purpose: str) -> Iterator[Personal]:
    if words.sealed is not None or _by_a_person(recorded):
        yield Personal(version=recorded.version, field=field, sealed=words.sealed, purpose=purpose)


def _by_a_person(recorded: Recorded) -> bool:
    """Whether plain words may be a person's: those of version 1, but for the refund that the order itself asks for when it is cancelled."""
    event = recorded.event
    ours = isinstance(event, e.RefundRequested) and event.refund_id == f"{recorded.order_id}:cancellation"
    return recorded.event_version.startswith("1.") and not ours
