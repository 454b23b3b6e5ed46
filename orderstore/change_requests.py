"""What the door lets in after an order was placed: the wire forms of changes of mind, answers and returns, each bounded."""

from typing import Annotated, Any, Final, Literal

from pydantic import Field

from orderstore.asked_terms import ANSWER_S_MAX, ANSWER_S_MIN
from orderstore.domain.events import Condition, Resumption, ReturnReason, StalledStage
from orderstore.domain.price_facts import TaxMode, TaxRounding
from orderstore.request_fields import ClearText, Identifier, Moment, Note, PaymentMethod, Price, Whole
from orderstore.requests import LINES_MAX, Item, LinePieces, Shipping
from orderstore.wire import WireRequest

EXCHANGE_LINES_MAX: Final = 500
EDIT_LINES_MAX: Final = 500
RULES_MAX: Final = 50

Lines = Annotated[tuple[LinePieces, ...], Field(min_length=1, max_length=LINES_MAX)]


class EditOrder(WireRequest):
    """`POST /orders/{id}/edits`: lines that are wanted in the same order. What they cost follows the order's own rules: its currency, and
    whether its prices hold their tax."""

    items: Annotated[tuple[Item, ...], Field(min_length=1, max_length=EDIT_LINES_MAX)]


class CancelLines(WireRequest):
    """`POST /orders/{id}/line-cancellations`: pieces that are not wanted any more."""

    lines: Lines


class RetryPayment(WireRequest):
    """`POST /orders/{id}/payment-attempts`. Without a `paymentMethod` the order is paid as it was to be paid before."""

    payment_method: Annotated[PaymentMethod | None, Field(repr=False)] = None


class AnswerQuestion(WireRequest):
    """`POST /orders/{id}/answers/{actionId}`."""

    answer: Literal["accepted", "declined"]


class ReviewOrder(WireRequest):
    """`POST /orders/{id}/review`: the score is the reviewer's own, from 0 to 100, and the rules are the names of what it looked at."""

    outcome: Literal["passed", "failed"]
    score: Annotated[int | None, Field(strict=True, ge=0, le=100), Whole] = None
    rules: Annotated[tuple[Identifier, ...], Field(max_length=RULES_MAX)] = ()


class DelayOrder(WireRequest):
    """`POST /orders/{id}/delays`: when the goods will leave, and why. With `consentWithinS` the customer is asked, for so many seconds."""

    promised_at: Moment
    reason: Annotated[ClearText, Field(min_length=1, max_length=200)]
    consent_within_s: Annotated[int | None, Field(strict=True, ge=ANSWER_S_MIN, le=ANSWER_S_MAX), Whole] = None


class AddNote(WireRequest):
    """`POST /orders/{id}/notes`."""

    note: Annotated[Note, Field(min_length=1, repr=False)]


class Exchange(WireRequest):
    """What the customer wants in the place of what comes back: an order of its own, for the same customer and in the same currency."""

    items: Annotated[tuple[Item, ...], Field(min_length=1, max_length=EXCHANGE_LINES_MAX)]
    payment_method: Annotated[PaymentMethod | None, Field(repr=False)] = None
    tax_mode: TaxMode | None = None
    tax_rounding: TaxRounding | None = None
    discount: Price | None = None
    shipping: Shipping | None = None

    def asked(self) -> dict[str, Any]:
        """The same as a part of a request to place an order."""
        return {name: getattr(self, name) for name in type(self).model_fields}


class RequestReturn(WireRequest):
    """`POST /orders/{id}/returns`."""

    lines: Lines
    reason: ReturnReason
    note: Annotated[Note, Field(repr=False)] = ""
    exchange: Exchange | None = None


class DeclineReturn(WireRequest):
    """`POST /orders/{id}/returns/{returnId}/decline`."""

    note: Annotated[Note, Field(repr=False)] = ""


class Inspected(LinePieces):
    """Pieces of a line that came back in this condition: `sellable` (on the shelf again), `damaged` (refunded and written off), `dismissed`
    (not what was sent, or spoilt: not refunded)."""

    condition: Condition


class InspectReturn(WireRequest):
    """`POST /orders/{id}/returns/{returnId}/inspection`: what came back. What was announced and did not come is not named."""

    pieces: Annotated[tuple[Inspected, ...], Field(max_length=LINES_MAX)]


class ActOnStage(WireRequest):
    """`POST /orders/{id}/exceptions/actions`: what is done about a stage that takes too long. `subject` is the parcel (delivery) or the
    refund; the other stages have none."""

    stage: StalledStage
    action: Resumption
    subject: Annotated[str | None, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9:_-]{0,199}$")] = None
    reason: Annotated[Note, Field(min_length=1, repr=False)]


class Nothing(WireRequest):
    """There is nothing to say: the body is absent, or an empty object."""


BODIES: Final = (
    EditOrder,
    CancelLines,
    RetryPayment,
    AnswerQuestion,
    ReviewOrder,
    DelayOrder,
    AddNote,
    RequestReturn,
    DeclineReturn,
    InspectReturn,
    ActOnStage,
    Nothing,
)
"""For the OpenAPI document."""
