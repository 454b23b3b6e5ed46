"""How a cancellation of the file takes something of an order back: by where its goods are at that moment, which the log decides.

    all of it, and nothing has left           the order is cancelled
    pieces that no carrier expects yet        they are cancelled
    goods that have arrived                   they come back: requested, approved, received, inspected; the inspection promises the refund
    goods on their way; fees and discounts    their money is given back

What was begun in one of these ways is finished in it, by whichever run of the import: each has a name that follows from the file.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import Enum, auto

from orderstore.change_requests import CancelLines, Inspected, InspectReturn, RequestReturn
from orderstore.domain.decide_returns import returnable
from orderstore.domain.deciding import existing
from orderstore.domain.events import OrderCancellationRequested
from orderstore.domain.parcels import in_shipments, shipments_in, unbooked, wanted
from orderstore.domain.rejections import NothingToRefund, TooLateToCancel, WrongReturnStatus
from orderstore.domain.state import (
    Cancelled,
    Cancelling,
    Completed,
    Confirmed,
    InFulfilment,
    InventoryStatus,
    Order,
    Received,
    Return,
    ReturnStatus,
    ShipmentStatus,
)
from orderstore.expected import Exactly
from orderstore.history import History
from orderstore.orders import Orders
from orderstore.recorded import Actor
from orderstore.requests import CancelOrder, RefundLine, RequestRefund
from orderstore.wishes import returning, undoing
from orderstore.wishes.wish import Wish
from workers.intake.door import DoorBusy, DoorNotYet, Form, Requested
from workers.intake.online_retail.matching import FEES_AND_DISCOUNTS

_COMING = frozenset({ShipmentStatus.BOOKED, ShipmentStatus.DISPATCHED})


class Way(Enum):
    """What an order's state lets become of pieces that are to be taken back."""

    RETURN = auto()
    CANCEL_LINES = auto()
    CANCEL_ORDER = auto()
    REFUND = auto()
    WAIT = auto()


class TakingBack:
    """`patient`: goods that may still arrive are waited for, rather than cancelled or refunded: the door is not ready for them yet."""

    def __init__(self, orders: Orders, *, actor: Actor, patient: bool) -> None:
        self._orders = orders
        self._actor = actor
        self._patient = patient

    async def whole(self, order_id: str, *, note: str, key: str) -> Requested:
        """Undo the order; once its goods have left, take back everything that is still part of it.

        Raises CommandRejected, KeyReused, WrongVersion, StoreError, DoorNotYet.
        """
        history = await self._orders.load(order_id)
        if _recorded(history, key) is None and not self._asked_to_cancel(history):
            try:
                return await self._cancel_order(order_id, note)
            except TooLateToCancel:
                history = await self._orders.load(order_id)
        return await self._take_back(history, wanted(existing(history.state)), note=note, key=key)

    async def part(self, order_id: str, pieces: Counter[int], *, note: str, key: str) -> Requested:
        """Take back so many pieces of each line. Raises the same."""
        return await self._take_back(await self._orders.load(order_id), pieces, note=note, key=key)

    async def _take_back(self, history: History, pieces: Counter[int], *, note: str, key: str) -> Requested:
        order = existing(history.state)
        goods = Counter({at: count for at, count in pieces.items() if not _is_fee(order, at)})
        way, asked = _recorded(history, key), self._asked_to_cancel(history)
        if way is None and asked and isinstance(order, Cancelling | Cancelled):
            return Requested(new=False, form=Form.CANCELLED)
        if way is None:
            way = way_now(order, goods, fees=pieces - goods, patient=self._patient)
            if asked and way not in (Way.RETURN, Way.WAIT):
                # the order was to be cancelled, and its goods were faster: when they have arrived they come back
                return Requested(new=False, form=Form.CANCELLED)
        match way:
            case Way.RETURN:
                return await self._return(history, goods, fees=pieces - goods, note=note, key=key)
            case Way.CANCEL_LINES:
                return Requested(new=await self._cancel_lines(history, pieces, key=key), form=Form.LINES_CANCELLED)
            case Way.CANCEL_ORDER:
                with _looked_at_again():
                    return await self._cancel_order(order.order.order_id, note)
            case Way.REFUND:
                return Requested(new=await self._refund(history, pieces, note=note, key=key), form=Form.REFUNDED)
            case Way.WAIT:
                raise DoorNotYet("the goods have not arrived yet: repeat the import when they have")

    async def _cancel_order(self, order_id: str, note: str) -> Requested:
        wish = undoing.cancel(CancelOrder(reason=note), actor=self._actor)
        granted = await self._orders.ask(order_id, wish, actor=self._actor)
        return Requested(new=granted.new, form=Form.CANCELLED)

    async def _cancel_lines(self, history: History, pieces: Counter[int], *, key: str) -> bool:
        order_id, asked = history.events[0].order_id, CancelLines(lines=_lines(pieces))
        with _looked_at_again():
            wish = undoing.cancel_lines(order_id, asked, actor=self._actor, idempotency_key=key)
            return await self._ask(history, wish)

    async def _return(
        self, history: History, goods: Counter[int], *, fees: Counter[int], note: str, key: str
    ) -> Requested:
        """All steps of the return that are not made yet, as a person at the shop's door would make them; then what is no goods."""
        order_id = history.events[0].order_id
        granted = await self._orders.request_return(
            order_id,
            RequestReturn(lines=_lines(goods), reason="other", note=note),
            actor=self._actor,
            idempotency_key=key,
            expected=Exactly(history.version),
        )
        new, history = granted.new, granted.history
        return_id = returning.return_id_for_key(order_id, key)
        sellable = InspectReturn(
            pieces=tuple(
                Inspected(line=at, quantity=count, condition="sellable") for at, count in sorted(goods.items())
            )
        )
        while (wish := next_step(_return_of(existing(history.state), return_id), sellable)) is not None:
            granted = await self._orders.ask(order_id, wish, actor=self._actor, expected=Exactly(history.version))
            new, history = new or granted.new, granted.history
        if fees:
            with suppress(NothingToRefund):  # a fee that cost nothing
                new = await self._refund(history, fees, note=note, key=key) or new
        return Requested(new=new, form=Form.RETURNED)

    async def _refund(self, history: History, pieces: Counter[int], *, note: str, key: str) -> bool:
        asked = RequestRefund(lines=_lines(pieces), reason=note)
        return await self._ask(history, undoing.refund(history.events[0].order_id, asked, idempotency_key=key))

    async def _ask(self, history: History, wish: Wish) -> bool:
        """Whether it is new. The order is as it was looked at, or it is to be looked at again."""
        granted = await self._orders.ask(
            history.events[0].order_id, wish, actor=self._actor, expected=Exactly(history.version)
        )
        return granted.new

    def _asked_to_cancel(self, history: History) -> bool:
        """By an earlier run, whatever came of it since."""
        return any(
            isinstance(recorded.event, OrderCancellationRequested) and recorded.actor == self._actor
            for recorded in history.events
        )


