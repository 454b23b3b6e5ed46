"""Decisions about holds, in the shape of `decisions`. While an order has an open hold nothing is booked and nothing leaves
(`next_steps.shipping_step`); payment, stock, the join and every compensation go on.

A hold is an order to stop, not a fact about the goods: what the carrier has done meanwhile is recorded on a held order too. So the log
decides between a hold and a dispatch, and whoever looks sees which came first. The end of an order ends its holds.
"""

from typing import Final

from orderstore.domain import events as e
from orderstore.domain.rejections import OrderClosed, TooManyHolds, UnknownHold, UnknownOrder
from orderstore.domain.state import (
    Cancelled,
    Cancelling,
    Completed,
    Confirmed,
    InFulfilment,
    NotPlaced,
    Received,
    Rejected,
    State,
)

OPEN_MAX: Final = 20
"""Open holds of one order at once. More than a person can look through is a fault of whoever places them."""
EVER_MAX: Final = 200
"""Holds in an order's life: what bounds its state, which remembers each of their ids."""


def hold(
    state: State, *, hold_id: str, reason: e.HoldReason, note: e.FreeText | None = None
) -> tuple[e.OrderHeld, ...]:
    """Stop the order until this hold is released; `()` for a hold that it had before, open or not.

    Raises UnknownOrder, OrderClosed (completed, cancelled, rejected), TooManyHolds.
    """
    if isinstance(state, NotPlaced):
        raise UnknownOrder("there is no such order")
    if hold_id in state.hold_ids:
        return ()
    match state:
        case Completed() | Cancelled() | Rejected():
            raise OrderClosed("the order has ended: there is nothing left to stop")
        case Received() | Confirmed() | InFulfilment() | Cancelling():
            pass
    if len(state.holds) >= OPEN_MAX:
        raise TooManyHolds(f"the order has {OPEN_MAX} open holds: release one first")
    if len(state.hold_ids) >= EVER_MAX:
        raise TooManyHolds(f"the order has had {EVER_MAX} holds, and can have no more")
    return (e.OrderHeld(hold_id=hold_id, reason=reason, note=note),)


def release_hold(state: State, *, hold_id: str, note: e.FreeText | None = None) -> tuple[e.OrderHoldReleased, ...]:
    """End this hold; `()` for one that has ended: it was released, or the order ended and its holds with it.

    Raises UnknownOrder, UnknownHold.
    """
    if isinstance(state, NotPlaced):
        raise UnknownOrder("there is no such order")
    if hold_id not in state.hold_ids:
        raise UnknownHold("the order never had this hold")
    if not any(open_hold.hold_id == hold_id for open_hold in state.holds):
        return ()
    return (e.OrderHoldReleased(hold_id=hold_id, note=note),)
