"""The operations for changes of mind: fewer pieces, another card, answers, a review, delays, notes, a refund once more."""

from fastapi import APIRouter
from starlette.responses import Response

from orderstore.change_requests import (
    AddNote,
    AnswerQuestion,
    CancelLines,
    DelayOrder,
    Nothing,
    RetryPayment,
    ReviewOrder,
)
from orderstore.codec import timestamp
from orderstore.wishes import answering, telling, undoing
from projections.http import change_examples as examples
from projections.http import change_schemas as schemas
from projections.http.asking import Asked, Keyed, add_verb
from projections.http.auth import Operator, Reviewer, Writer
from projections.http.change_places import ActionIdOf, RefundIdOf


def add_routes(router: APIRouter) -> None:
    """The seven operations."""
    add_verb(
        router,
        "/line-cancellations",
        cancel_lines,
        summary="Take pieces out of an order",
        takes=CancelLines,
        examples=examples.CANCEL_LINES,
        gives=schemas.LinesCancelled,
        means="The pieces are no part of the order any more. What was set aside is released, and what was paid is given back.",
        refused=("order_closed", "too_late_to_cancel", "nothing_to_cancel", "edit_under_way"),
        keyed=True,
    )
    add_verb(
        router,
        "/payment-attempts",
        retry_payment,
        summary="Pay an order whose payment was declined",
        takes=RetryPayment,
        examples=examples.RETRY_PAYMENT,
        required=False,
        gives=schemas.PaymentAttempted,
        means="The payment is tried again, under a new key at the provider.",
        refused=("order_closed", "nothing_to_retry", "too_many_attempts"),
        keyed=True,
    )
    add_verb(
        router,
        "/answers/{actionId}",
        answer_question,
        summary="Answer what the order asked its customer",
        takes=AnswerQuestion,
        examples=examples.ANSWER,
        gives=schemas.Answered,
        means="The order goes on as was decided. Asking again is answered the same.",
        refused=("order_closed", "unknown_question", "wrong_answer"),
    )
    add_verb(
        router,
        "/review",
        review_order,
        summary="Say whether an order that is under review may go on",
        takes=ReviewOrder,
        examples=examples.REVIEW,
        gives=schemas.Reviewed,
        means="The order goes on, or is undone. Asking again is answered the same.",
        refused=("not_under_review",),
    )
    add_verb(
        router,
        "/delays",
        delay_order,
        summary="Say that goods will leave later",
        takes=DelayOrder,
        examples=examples.DELAY,
        gives=schemas.Delayed,
        means="The customer is told, and asked where that needs their consent.",
        refused=("order_closed", "promise_over", "too_many_delays"),
        keyed=True,
    )
    add_verb(
        router,
        "/notes",
        add_note,
        summary="Write something down about an order",
        takes=AddNote,
        examples=examples.NOTE,
        gives=schemas.NoteAdded,
        means="It stands in the order's history, sealed; it changes nothing.",
        refused=("customer_erased", "too_many_notes"),
        keyed=True,
    )
    add_verb(
        router,
        "/refunds/{refundId}/retry",
        retry_refund,
        summary="Try a refund again that failed",
        takes=Nothing,
        examples=examples.NOTHING,
        required=False,
        gives=schemas.RefundTried,
        means="The refund is tried again; one that is being tried, or was given, is left as it is.",
        refused=("unknown_refund", "nothing_to_refund", "too_many_attempts"),
        keyed=True,
    )


async def cancel_lines(writer: Writer, asking: Keyed) -> Response:
    """This is how an order is made smaller, until a carrier expects the pieces; with `If-Match`, only the order that was seen. All
    that is left of it is cancelled with the order."""
    request = await asking.read(CancelLines)
    wish = undoing.cancel_lines(asking.order_id, request, actor=writer.actor, idempotency_key=asking.key)
    granted = await asking.ask(wish, writer.actor)
    event = granted.event
    return asking.told(
        granted,
        "LINES_CANCELLED",
        cancellationId=event.cancellation_id,
        amountMinor=event.amount_minor,
        refundId=event.refund_id,
    )


async def retry_payment(writer: Writer, asking: Keyed) -> Response:
    """Possible after a decline, while the order waits for it. Without a body it is tried as before."""
    request = await asking.read(RetryPayment, empty_is=RetryPayment())
    granted = await asking.ask(answering.retry_payment(request, idempotency_key=asking.key), writer.actor)
    return asking.told(granted, "PAYMENT_ATTEMPTED", attempt=granted.event.attempt)


async def answer_question(writer: Writer, asking: Asked, action_id: ActionIdOf) -> Response:
    """Until the question's deadline. The first answer stands. A question about a payment is accepted by paying."""
    request = await asking.read(AnswerQuestion)
    granted = await asking.ask(answering.answer(action_id, request), writer.actor)
    return asking.told(granted, "ANSWERED", actionId=action_id, answer=granted.event.answer)


async def review_order(reviewer: Reviewer, asking: Asked) -> Response:
    """Of an order whose terms ask for a review: until then nothing is booked and nothing leaves. The first outcome stands."""
    request = await asking.read(ReviewOrder)
    granted = await asking.ask(answering.review(request), reviewer.reviewer)
    return asking.told(granted, "REVIEW_PASSED" if request.outcome == "passed" else "REVIEW_FAILED")


async def delay_order(operator: Operator, asking: Keyed) -> Response:
    """While something is still to leave. Who does not agree in time has what has not left undone: silence is no consent."""
    request = await asking.read(DelayOrder)
    granted = await asking.services.orders.delay(
        asking.order_id, request, actor=operator.actor, idempotency_key=asking.key, **asking.about
    )
    event = granted.event
    by = event.consent_by
    return asking.told(
        granted,
        "DELAYED",
        delayId=event.delay_id,
        actionId=None if by is None else f"delay:{event.delay_id}",
        answerBy=None if by is None else timestamp(by),
    )


async def add_note(operator: Operator, asking: Keyed) -> Response:
    """The words are sealed with the customer's key, since they may say anything of anybody."""
    request = await asking.read(AddNote)
    wish = telling.note(asking.order_id, request, idempotency_key=asking.key)
    granted = await asking.ask(wish, operator.actor)
    return asking.told(granted, "NOTE_ADDED", noteId=granted.event.note_id)


async def retry_refund(operator: Operator, asking: Keyed, refund_id: RefundIdOf) -> Response:
    """After the provider could not give it back. The body may be absent."""
    await asking.read(Nothing, empty_is=Nothing())
    granted = await asking.ask(undoing.retry_refund(refund_id, idempotency_key=asking.key), operator.actor)
    return asking.told(granted, "REFUND_TRIED", refundId=refund_id)
