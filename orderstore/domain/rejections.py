"""Expected refusals of a command. They are answers, not faults: nothing is stored, and the caller is told why.

CommandRejected
├── UnknownOrder         there is no such order
├── OrderClosed          the order is cancelled, rejected or being cancelled
├── TooLateToCancel      the goods have left, or the order is complete
├── RefundTooLarge       more money, or more pieces, than are left to refund
├── NothingToRefund      no line, no piece, no money
├── UnknownHold          the order never had this hold
├── TooManyHolds         more holds than an order can have
├── TooManyNotes         more notes than an order can have
├── TooManyDelays        more delays than an order can have
├── HoldReused           the hold's name was given to another hold of the order
├── NothingToRetry       no payment was declined, or it is being tried again
├── TooManyAttempts      the payment or the refund was tried as often as it may be
├── UnknownRefund        the order never had this refund
├── NothingToCancel      no such pieces, or all that is left of the order
├── UnknownQuestion      the order never asked this
├── WrongAnswer          the question was answered otherwise, or is answered in another way
├── NotUnderReview       nobody is to review the order, or its review has ended otherwise
├── NotStalled           nobody waits for this stage of the order
├── NothingToReturn      no such pieces have arrived, or they are on their way back or refunded
├── TooManyReturns       more returns than an order can have
├── UnknownReturn        the order never had this return
├── WrongReturnStatus    the return is not that far, or further
├── ApprovalNeeded       a person has to approve the return before anything is sent in its place
├── PromiseOver          the goods would leave at a time that is over
├── ExchangeRefused      the order that is to replace what comes back cannot be placed
├── TooEarlyToEdit       the order is not confirmed yet, or its payment is being decided
├── TooLateToEdit        the order's goods are booked or gone, its money is taken or promised back, or the edit is applied
├── EditUnderWay         an edit of the order is not decided yet
├── EditRefused          what is to be added does not fit the order
└── UnknownEdit          the order never had this edit
"""


class CommandRejected(Exception):
    """A command that the order's state does not allow."""

    code = "rejected"


class UnknownOrder(CommandRejected):
    """There is no such order."""

    code = "unknown_order"


class OrderClosed(CommandRejected):
    """The order is cancelled, rejected or being cancelled; nothing more can be asked of it."""

    code = "order_closed"


class TooLateToCancel(CommandRejected):
    """The goods have left: ask for a refund or a return instead."""

    code = "too_late_to_cancel"


class RefundTooLarge(CommandRejected):
    """More than what is left of the order, in money or in pieces."""

    code = "refund_too_large"


class NothingToRefund(CommandRejected):
    """The request names no piece that cost anything."""

    code = "nothing_to_refund"


class UnknownHold(CommandRejected):
    """The order never had this hold."""

    code = "unknown_hold"


class TooManyHolds(CommandRejected):
    """More holds than an order can have, at once or in its life."""

    code = "too_many_holds"


class TooManyNotes(CommandRejected):
    """More notes than an order can have."""

    code = "too_many_notes"


class TooManyDelays(CommandRejected):
    """More delays than an order can have."""

    code = "too_many_delays"


class HoldReused(CommandRejected):
    """The hold's name was given to another hold of the order."""

    code = "hold_reused"


class NothingToRetry(CommandRejected):
    """No payment of the order was declined, or it is being tried again already."""

    code = "nothing_to_retry"


class TooManyAttempts(CommandRejected):
    """The payment or the refund was tried as often as it may be."""

    code = "too_many_attempts"


class UnknownRefund(CommandRejected):
    """The order never had this refund."""

    code = "unknown_refund"


class NothingToCancel(CommandRejected):
    """The request names no pieces of the order, or all that is left of it."""

    code = "nothing_to_cancel"


class UnknownQuestion(CommandRejected):
    """The order never asked this."""

    code = "unknown_question"


class WrongAnswer(CommandRejected):
    """The question was answered otherwise, or is answered in another way."""

    code = "wrong_answer"


class NotUnderReview(CommandRejected):
    """Nobody is to review the order, or its review has ended otherwise."""

    code = "not_under_review"


class NotStalled(CommandRejected):
    """Nobody waits for this stage of the order."""

    code = "not_stalled"


class NothingToReturn(CommandRejected):
    """No such pieces have arrived, or they are on their way back or refunded."""

    code = "nothing_to_return"


class TooManyReturns(CommandRejected):
    """More returns than an order can have."""

    code = "too_many_returns"


class UnknownReturn(CommandRejected):
    """The order never had this return."""

    code = "unknown_return"


class WrongReturnStatus(CommandRejected):
    """The return is not that far yet, or further."""

    code = "wrong_return_status"


class ApprovalNeeded(CommandRejected):
    """A person has to approve the return before anything is sent in the place of what comes back."""

    code = "approval_needed"


class ExchangeRefused(CommandRejected):
    """The order that is to replace what comes back cannot be placed as it was asked for."""

    code = "exchange_refused"


class PromiseOver(CommandRejected):
    """The goods would leave at a time that is over: nobody can promise that."""

    code = "promise_over"


class TooEarlyToEdit(CommandRejected):
    """The order is not confirmed yet, or its payment is being decided: try again later."""

    code = "too_early_to_edit"


class TooLateToEdit(CommandRejected):
    """The order's goods are booked or gone, its money is taken or promised back: what is wanted beside it is a second order. Or the edit is
    applied already."""

    code = "too_late_to_edit"


class EditUnderWay(CommandRejected):
    """An edit of the order is not decided yet."""

    code = "edit_under_way"


class EditRefused(CommandRejected):
    """What is to be added does not fit the order: too much of it, or taxes on an order that was placed without."""

    code = "edit_refused"


class UnknownEdit(CommandRejected):
    """The order never had this edit."""

    code = "unknown_edit"
