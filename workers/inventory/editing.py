"""Goods that an edit adds to an order: set aside in a reservation of their own, so that they can be put back alone, and leave with the
order's parcels like all the others.

Which line belongs to which reservation follows from the log for ever: the lines of an edit come after those that the order had.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from orderstore.domain.edits import pieces_added
from orderstore.domain.events import OrderCreated, OrderEditReserved, Pieces
from orderstore.domain.parcels import counted
from orderstore.domain.parts import Edit, EditStatus
from orderstore.domain.state import Placed
from workers.inventory.lines import Room, goods_of
from workers.inventory.stock import MAIN, Goods, GoodsAt, NotHeld, Reserved, Short, Stock, Withdrawn

_OF_EDIT: Final = ":edit:"


def reservation_of_edit(order_id: str, edit_id: str) -> str:
    """The id of what is set aside for an edit."""
    return f"{order_id}{_OF_EDIT}{edit_id}"


def owner_of(reservation_id: str) -> tuple[str, str | None]:
    """The order that a reservation is of, and the edit, where it is an edit's."""
    order_id, _, edit_id = reservation_id.partition(_OF_EDIT)
    return order_id, edit_id or None


async def reserve(stock: Stock, order: Placed, edit: Edit) -> OrderEditReserved | Short | Withdrawn:
    """Set aside all that it adds, or nothing."""
    created, reservation_id = _with_lines(order.order, edit), reservation_of_edit(order.order.order_id, edit.edit_id)
    wanted = pieces_added(edit)
    answer = await stock.reserve(reservation_id, goods_of(created, wanted), destination=created.country)
    match answer:
        case Reserved(untracked, held):
            room = Room(created, counted(wanted))
            allocations = room.give_at(held, room.waits_for(untracked))
            elsewhere = any(allocation.location != MAIN for allocation in allocations)
            return OrderEditReserved(
                edit_id=edit.edit_id,
                reservation_id=reservation_id,
                allocations=allocations if elsewhere else (),
                untracked_skus=untracked,
            )
        case Short() | Withdrawn():
            return answer
        case _:
            raise ValueError("a part of it was set aside, which nobody asked for")


async def commit(stock: Stock, order: Placed, shipment_id: str, pieces: Mapping[str, Iterable[Pieces]]) -> Goods:
    """A parcel has left with these pieces (by location), whichever reservation holds them. What none holds is told, by SKU."""
    not_held: dict[str, int] = {}
    for reservation_id, goods in by_reservation(order, pieces).items():
        try:
            await stock.commit(reservation_id, shipment_id, goods)
        except NotHeld:
            _add(not_held, goods)
    return not_held


async def release_part(stock: Stock, order: Placed, release_id: str, pieces: Mapping[str, Iterable[Pieces]]) -> Goods:
    """Put these pieces back, whichever reservation holds them. What none holds is told, by SKU."""
    not_held: dict[str, int] = {}
    for reservation_id, goods in by_reservation(order, pieces).items():
        try:
            await stock.release_part(reservation_id, release_id, goods)
        except NotHeld:
            _add(not_held, goods)
    return not_held


async def release(stock: Stock, order: Placed) -> bool:
    """Put back all that is set aside for the order and its edits, and see to it that nothing more will be; whether anything ever was."""
    order_id = order.order.order_id
    given_back = await stock.release(order_id)
    for edit in order.edits:
        given_back = await stock.release(reservation_of_edit(order_id, edit.edit_id)) or given_back
    return given_back


def by_reservation(order: Placed, pieces: Mapping[str, Iterable[Pieces]]) -> dict[str, GoodsAt]:
    """Pieces at locations as the goods of each reservation, the order's own first, which is there even if nothing of it is meant."""
    order_id = order.order.order_id
    found: dict[str, dict[str, list[Pieces]]] = {order_id: {}}
    for location, parts in pieces.items():
        for part in parts:
            of_line = found.setdefault(_reservation_of_line(order, part.line), {})
            of_line.setdefault(location, []).append(part)
    if len(found) > 1 and not found[order_id]:
        del found[order_id]
    return {
        reservation_id: {location: goods_of(order.order, parts) for location, parts in at.items()}
        for reservation_id, at in found.items()
    }


def _reservation_of_line(order: Placed, line: int) -> str:
    for edit in order.edits:
        if edit.status is EditStatus.APPLIED and edit.first_line <= line < edit.first_line + len(edit.lines):
            return reservation_of_edit(order.order.order_id, edit.edit_id)
    return order.order.order_id


def _with_lines(order: OrderCreated, edit: Edit) -> OrderCreated:
    return replace(order, lines=(*order.lines[: edit.first_line], *edit.lines))


def _add(goods: dict[str, int], more: GoodsAt) -> None:
    for at in more.values():
        for sku, count in at.items():
            goods[sku] = goods.get(sku, 0) + count
