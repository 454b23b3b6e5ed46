"""Decisions about what comes back, in the shape of `decisions`, which offers them.

    requested ──> approved ──> received ──> inspected     refund and stock follow from what the inspection found
        │            └──────> cancelled                   the customer keeps the goods
        └──> declined

Pieces can come back that have arrived and that nobody gave money back for. An exchange is a return, and an order of its own.
"""

from collections import Counter
from typing import Final

from orderstore.domain import events as e
from orderstore.domain.deciding import Decision, existing
from orderstore.domain.parcels import (
    counted,
    in_shipments,
    pieces_of,
    refunded,
    return_refund_id,
    shipments_in,
)
from orderstore.domain.rejections import (
    NothingToReturn,
    TooManyReturns,
    UnknownReturn,
    WrongReturnStatus,
)
from orderstore.domain.shares import amount_left
from orderstore.domain.state import Completed, InFulfilment, Order, Return, ReturnStatus, ShipmentStatus, State, fold

RETURNS_MAX: Final = 50
"""Of one order, in its life: what bounds its state."""
_COMING: Final = (ReturnStatus.REQUESTED, ReturnStatus.APPROVED, ReturnStatus.RECEIVED)


def request_return(
    state: State,
    *,
    return_id: str,
    lines: tuple[e.Pieces, ...],
    reason: e.ReturnReason,
    approved: bool,
    note: e.FreeText | None = None,
    exchange_order_id: str | None = None,
) -> Decision:
    """Announce that pieces come back; `approved` where nobody has to allow it (within the withdrawal window).

    Raises UnknownOrder, NothingToReturn, TooManyReturns.
    """
    order = existing(state)
    if any(one.return_id == return_id for one in order.returns):
        return ()
    if not isinstance(order, InFulfilment | Completed):
        raise NothingToReturn("nothing of the order has arrived, so nothing can come back")
    if len(order.returns) >= RETURNS_MAX:
        raise TooManyReturns(f"the order has had {RETURNS_MAX} returns, and can have no more")
    asked = counted(lines)
    if not asked or any(part.quantity < 1 for part in lines) or asked - returnable(order):
        raise NothingToReturn("these pieces have not arrived, are on their way back, or their money was given back")
    announced = e.ReturnRequested(
        return_id=return_id, lines=pieces_of(asked), reason=reason, note=note, exchange_order_id=exchange_order_id
    )
    return (announced, e.ReturnApproved(return_id=return_id)) if approved else (announced,)


def approve_return(state: State, *, return_id: str) -> Decision:
    """Let the pieces come back. Raises UnknownOrder, UnknownReturn, WrongReturnStatus."""
    one = _return(state, return_id)
    if one.status is ReturnStatus.APPROVED:
        return ()
    _demand(one, ReturnStatus.REQUESTED)
    return (e.ReturnApproved(return_id=return_id),)


def decline_return(state: State, *, return_id: str, note: e.FreeText | None = None) -> Decision:
    """Do not let them. Raises UnknownOrder, UnknownReturn, WrongReturnStatus."""
    one = _return(state, return_id)
    if one.status is ReturnStatus.DECLINED:
        return ()
    _demand(one, ReturnStatus.REQUESTED)
    return (e.ReturnDeclined(return_id=return_id, note=note),)


def cancel_return(state: State, *, return_id: str) -> Decision:
    """The customer keeps the goods. Raises UnknownOrder, UnknownReturn, WrongReturnStatus."""
    one = _return(state, return_id)
    if one.status is ReturnStatus.CANCELLED:
        return ()
    _demand(one, ReturnStatus.REQUESTED, ReturnStatus.APPROVED)
    return (e.ReturnCancelled(return_id=return_id),)


def receive_return(state: State, *, return_id: str) -> Decision:
    """The parcel is back. Raises UnknownOrder, UnknownReturn, WrongReturnStatus."""
    one = _return(state, return_id)
    if one.status in (ReturnStatus.RECEIVED, ReturnStatus.INSPECTED):
        return ()
    _demand(one, ReturnStatus.APPROVED)
    return (e.ReturnReceived(return_id=return_id),)


def inspect_return(state: State, *, return_id: str, pieces: tuple[e.InspectedPieces, ...]) -> Decision:
    """What came back, and in which condition; what is to be refunded is promised in the same commit.

    Raises UnknownOrder, UnknownReturn, WrongReturnStatus, NothingToReturn (more pieces than were announced).
    """
    order = existing(state)
    one = _return(state, return_id)
    if one.status is ReturnStatus.INSPECTED:
        return ()
    _demand(one, ReturnStatus.RECEIVED)
    came = Counter[int]()
    for part in pieces:
        came[part.line] += part.quantity
    if any(part.quantity < 1 for part in pieces) or came - counted(one.lines):
        raise NothingToReturn("more pieces than were announced, or none")
    inspected = e.ReturnInspected(return_id=return_id, pieces=pieces)
    return (inspected, *_refunding(order, return_id, pieces))


def returns_owed(order: Order) -> Decision:
    """The refunds of returns that were not promised when they were inspected, because the bank had taken the money."""
    promised = {refund.refund_id for refund in order.payment.refunds}
    owed: list[e.Event] = []
    after: State = order
    for one in order.returns:
        if one.status is ReturnStatus.INSPECTED and return_refund_id(order, one.return_id) not in promised:
            refund = _refunding(existing(after), one.return_id, one.inspected)
            after = fold(after, refund)
            owed += refund
    return tuple(owed)


def _refunding(order: Order, return_id: str, pieces: tuple[e.InspectedPieces, ...]) -> Decision:
    lines = pieces_of(_taken_back(pieces))
    left_minor = max(0, order.due_minor - order.payment.refunded_minor - order.payment.disputed_minor)
    amount_minor = amount_left(order, lines, left_minor=left_minor) if lines else 0
    if amount_minor < 1:  # goods that cost nothing come back too, and those whose money the bank has taken back
        return ()
    refund_id = return_refund_id(order, return_id)
    why = e.FreeText(plain="return")
    return (e.RefundRequested(refund_id=refund_id, amount_minor=amount_minor, reason=why, lines=lines),)


def returnable(order: Order) -> Counter[int]:
    """Pieces by line that have arrived, are not back or on their way, and nobody gave money back for. Money for pieces that were lost is
    for those, as far as there are any."""
    arrived = in_shipments(order, shipments_in(order, frozenset({ShipmentStatus.DELIVERED})))
    lost = in_shipments(order, shipments_in(order, frozenset({ShipmentStatus.LOST})))
    back = sum((_taken_back(one.inspected) for one in order.returns), start=Counter[int]())
    paid_for = arrived + lost - refunded(order, order.payment.refunds)
    return ((arrived - back) & paid_for) - on_their_way_back(order)


def on_their_way_back(order: Order) -> Counter[int]:
    """Pieces by line of returns that nobody has inspected yet."""
    coming = Counter[int]()
    for one in order.returns:
        if one.status in _COMING:
            coming += counted(one.lines)
    return coming


def _taken_back(pieces: tuple[e.InspectedPieces, ...]) -> Counter[int]:
    """Pieces by line that came back and are refunded, sellable or not."""
    found = Counter[int]()
    for part in pieces:
        if part.condition != "dismissed":
            found[part.line] += part.quantity
    return found


def _return(state: State, return_id: str) -> Return:
    for one in existing(state).returns:
        if one.return_id == return_id:
            return one
    raise UnknownReturn("the order never had this return")


def _demand(one: Return, *statuses: ReturnStatus) -> None:
    if one.status not in statuses:
        raise WrongReturnStatus(f"the return is {one.status.value}")