def way_now(order: Order, goods: Counter[int], *, fees: Counter[int], patient: bool) -> Way:
    """What becomes of these pieces, by where the order is."""
    if not goods:
        return Way.REFUND
    if isinstance(order, InFulfilment | Completed) and not goods - returnable(order):
        return Way.RETURN
    if not isinstance(order, Received | Confirmed | InFulfilment):
        return Way.REFUND
    if patient and not goods - _may_arrive(order):
        return Way.WAIT
    if goods - unbooked(order) or order.inventory.status is InventoryStatus.PENDING:
        return Way.REFUND
    return Way.CANCEL_LINES if wanted(order) - goods - fees else Way.CANCEL_ORDER


def next_step(one: Return, sellable: InspectReturn) -> Wish | None:
    """What is done next about goods that are back; None when it is inspected. Raises WrongReturnStatus where somebody has ended it."""
    match one.status:
        case ReturnStatus.REQUESTED:
            return returning.approve(one.return_id)
        case ReturnStatus.APPROVED:
            return returning.receive(one.return_id)
        case ReturnStatus.RECEIVED:
            return returning.inspect(one.return_id, sellable)
        case ReturnStatus.INSPECTED:
            return None
        case ReturnStatus.DECLINED | ReturnStatus.CANCELLED:
            raise WrongReturnStatus(f"the return is {one.status.value}")


def _recorded(history: History, key: str) -> Way | None:
    """How an earlier run has begun it. A return comes before the fees of its document: these are a refund of the same name."""
    order = existing(history.state)
    order_id = order.order.order_id
    if any(one.return_id == returning.return_id_for_key(order_id, key) for one in order.returns):
        return Way.RETURN
    if any(one.cancellation_id == undoing.cancellation_id_for_key(order_id, key) for one in order.cancelled):
        return Way.CANCEL_LINES
    if any(one.refund_id == undoing.refund_id_for_key(order_id, key) for one in order.payment.refunds):
        return Way.REFUND
    return None


def _may_arrive(order: Order) -> Counter[int]:
    """Pieces by line that have arrived, are on their way, or wait to be sent; not those that come back or whose money was given back."""
    return returnable(order) + in_shipments(order, shipments_in(order, _COMING)) + unbooked(order)


def _is_fee(order: Order, line: int) -> bool:
    """Postage, discounts, manual corrections: nothing that could be put into a parcel and sent back."""
    lines = order.order.lines
    return line < len(lines) and lines[line].sku in FEES_AND_DISCOUNTS


def _return_of(order: Order, return_id: str) -> Return:
    return next(one for one in order.returns if one.return_id == return_id)


def _lines(pieces: Counter[int]) -> tuple[RefundLine, ...]:
    return tuple(RefundLine(line=at, quantity=count) for at, count in sorted(pieces.items()))


@contextmanager
def _looked_at_again() -> Iterator[None]:
    """The carrier was faster than this run, which saw the pieces while they could be cancelled."""
    try:
        yield
    except TooLateToCancel as error:
        raise DoorBusy(str(error)) from error
