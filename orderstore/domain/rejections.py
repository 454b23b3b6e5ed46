"""Expected refusals of a command. They are answers, not faults: nothing is stored, and the caller is told why.

CommandRejected
├── UnknownOrder         there is no such order
├── OrderClosed          the order is cancelled, rejected or being cancelled
├── TooLateToCancel      the goods have left, or the order is complete
├── RefundTooLarge       more money, or more pieces, than are left to refund
└── NothingToRefund      no line, no piece, no money
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
