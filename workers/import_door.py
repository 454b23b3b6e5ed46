"""The importer's door onto the orders service: the very verbs that the API calls, with the same validation."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from pydantic import ValidationError

from orderstore.domain.ids import order_id_for_key
from orderstore.domain.rejections import CommandRejected
from orderstore.expected import WrongVersion
from orderstore.orders import CustomerErased, KeyReused, Orders
from orderstore.recorded import Actor
from orderstore.requests import Item, PlaceOrder
from orderstore.store.errors import CommitTooLarge, StoreError
from orderstore.transact import Contended
from workers.import_taking_back import TakingBack
from workers.intake.door import Door, DoorBusy, DoorRefused, Placed, Requested, sale_key
from workers.intake.online_retail.model import CancelOrder, Instruction, RefundLines, Sale

IMPORTER: Final = Actor("operator", "import-online-retail")
CHANNEL: Final = "online-retail"
CURRENCY: Final = "GBP"


class OrdersDoor(Door):
    """`orders` is None only for a dry run, which opens nothing and sends nothing."""

    def __init__(self, orders: Orders | None, *, tenant: str, patient: bool = False) -> None:
        """`patient`: see `TakingBack`."""
        self._given = orders
        self._tenant = tenant
        self._patient = patient

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
        """See `Door.cancel`. Once its goods have left, what can be taken back follows from where they are."""
        with _in_the_door_s_words():
            return await self._taking_back.whole(
                self._order_of(instruction), note=f"cancelled by {instruction.cancellation}", key=key
            )

    async def refund(self, instruction: RefundLines, *, key: str) -> Requested:
        """See `Door.refund`. What becomes of the pieces follows from where they are."""
        pieces = Counter({line.line_index: line.quantity for line in instruction.lines})
        with _in_the_door_s_words():
            return await self._taking_back.part(
                self._order_of(instruction), pieces, note=f"returned by {instruction.cancellation}", key=key
            )

    def _order_of(self, instruction: Instruction) -> str:
        return order_id_for_key(self._tenant, sale_key(instruction.sale))

    @property
    def _taking_back(self) -> TakingBack:
        return TakingBack(self._orders, actor=IMPORTER, patient=self._patient)

    @property
    def _orders(self) -> Orders:
        assert self._given is not None, "a dry run sends nothing"
        return self._given


@contextmanager
def _in_the_door_s_words() -> Iterator[None]:
    """What no repeat can change is refused; whatever else the log could not do is worth another try."""
    try:
        yield
    except (CommandRejected, KeyReused, CustomerErased, CommitTooLarge) as error:
        raise DoorRefused(str(error)) from error
    except (StoreError, Contended, WrongVersion) as error:
        raise DoorBusy(str(error)) from error
