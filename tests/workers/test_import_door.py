"""The importer's door: real sales go through the API's own verbs, and what they answer is said in the door's words."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial

import pytest

from orderstore.domain import decisions
from orderstore.domain.ids import order_id_for_key
from orderstore.domain.state import Cancelling, InFulfilment
from orderstore.orders import Orders, placed
from orderstore.store.errors import CommitTooLarge, StoreError, Throttled
from orderstore.store.memory import MemoryEventStore
from orderstore.store.port import Commit
from tests.builders import BOOKED, DISPATCHED, PAID, RESERVED
from tests.ordering import TENANT, cause, orders_over
from workers.import_door import CHANNEL, IMPORTER, OrdersDoor
from workers.intake.door import DoorBusy, DoorRefused, Form, Placed, Requested, instruction_key, sale_key
from workers.intake.online_retail.model import CancelOrder, Line, RefundLine, RefundLines, Sale

PLACED_AT = datetime(2010, 12, 1, 8, 26, tzinfo=UTC)
SALE = Sale(
    invoice="536365",
    placed_at=PLACED_AT,
    customer_id="17850",
    country="United Kingdom",
    lines=(
        Line(line_number=2, sku="85123A", description="WHITE HANGING HEART", quantity=6, unit_price=Decimal("2.55")),
        Line(line_number=3, sku="71053", description="WHITE LANTERN", quantity=3, unit_price=Decimal("0.001")),
    ),
)
CANCEL = CancelOrder(sale="536365", cancellation="C536379", requested_at=PLACED_AT, line_number=9)
REFUND = RefundLines(
    sale="536365",
    cancellation="C536391",
    requested_at=PLACED_AT,
    line_number=12,
    lines=(RefundLine(line_index=0, sku="85123A", quantity=2, unit_price=Decimal("2.55")),),
)
PAID_FOR = replace(PAID, amount_minor=1530)
ORDER_ID = order_id_for_key(TENANT, sale_key("536365"))


def sale(**changes: object) -> Sale:
    known = {name: getattr(SALE, name) for name in ("invoice", "placed_at", "customer_id", "country", "lines")}
    return Sale(**{**known, **changes})  # type: ignore[arg-type]  # each test changes a field to its own type


async def opened(orders: Orders) -> OrdersDoor:
    door = OrdersDoor(orders, tenant=TENANT)
    await door.place(SALE, key=sale_key(SALE.invoice))
    return door


async def dispatched(orders: Orders) -> None:
    """The order's goods leave."""
    history = await orders.load(ORDER_ID)
    for purpose, decide in {
        "payment": partial(decisions.complete_payment, outcome=PAID_FOR),
        "inventory": partial(decisions.reserve_inventory, outcome=RESERVED),
        "booking": partial(decisions.create_shipment, outcome=BOOKED),
        "dispatch": partial(decisions.dispatch_shipment, outcome=DISPATCHED),
    }.items():
        history = await orders.record(history, decide, cause=cause(purpose))
    assert isinstance(history.state, InFulfilment)


async def test_a_sale_becomes_one_order_however_often_it_is_sent() -> None:
    """The key from the file names the order: a repeat finds it there."""
    orders = orders_over()
    door = OrdersDoor(orders, tenant=TENANT)

    answers = [await door.place(SALE, key=sale_key(SALE.invoice)) for _ in range(2)]

    assert answers == [Placed(new=True), Placed(new=False)]
    history = await orders.load(ORDER_ID)
    assert len(history.events) == 1
    assert history.events[0].actor == IMPORTER


async def test_the_order_holds_the_sale_as_it_was() -> None:
    """The file's own time, and prices to the last digit; the sum is rounded once."""
    orders = orders_over()
    await opened(orders)

    order = placed(await orders.load(ORDER_ID)).order

    assert (order.placed_at, order.channel, order.reference) == (PLACED_AT, CHANNEL, "online-retail:536365")
    assert [(line.sku, line.quantity, line.unit_price) for line in order.lines] == [
        ("85123A", 6, Decimal("2.55")),
        ("71053", 3, Decimal("0.001")),
    ]
    assert (order.total_exact, order.total_minor, order.currency) == (Decimal("15.303"), 1530, "GBP")


async def test_another_sale_under_the_same_key_is_refused() -> None:
    """A file that was changed between two runs shows itself."""
    door = await opened(orders_over())

    with pytest.raises(DoorRefused, match="another request"):
        await door.place(sale(customer_id="17851"), key=sale_key(SALE.invoice))


async def test_a_sale_that_the_schema_refuses_is_named_by_its_field() -> None:
    """The report says where to look, and quotes nothing."""
    door = OrdersDoor(orders_over(), tenant=TENANT)

    with pytest.raises(DoorRefused, match="country") as refused:
        await door.place(sale(country="x" * 65), key=sale_key(SALE.invoice))

    assert "xxx" not in str(refused.value)


