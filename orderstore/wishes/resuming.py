"""What people do about a stage of an order that takes too long."""

from functools import partial

from orderstore.change_requests import ActOnStage
from orderstore.domain import decisions
from orderstore.domain.events import Event, FreeText, OrderProcessResumed
from orderstore.domain.state import State
from orderstore.privacy.words import resume_words
from orderstore.wishes.wish import Wish, Words, last, says


def act(request: ActOnStage, *, idempotency_key: str) -> Wish:
    """Have it tried again, take it for done, let it wait, or undo the order. Rejections: NotStalled, TooLateToCancel, OrderClosed,
    TooManyAttempts."""

    def decide(state: State, note: FreeText | None) -> tuple[Event, ...]:
        return decisions.resume(state, stage=request.stage, action=request.action, subject=request.subject, note=note)

    return Wish(
        purpose=f"resumed:{request.stage}:{request.subject or ''}:{idempotency_key}",
        decide=decide,
        found=last(says(OrderProcessResumed, stage=request.stage, subject=request.subject)),
        same=lambda event: isinstance(event, OrderProcessResumed) and event.action == request.action,
        words=Words(
            text=request.reason,
            sealed_for=partial(resume_words, stage=request.stage, subject=request.subject),
            kept=_note,
        ),
        by_key=True,
    )


def _note(event: Event) -> FreeText | None:
    return event.note if isinstance(event, OrderProcessResumed) else None
