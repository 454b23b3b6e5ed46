"""The importer's door onto the orders service: the very verbs that the API calls, with the same validation."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from pydantic import ValidationError

from orderstore.domain.events import OrderCancellationRequested
from orderstore.domain.ids import order_id_for_key
from orderstore.domain.rejections import CommandRejected, TooLateToCancel
from orderstore.orders import KeyReused, Orders, placed
from orderstore.recorded import Actor
from orderstore.requests import CancelOrder as CancelRequest
from orderstore.requests import Item, PlaceOrder, RefundLine, RequestRefund
from orderstore.store.errors import CommitTooLarge, StoreError
from orderstore.transact import Contended
from workers.intake.door import Door, DoorBusy, DoorRefused, Placed, Requested, sale_key
from workers.intake.online_retail.model import CancelOrder, RefundLines, Sale

IMPORTER: Final = Actor("operator", "import-online-retail")
CHANNEL: Final = "online-retail"
CURRENCY: Final = "GBP"


class OrdersDoor(Door):
    """`orders` is None only for a dry run, which opens nothing and sends nothing."""

    def __init__(self, orders: Orders | None, *, tenant: str) -> None:
        self._given = orders
        self._tenant = tenant

    async def place(self, sale: Sale, *, key: str) -> Placed:
        """See `Door.place`."""
        try:
            request = PlaceOrder(
                items=tuple(
                    Item(sku=line.sku, quantity=line.quantity, price=line.unit_price, description=line.description)
                    for line in sale.lines
                ),
                currency=CURRENCY,
                customer_id=sale.customer_id,
                country=sale.country,
                channel=CHANNEL,
                reference=key,
                placed_at=sale.placed_at,
            )
        except ValidationError as error:
            raise DoorRefused(
                "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
            ) from error
        with _in_the_door_s_words():
            accepted = await self._orders.place(request, actor=IMPORTER, idempotency_key=key)
        return Placed(new=accepted.new)

    async def cancel(self, instruction: CancelOrder, *, key: str) -> Requested:
        """See `Door.cancel`. Goods that have left come back as a refund of everything, as a shop would do it."""
        order_id = order_id_for_key(self._tenant, sale_key(instruction.sale))
        note = CancelRequest(reason=f"cancelled by {instruction.cancellation}")
        with _in_the_door_s_words():
            before = await self._orders.load(order_id)
            if any(isinstance(recorded.event, OrderCancellationRequested) for recorded in before.events):
                return Requested(new=False)  # asked for by an earlier run, whatever came of it since
            try:
                after = await self._orders.cancel(order_id, note, actor=IMPORTER)
            except TooLateToCancel:
                ordered = placed(before).order.lines
                lines = tuple(RefundLine(line=index, quantity=line.quantity) for index, line in enumerate(ordered))
                refund = RequestRefund(lines=lines, reason=note.reason)
                after = await self._orders.request_refund(order_id, refund, actor=IMPORTER, idempotency_key=key)
        return Requested(new=len(after.events) > len(before.events))

    async def refund(self, instruction: RefundLines, *, key: str) -> Requested:
        """See `Door.refund`."""
        order_id = order_id_for_key(self._tenant, sale_key(instruction.sale))
        lines = tuple(RefundLine(line=line.line_index, quantity=line.quantity) for line in instruction.lines)
        request = RequestRefund(lines=lines, reason=f"returned by {instruction.cancellation}")
        with _in_the_door_s_words():
            before = await self._orders.load(order_id)
            after = await self._orders.request_refund(order_id, request, actor=IMPORTER, idempotency_key=key)
        return Requested(new=len(after.events) > len(before.events))

    @property
    def _orders(self) -> Orders:
        assert self._given is not None, "a dry run sends nothing"
        return self._given


@contextmanager
def _in_the_door_s_words() -> Iterator[None]:
    """What no repeat can change is refused; whatever else the log could not do is worth another try."""
    try:
        yield
    except (CommandRejected, KeyReused, CommitTooLarge) as error:
        raise DoorRefused(str(error)) from error
    except (StoreError, Contended) as error:
        raise DoorBusy(str(error)) from error
