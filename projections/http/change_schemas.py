"""The shapes of what is answered to changes of mind, for the OpenAPI document."""

from typing import Literal

from orderstore.domain.events import EditDecline
from projections.http.schemas import Answer


class _Changed(Answer):
    order_id: str
    event_id: str
    commit: int


class LinesCancelled(_Changed):
    """`amountMinor` of the order's price is not due any more; `refundId` is the refund that gives it back where it was taken already."""

    cancellation_id: str
    amount_minor: int
    refund_id: str | None
    status: Literal["LINES_CANCELLED"]


class EditRequested(_Changed):
    """The order would cost `amountMinor` more, and `dueMinor` in all; `attempt` is the payment attempt that is to hold that."""

    edit_id: str
    amount_minor: int
    due_minor: int
    attempt: int
    status: Literal["EDIT_REQUESTED"]


class EditDeclined(_Changed):
    """`reason`: `withdrawn`, or why it had been declined before."""

    edit_id: str
    reason: EditDecline
    status: Literal["EDIT_DECLINED"]


class PaymentAttempted(_Changed):
    """`attempt` counts from 1, with the one of the order itself."""

    attempt: int
    status: Literal["PAYMENT_ATTEMPTED"]


class Answered(_Changed):
    action_id: str
    answer: Literal["accepted", "declined"]
    status: Literal["ANSWERED"]


class Reviewed(_Changed):
    status: Literal["REVIEW_PASSED", "REVIEW_FAILED"]


class Delayed(_Changed):
    """`actionId` is the question that the customer is asked, where they are, and `answerBy` until when."""

    delay_id: str
    action_id: str | None
    answer_by: str | None
    status: Literal["DELAYED"]


class NoteAdded(_Changed):
    note_id: str
    status: Literal["NOTE_ADDED"]


class RefundTried(_Changed):
    """`eventId` is what had the refund tried: this request, or what came before it where it is being tried, or was given."""

    refund_id: str
    status: Literal["REFUND_TRIED"]


class ReturnAccepted(_Changed):
    """Approved at once within the time for it, else requested: then a person decides. `exchangeOrderId` is the order in exchange."""

    return_id: str
    exchange_order_id: str | None
    status: Literal["RETURN_REQUESTED", "RETURN_APPROVED"]


class ReturnChanged(_Changed):
    return_id: str
    status: Literal["RETURN_APPROVED", "RETURN_DECLINED", "RETURN_CANCELLED", "RETURN_RECEIVED"]


class ReturnInspected(_Changed):
    """`refundId` and `amountMinor` are what is given back for it; null where that is nothing."""

    return_id: str
    refund_id: str | None
    amount_minor: int | None
    status: Literal["RETURN_INSPECTED"]
