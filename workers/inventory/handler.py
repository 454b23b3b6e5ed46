"""The inventory worker's handler: what the order still wants of stock, one step at a time.

Each step changes stock first and the log afterwards, under ids that follow from the log: whoever dies in between is finished by whoever
looks next. Only a fill may be refused by the log (pieces were cancelled meanwhile): see `backorders`.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

from orderstore.domain import decisions, next_steps
from orderstore.domain import events as e
from orderstore.domain.evolving_stock import at_locations, pieces_of
from orderstore.domain.state import Edit, LineCancellation, NotPlaced, Return, Shipment, State
from orderstore.history import History
from orderstore.orders import Orders, placed
from orderstore.transact import Decide
from workers.envelope import Envelope
from workers.inventory import editing
from workers.inventory.backorders import fill_id, in_vain, may_have_fills_in_vain
from workers.inventory.lines import quantities_of
from workers.inventory.outcomes import came, may_be_partial, outcome_of, recording
from workers.inventory.returning import back_at
from workers.inventory.stock import MAIN, Goods, Short, Stock, StockFor, Withdrawn
from workers.observe import WorkerObserver
from workers.reaction import Reaction
from workers.runtime.outcome import Outcome

_RESULTS = {
    e.InventoryReserved: "reserved",
    e.InventoryPartiallyReserved: "partly_reserved",
    e.InventoryFailed: "short",
}


class InventoryHandler(Reaction):
    """Sets goods aside, lets them go with their parcels, and puts back what does not leave or comes back. The reservation's id is the
    order's: there is never a second one. `now_ms` is the wall clock in milliseconds since 1970."""

    def __init__(
        self,
        orders: Orders,
        *,
        stock_for: StockFor,
        now_ms: Callable[[], int],
        sandbox: bool,
        observer: WorkerObserver | None = None,
    ) -> None:
        super().__init__(orders, worker="inventory", sandbox=sandbox, observer=observer)
        self._stock_for = stock_for
        self._now_ms = now_ms

    def _may_want(self, state: State) -> bool:
        if next_steps.inventory_step(state) is not None:
            return True
        return not isinstance(state, NotPlaced) and may_have_fills_in_vain(state)

    async def _step(self, history: History, _envelope: Envelope) -> History | Outcome | None:
        order = placed(history).order
        stock = self._stock_for(order)
        match next_steps.inventory_step(history.state):
            case None:
                await self._take_back(history, stock)
                return None
            case next_steps.Reserve():
                return await self._reserve(history, order, stock)
            case next_steps.ReserveEdit(edit):
                return await self._reserve_edit(history, stock, edit)
            case next_steps.ReleaseEdit(edit):
                return await self._release_edit(history, stock, edit)
            case next_steps.Release():
                return await self._release(history, order, stock)
            case next_steps.CommitStock(shipment, lines):
                return await self._commit(history, stock, shipment, lines)
            case next_steps.ReleasePieces(cancellation):
                return await self._release_pieces(history, stock, cancellation)
            case next_steps.FillBackorder(missing):
                return await self._fill(history, stock, missing)
            case next_steps.Restock(returned):
                return await self._restock(history, stock, returned)

    async def _reserve(self, history: History, order: e.OrderCreated, stock: Stock) -> History:
        answer = await stock.reserve(
            order.order_id, quantities_of(order), partial=may_be_partial(order), destination=order.country
        )
        if isinstance(answer, Withdrawn):
            self._observer.reservation("withdrawn")
            return await self._orders.load(order.order_id)  # it was cancelled: look again
        outcome = outcome_of(order, answer, now=datetime.fromtimestamp(self._now_ms() / 1_000, tz=UTC))
        self._observer.reservation(_RESULTS[type(outcome)])
        cause = self._caused_by(history, e.OrderCreated, "inventory-outcome")
        return await self._orders.record(history, recording(outcome), cause=cause)

    async def _release(self, history: History, order: e.OrderCreated, stock: Stock) -> History:
        given_back = await editing.release(stock, placed(history))
        self._observer.reservation("released")
        released = e.InventoryReleased(reservation_id=order.order_id if given_back else None)
        decide = partial(decisions.release_inventory, outcome=released)
        return await self._orders.record(
            history, decide, cause=self._caused_by(history, e.OrderCancellationRequested, "inventory-release")
        )

    async def _reserve_edit(self, history: History, stock: Stock, edit: Edit) -> History:
        order = placed(history)
        answer = await editing.reserve(stock, order, edit)
        cause = self._caused_by(history, e.OrderEditRequested, "edit-stock", edit_id=edit.edit_id)
        match answer:
            case Withdrawn():
                self._observer.reservation("withdrawn")
                return await self._orders.load(order.order.order_id)  # it was declined: look again
            case Short():
                self._observer.reservation("short")
                decline = partial(decisions.decline_edit, edit_id=edit.edit_id, reason="out_of_stock")
                return await self._orders.record(history, decline, cause=cause)
            case e.OrderEditReserved():
                self._observer.reservation("reserved")
                decide = partial(decisions.reserve_edit, outcome=answer)
                return await self._orders.record(history, decide, cause=cause)

    async def _release_edit(self, history: History, stock: Stock, edit: Edit) -> History:
        order_id = placed(history).order.order_id
        await stock.release(editing.reservation_of_edit(order_id, edit.edit_id))
        self._observer.reservation("released")
        decide = partial(decisions.release_edit, edit_id=edit.edit_id)
        cause = self._caused_by(history, e.OrderEditDeclined, "edit-released", edit_id=edit.edit_id)
        return await self._orders.record(history, decide, cause=cause)

    async def _commit(self, history: History, stock: Stock, shipment: Shipment, lines: tuple[e.Pieces, ...]) -> History:
        """The goods have left, whatever stock says: where it does not hold them, somebody has to count."""
        committed = e.InventoryCommitted(shipment_id=shipment.shipment_id)
        decide: Decide = partial(decisions.commit_inventory, outcome=committed)
        pieces = {shipment.location or MAIN: lines}
        not_held = await editing.commit(stock, placed(history), shipment.shipment_id, pieces)
        if not_held:
            decide = self._not_held(decide, kind="sent_and_not_held", subject=shipment.shipment_id, goods=not_held)
        else:
            self._observer.reservation("committed")
        cause = self._caused_by(history, e.ShipmentDispatched, "inventory-committed", shipment_id=shipment.shipment_id)
        history = await self._orders.caught_up(history)  # payment and billing act on the same dispatch
        return await self._orders.record(history, decide, cause=cause)

    async def _release_pieces(self, history: History, stock: Stock, part: LineCancellation) -> History:
        released = e.PiecesReleased(cancellation_id=part.cancellation_id)
        decide: Decide = partial(decisions.release_pieces, outcome=released)
        freed = {at: pieces_of(pieces) for at, pieces in at_locations(part.freed).items()}
        not_held = await editing.release_part(stock, placed(history), part.cancellation_id, freed)
        if not_held:
            decide = self._not_held(decide, kind="cancelled_and_not_held", subject=part.cancellation_id, goods=not_held)
        else:
            self._observer.reservation("pieces_released")
        cause = self._caused_by(history, e.LinesCancelled, "pieces-released", cancellation_id=part.cancellation_id)
        return await self._orders.record(history, decide, cause=cause)

    async def _fill(self, history: History, stock: Stock, missing: tuple[e.Pieces, ...]) -> History | None:
        """Set aside what has come. Nobody waits here for more: the sweeper has every order that waits looked at again and again."""
        await self._take_back(history, stock)
        before = placed(history)
        order = before.order
        filled = await stock.fill(order.order_id, fill_id(missing), destination=order.country)
        if isinstance(filled, Withdrawn):
            return await self._orders.load(order.order_id)  # it was cancelled: look again
        allocations = came(order, missing, filled.held, untracked=_untracked_skus(history))
        if not allocations:
            return None
        outcome = e.BackorderFilled(reservation_id=order.order_id, allocations=allocations)

        def decide(state: State) -> tuple[e.Event, ...]:
            same = not isinstance(state, NotPlaced) and state.inventory.missing == missing
            return decisions.fill_backorder(state, outcome=outcome) if same else ()

        cause = self._caused_by(history, (e.InventoryPartiallyReserved, e.BackorderFilled), "backorder-filled")
        after = await self._orders.record(history, decide, cause=cause)
        self._observer.reservation("filled")
        return after

    async def _take_back(self, history: History, stock: Stock) -> None:
        """Have stock wait no longer for missing pieces that were cancelled."""
        order = placed(history)
        if may_have_fills_in_vain(order):
            for vain in in_vain(order, (recorded.event for recorded in history.events)):
                await stock.forgo(order.order.order_id, vain.fill_id, vain.unwanted)

    async def _restock(self, history: History, stock: Stock, returned: Return) -> History:
        order = placed(history)
        events = (recorded.event for recorded in history.events)
        sellable, damaged = back_at(order, events, returned.return_id)
        await stock.restock(returned.return_id, sellable=sellable, damaged=damaged)
        self._observer.reservation("restocked")
        decide = partial(decisions.restock, outcome=e.InventoryRestocked(return_id=returned.return_id))
        cause = self._caused_by(history, e.ReturnInspected, "inventory-restocked", return_id=returned.return_id)
        return await self._orders.record(history, decide, cause=cause)

    def _not_held(self, decide: Decide, *, kind: str, subject: str, goods: Goods) -> Decide:
        """What goes on although stock holds nothing of it, and says so: `theirs` is what stock has booked."""
        self._observer.reservation("not_held")
        found = e.DiscrepancyFound(area="stock", kind=kind, subject=subject, ours=sum(goods.values()), theirs=0)

        def decided(state: State) -> tuple[e.Event, ...]:
            events = decide(state)
            return (*events, found) if events else ()

        return decided


def _untracked_skus(history: History) -> tuple[str, ...]:
    """What of the order needs no stock, as it was when goods were first set aside."""
    for recorded in history.events:
        if isinstance(recorded.event, e.InventoryPartiallyReserved):
            return recorded.event.untracked_skus
    return ()