@pytest.mark.parametrize("text", ["card 4242 4242 4242 4242", "CVV 123", "engrave ada@mail.example"])
async def test_card_data_and_addresses_in_a_row_are_refused_and_not_reported(text: str) -> None:
    """The report names the field; what stood in it stays in the file."""
    door = OrdersDoor(orders_over(), tenant=TENANT)
    line = Line(line_number=2, sku="85123A", description=text, quantity=1, unit_price=Decimal("2.55"))

    with pytest.raises(DoorRefused, match="description") as refused:
        await door.place(sale(lines=(line,)), key=sale_key(SALE.invoice))

    assert text not in str(refused.value)


async def test_a_cancellation_before_the_dispatch_undoes_the_order() -> None:
    """Asked for twice, it is recorded once."""
    orders = orders_over()
    door = await opened(orders)

    answers = [await door.cancel(CANCEL, key=instruction_key(CANCEL)) for _ in range(2)]

    assert answers == [Requested(True, Form.CANCELLED), Requested(False, Form.CANCELLED)]
    state = (await orders.load(ORDER_ID)).state
    assert isinstance(state, Cancelling)
    assert state.reason == "operator"


async def test_a_cancellation_that_came_too_late_is_not_asked_for_again_in_another_form() -> None:
    """Accepted, then declined because the goods had left: a second run finds its own request and adds nothing while they are on
    their way."""
    orders = orders_over()
    door = await opened(orders)
    history = await orders.load(ORDER_ID)
    for purpose, decide in {
        "payment": partial(decisions.complete_payment, outcome=PAID_FOR),
        "inventory": partial(decisions.reserve_inventory, outcome=RESERVED),
        "booking": partial(decisions.create_shipment, outcome=BOOKED),
    }.items():
        history = await orders.record(history, decide, cause=cause(purpose))
    first = await door.cancel(CANCEL, key=instruction_key(CANCEL))
    cancelling = await orders.load(ORDER_ID)
    declined = await orders.record(
        cancelling, partial(decisions.dispatch_shipment, outcome=DISPATCHED), cause=cause("dispatch")
    )

    again = await door.cancel(CANCEL, key=instruction_key(CANCEL))

    assert (first, again) == (Requested(True, Form.CANCELLED), Requested(False, Form.CANCELLED))
    assert isinstance(declined.state, InFulfilment)
    assert (await orders.load(ORDER_ID)).events == declined.events


async def test_a_cancellation_after_the_dispatch_gives_everything_back() -> None:
    """The goods have left, so the whole order is refunded, once, as a shop would do it."""
    orders = orders_over()
    door = await opened(orders)
    await dispatched(orders)

    answers = [await door.cancel(CANCEL, key=instruction_key(CANCEL)) for _ in range(2)]

    assert answers == [Requested(True, Form.REFUNDED), Requested(False, Form.REFUNDED)]
    payment = placed(await orders.load(ORDER_ID)).payment
    (refund,) = payment.refunds
    assert refund.amount_minor == payment.amount_minor == 1530
    assert [(line.line, line.quantity) for line in refund.lines] == [(0, 6), (1, 3)]


async def test_a_refund_gives_back_the_pieces_that_it_names() -> None:
    """Two hearts of six; the repeat adds nothing."""
    orders = orders_over()
    door = await opened(orders)

    answers = [await door.refund(REFUND, key=instruction_key(REFUND)) for _ in range(2)]

    assert answers == [Requested(True, Form.REFUNDED), Requested(False, Form.REFUNDED)]
    (refund,) = placed(await orders.load(ORDER_ID)).payment.refunds
    assert (refund.amount_minor, [(line.line, line.quantity) for line in refund.lines]) == (510, [(0, 2)])


async def test_what_takes_back_an_order_that_is_not_there_is_refused() -> None:
    """No repeat can help."""
    door = OrdersDoor(orders_over(), tenant=TENANT)

    with pytest.raises(DoorRefused):
        await door.cancel(CANCEL, key=instruction_key(CANCEL))
    with pytest.raises(DoorRefused):
        await door.refund(REFUND, key=instruction_key(REFUND))


class Failing(MemoryEventStore):
    """A log that takes nothing more once it has an `error`."""

    error: StoreError | None = None

    async def append(self, commit: Commit) -> None:
        if self.error is not None:
            raise self.error
        await super().append(commit)


@pytest.mark.parametrize(
    ("error", "becomes"),
    [
        (Throttled("append", tries=3), DoorBusy),
        (CommitTooLarge("main/order-1", 1, body_bytes=2, body_bytes_max=1), DoorRefused),
    ],
    ids=["worth another try", "never"],
)
async def test_trouble_of_the_log_is_sorted_the_same_way_for_every_request(
    error: StoreError, becomes: type[Exception]
) -> None:
    """Busy is repeated, refused goes into the report: place, cancel and refund agree on which is which."""
    store = Failing()
    door = await opened(orders_over(store))
    store.error = error

    with pytest.raises(becomes):
        await door.place(sale(invoice="536366"), key=sale_key("536366"))
    with pytest.raises(becomes):
        await door.cancel(CANCEL, key=instruction_key(CANCEL))
    with pytest.raises(becomes):
        await door.refund(REFUND, key=instruction_key(REFUND))
