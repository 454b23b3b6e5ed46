"""How an order changes with pieces that are taken out of it, and with the parcels that stock has counted out; no rules here. `state.evolve`
puts it in its place.
"""

from collections import Counter

from orderstore.domain import events as e
from orderstore.domain.copying import replace
from orderstore.domain.evolving_stock import without
from orderstore.domain.parcels import LEFT, LIVE, all_gone, in_shipments, shipments_in
from orderstore.domain.parts import InventoryStatus, LineCancellation, PaymentStatus
from orderstore.domain.shares import priced
from orderstore.domain.statuses import Order


def without_pieces(state: Order, event: e.LinesCancelled) -> Order:
    """The order without these pieces, and without their price in what is due."""
    sent: dict[str | None, Counter[int]] = {}
    for shipment in shipments_in(state, LIVE):
        sent.setdefault(shipment.location, Counter()).update(in_shipments(state, (shipment,)))
    inventory, freed = without(state.inventory, event.lines, sent=sent)
    part = LineCancellation(
        cancellation_id=event.cancellation_id,
        lines=event.lines,
        amount_minor=event.amount_minor,
        priced=priced(state, event.lines),
        refund_id=event.refund_id,
        freed=freed,
        after=len(state.payment.refunds),
    )
    after = replace(state, cancelled=(*state.cancelled, part), inventory=inventory)
    payment = state.payment
    if payment.status is PaymentStatus.PARTIALLY_CAPTURED and payment.captured_minor >= after.due_minor:
        return replace(after, payment=replace(payment, status=PaymentStatus.CAPTURED, capture_before=None))
    return after


def committed(state: Order) -> Order:
    """The same, where all that was set aside has left, and stock knows it."""
    reserved = state.inventory.status is InventoryStatus.RESERVED
    counted_out = [parcel.shipment_id in state.inventory.committed for parcel in shipments_in(state, LEFT)]
    if reserved and counted_out and all(counted_out) and all_gone(state):
        return replace(state, inventory=replace(state.inventory, status=InventoryStatus.COMMITTED))
    return state
