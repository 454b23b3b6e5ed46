"""Decisions about goods and about pieces that leave the order, in the shape of `decisions`, which offers them."""

from orderstore.domain import events as e
from orderstore.domain.decide_edits import refuse_while_edited
from orderstore.domain.deciding import Decision, existing, with_follow_up
from orderstore.domain.follow_up import HELD
from orderstore.domain.parcels import LEFT, counted, pieces_of, unbooked, wanted
from orderstore.domain.rejections import NothingToCancel, OrderClosed, TooLateToCancel
from orderstore.domain.shares import amount_left, priced
from orderstore.domain.state import (
    Cancelled,
    Cancelling,
    Completed,
    Confirmed,
    InFulfilment,
    InventoryStatus,
    PaymentStatus,
    Received,
    Rejected,
    ReturnStatus,
    State,
    fold,
)


def reserve_inventory(state: State, *, outcome: e.InventoryReserved) -> Decision:
    """Every line is set aside; on an order being undone it is recorded too, so that it is released."""
    order = existing(state)
    return with_follow_up(order, outcome) if order.inventory.status is InventoryStatus.PENDING else ()


def partly_reserve_inventory(state: State, *, outcome: e.InventoryPartiallyReserved) -> Decision:
    """Some of it is set aside; the order's terms say what becomes of what is missing. An order that refuses never has this outcome."""
    order = existing(state)
    if order.inventory.status is not InventoryStatus.PENDING:
        return ()
    terms = order.order.terms or e.Terms()
    match terms.missing_stock:
        case "ask" if outcome.answer_by is not None and not isinstance(order, Cancelling):
            asked = e.OrderActionRequired(action_id="missing_stock", kind="missing_stock", deadline=outcome.answer_by)
            return with_follow_up(order, outcome, asked)
        case "cancel_lines" if not isinstance(order, Cancelling):
            without = cancelling_lines(
                fold(order, (outcome,)), cancellation_id="missing_stock", lines=outcome.missing, reason="inventory"
            )
            return with_follow_up(order, outcome, *without)
        case _:
            return with_follow_up(order, outcome)


def fail_inventory(state: State, *, outcome: e.InventoryFailed) -> Decision:
    """Too little is there; nothing is set aside."""
    order = existing(state)
    return with_follow_up(order, outcome) if order.inventory.status is InventoryStatus.PENDING else ()


def fill_backorder(state: State, *, outcome: e.BackorderFilled) -> Decision:
    """Pieces that were missing are there: never more than are missing."""
    order = existing(state)
    if order.inventory.status is not InventoryStatus.BACKORDERED:
        return ()
    came = sum((counted(allocation.lines) for allocation in outcome.allocations), start=counted(()))
    return () if came - counted(order.inventory.missing) else with_follow_up(order, outcome)


def release_inventory(state: State, *, outcome: e.InventoryReleased) -> Decision:
    """Nothing is set aside any more."""
    order = existing(state)
    if not isinstance(order, Cancelling):
        return ()
    return with_follow_up(order, outcome) if order.inventory.status in HELD else ()


def commit_inventory(state: State, *, outcome: e.InventoryCommitted) -> Decision:
    """The pieces of a parcel that has left are gone from stock."""
    order = existing(state)
    left = any(one.shipment_id == outcome.shipment_id and one.status in LEFT for one in order.shipments)
    return (outcome,) if left and outcome.shipment_id not in order.inventory.committed else ()


def release_pieces(state: State, *, outcome: e.PiecesReleased) -> Decision:
    """The pieces of a cancelled part are set aside no longer. Of an order that is being undone all is put back at once: whoever comes late
    with a part of it has nothing to tell."""
    order = existing(state)
    if isinstance(order, Cancelling | Cancelled | Rejected):
        return ()
    known = any(part.cancellation_id == outcome.cancellation_id for part in order.cancelled)
    return (outcome,) if known and outcome.cancellation_id not in order.inventory.released else ()


def restock(state: State, *, outcome: e.InventoryRestocked) -> Decision:
    """Stock has what came back."""
    order = existing(state)
    inspected = any(
        one.return_id == outcome.return_id and one.status is ReturnStatus.INSPECTED and not one.restocked
        for one in order.returns
    )
    return (outcome,) if inspected else ()


def cancel_lines(
    state: State, *, cancellation_id: str, lines: tuple[e.Pieces, ...], reason: e.LineCancellationReason
) -> Decision:
    """Take pieces out of the order that no carrier expects yet; `()` when that was done already.

    Raises UnknownOrder, OrderClosed, TooLateToCancel (booked, or gone), NothingToCancel (no such pieces, or all that is left: then
    the order is to be cancelled).
    """
    order = existing(state)
    if any(part.cancellation_id == cancellation_id for part in order.cancelled):
        return ()
    match order:
        case Received() | Confirmed() | InFulfilment():
            pass
        case Completed():
            raise TooLateToCancel("everything has left: ask for a return instead")
        case Cancelling() | Cancelled() | Rejected():
            raise OrderClosed("the order is cancelled or rejected")
    refuse_while_edited(order)
    asked = counted(lines)
    if not asked or any(part.quantity < 1 for part in lines) or asked - wanted(order):
        raise NothingToCancel("these are no pieces of the order, or no longer")
    if asked - unbooked(order):
        raise TooLateToCancel("the carrier expects these pieces or has them: ask for a return instead")
    if not wanted(order) - asked:
        raise NothingToCancel("this is all that is left of the order: cancel the order instead")
    if order.inventory.status is InventoryStatus.PENDING and order.grace_until is not None:
        raise TooLateToCancel(
            "the order's grace is not over: try again when its goods are set aside, or cancel the order"
        )
    if order.inventory.status is InventoryStatus.PENDING:
        raise TooLateToCancel("the goods are being set aside at this moment: try again when they are")
    return with_follow_up(
        order, *cancelling_lines(order, cancellation_id=cancellation_id, lines=pieces_of(asked), reason=reason)
    )


def cancelling_lines(
    order: State, *, cancellation_id: str, lines: tuple[e.Pieces, ...], reason: e.LineCancellationReason
) -> Decision:
    """The pieces leave the order; money that was taken for them already is promised back in the same commit."""
    order = existing(order)
    paid_for = priced(order, lines)
    settled_minor = order.payment.refunded_minor + order.payment.disputed_minor
    if (
        order.payment.status is PaymentStatus.PARTIALLY_CAPTURED
    ):  # what was taken is due: rounding must not make it less
        settled_minor = max(settled_minor, order.payment.captured_minor)
    left_minor = max(0, order.due_minor - settled_minor)
    amount_minor = amount_left(order, paid_for, left_minor=left_minor) if paid_for else 0
    taken = order.payment.status is PaymentStatus.CAPTURED and amount_minor > 0
    refund_id = f"{order.order.order_id}:{cancellation_id}" if taken else None
    gone = e.LinesCancelled(
        cancellation_id=cancellation_id, lines=lines, amount_minor=amount_minor, reason=reason, refund_id=refund_id
    )
    if refund_id is None:
        return (gone,)
    why = e.FreeText(plain="cancelled pieces")
    return (gone, e.RefundRequested(refund_id=refund_id, amount_minor=amount_minor, reason=why, lines=paid_for))
