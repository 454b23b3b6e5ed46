"""Expected refusals of a command. They are answers, not faults: nothing is stored, and the caller is told why.

CommandRejected
├── UnknownOrder         there is no such order
├── OrderClosed          the order is cancelled, rejected or being cancelled
├── TooLateToCancel      the goods have left, or the order is complete
├── RefundTooLarge       more money, or more pieces, than are left to refund
├── NothingToRefund      no line, no piece, no money
├── UnknownHold          the order never had this hold
├── TooManyHolds         more holds than an order can have
└── HoldReused           the hold's name was given to another hold of the order
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


class HoldReused(CommandRejected):
    """The hold's name was given to another hold of the order."""

    code = "hold_reused"
