"""What an answer of stock means for the order, by its terms. Pure.

all is there          reserved
some of it is there   as the terms have it: they are asked for only where these do not refuse
nothing is there      backordered where the terms send what comes later, failed otherwise: there is nothing to go on with
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import partial

from orderstore.domain import decisions
from orderstore.domain import events as e
from orderstore.domain.parcels import counted
from orderstore.transact import Decide
from workers.inventory.lines import Room, quantities_of
from workers.inventory.reservation import missing_told
from workers.inventory.stock import MAIN, GoodsAt, PartlyReserved, Reserved, Short

Outcome = e.InventoryReserved | e.InventoryPartiallyReserved | e.InventoryFailed


def may_be_partial(order: e.OrderCreated) -> bool:
    """Whether it is worth something to have a part of it."""
    return terms_of(order).missing_stock != "refuse"


def terms_of(order: e.OrderCreated) -> e.Terms:
    """The rules that it goes by."""
    return order.terms or e.Terms()


def outcome_of(order: e.OrderCreated, answer: Reserved | PartlyReserved | Short, *, now: datetime) -> Outcome:
    """What is to be recorded. An order all of which lies at the main location says nothing of places: that is where everything is that
    is not said to be elsewhere."""
    terms = terms_of(order)
    expires_at = now + timedelta(seconds=terms.reservation_s) if terms.reservation_s > 0 else None
    match answer:
        case Short(missing):
            return e.InventoryFailed(missing=missing)
        case Reserved(untracked_skus, held):
            allocations = () if set(held) <= {MAIN} else _everything(order, held, untracked_skus)
            return e.InventoryReserved(
                reservation_id=order.order_id,
                untracked_skus=untracked_skus,
                allocations=allocations,
                expires_at=expires_at,
            )
        case PartlyReserved() if not any(answer.held.values()) and terms.missing_stock != "backorder":
            return e.InventoryFailed(missing=missing_told(quantities_of(order), answer.missing))
        case PartlyReserved():
            room = Room.whole(order)
            # What needs no stock leaves with the first goods: an order is not charged for a fee, and its goods in a year.
            untracked = room.waits_for(answer.untracked_skus) if any(answer.held.values()) else {}
            return e.InventoryPartiallyReserved(
                reservation_id=order.order_id,
                allocations=room.give_at(answer.held, untracked),
                missing=room.left,
                untracked_skus=answer.untracked_skus,
                expires_at=expires_at,
                answer_by=now + timedelta(seconds=terms.answer_s) if terms.missing_stock == "ask" else None,
            )


def recording(outcome: Outcome) -> Decide:
    """The decision that records it."""
    match outcome:
        case e.InventoryReserved():
            return partial(decisions.reserve_inventory, outcome=outcome)
        case e.InventoryPartiallyReserved():
            return partial(decisions.partly_reserve_inventory, outcome=outcome)
        case e.InventoryFailed():
            return partial(decisions.fail_inventory, outcome=outcome)


def came(
    order: e.OrderCreated, missing: Iterable[e.Pieces], held: GoodsAt, *, untracked: Iterable[str]
) -> tuple[e.Allocation, ...]:
    """What a fill has set aside, by the lines that miss it; () for nothing. What needs no stock comes with the first goods, or alone where
    no goods are missing any more. Raises ValueError: more than is missing."""
    room = Room(order, counted(tuple(missing)))
    free = room.waits_for(untracked)
    goods_wait = bool(room.waits_for({line.sku for line in order.lines} - set(free)))
    if goods_wait and not any(held.values()):
        return ()
    return room.give_at(held, free)


def _everything(order: e.OrderCreated, held: GoodsAt, untracked: Iterable[str]) -> tuple[e.Allocation, ...]:
    room = Room.whole(order)
    return room.give_at(held, room.waits_for(untracked))
