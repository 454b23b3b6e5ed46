"""What customers answer, how they pay after all, and what a reviewer says."""

from orderstore.change_requests import AnswerQuestion, RetryPayment, ReviewOrder
from orderstore.domain import decisions
from orderstore.domain.deciding import existing
from orderstore.domain.events import (
    Event,
    FraudReviewFailed,
    FraudReviewPassed,
    FreeText,
    OrderActionAnswered,
    PaymentAttemptStarted,
)
from orderstore.domain.rejections import NotUnderReview, WrongAnswer
from orderstore.domain.state import State
from orderstore.wishes.wish import Wish, first, last, says


def retry_payment(request: RetryPayment, *, idempotency_key: str) -> Wish:
    """Pay in another way, or try again. Rejections: OrderClosed, NothingToRetry, TooManyAttempts."""

    def decide(state: State, _note: FreeText | None) -> tuple[Event, ...]:
        return decisions.retry_payment(state, method=request.payment_method)

    return Wish(
        purpose=f"payment-attempt:{idempotency_key}",
        decide=decide,
        found=last(says(PaymentAttemptStarted)),
        same=lambda event: isinstance(event, PaymentAttemptStarted) and event.method == request.payment_method,
        by_key=True,
    )


def answer(action_id: str, request: AnswerQuestion) -> Wish:
    """Decide what the order asked. Rejections: UnknownQuestion, WrongAnswer; OrderClosed where the order ended before it was answered."""

    def decide(state: State, _note: FreeText | None) -> tuple[Event, ...]:
        decided = decisions.answer(state, action_id=action_id, answer=request.answer)
        if not decided and any(question.action_id == action_id for question in existing(state).questions):
            raise WrongAnswer(
                "to accept is to pay: finish the payment with the provider, or send a new payment attempt once it was declined"
            )
        return decided

    return Wish(
        purpose=f"answer:{action_id}",
        decide=decide,
        found=first(says(OrderActionAnswered, action_id=action_id)),
        same=lambda event: isinstance(event, OrderActionAnswered) and event.answer == request.answer,
        reused=lambda: WrongAnswer("the question was answered otherwise, or the time for it is over"),
    )


def review(request: ReviewOrder) -> Wish:
    """Let the order go on, or undo it. Rejections: NotUnderReview."""
    kind = FraudReviewPassed if request.outcome == "passed" else FraudReviewFailed

    def decide(state: State, _note: FreeText | None) -> tuple[Event, ...]:
        if existing(state).review == "none":
            raise NotUnderReview("nobody was asked to review this order")
        if request.outcome == "passed":
            passed = FraudReviewPassed(score=request.score, rules=request.rules)
            return decisions.pass_review(state, outcome=passed)
        return decisions.fail_review(state, outcome=FraudReviewFailed(score=request.score, rules=request.rules))

    return Wish(
        purpose="review",
        decide=decide,
        found=first(says((FraudReviewPassed, FraudReviewFailed))),
        same=lambda event: isinstance(event, kind),
        reused=lambda: NotUnderReview("the review has ended otherwise"),
    )
