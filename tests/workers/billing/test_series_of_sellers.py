"""Series by seller, channel and year: each gap-free by itself, whoever writes, however many at once."""

import contextlib
from collections import defaultdict

import anyio
import pytest

from orderstore.domain.events import CreditNoteIssued, InvoiceIssued
from orderstore.invoicing.sellers import Sellers, UnknownSeries, demonstration, parse_sellers
from orderstore.transact import Contended
from tests.virtual_time import run_virtual
from tests.workers.drawing import drawing_over
from tests.workers.world import World
from workers.billing.handler import BillingHandler
from workers.runtime.outcome import Done
from workers.runtime.queue import Message

SELLERS = parse_sellers(
    """
    [[seller]]
    id = "gb"
    name = "Acme Retail Ltd"
    address = ["1 High Street"]
    [[seller.series]]
    channels = ["web", "shop"]
    invoices = "INV-GB"
    credit_notes = "CN-GB"
    [[seller.series]]
    channels = ["amazon"]
    invoices = "INV-GB-A"
    credit_notes = "CN-GB-A"
    [[seller]]
    id = "de"
    name = "Acme Handels GmbH"
    address = ["Hauptstr. 1"]
    [[seller.series]]
    channels = ["*"]
    invoices = "RE"
    credit_notes = "GS"
    """
)
CHANNELS = ("web", "shop", "amazon", "api", "phone")
IN_SERIES = {"web": "INV-GB", "shop": "INV-GB", "amazon": "INV-GB-A", "api": "RE", "phone": "RE"}


def billing_of(world: World, sellers: Sellers) -> BillingHandler:
    """A process of its own: it shares the log, and no lock."""
    return BillingHandler(
        world.orders,
        drawing=drawing_over(world.vault, world.objects, sellers=sellers),
        now_ms=world.now_ms,
        sandbox=True,
        observer=world.reports,
    )


async def dispatched(world: World, count: int) -> dict[str, str]:
    """Orders whose goods have left, and their channels; billing was told nothing."""
    world.wants = lambda queue, _: queue not in ("billing", "notification")
    await world.stock.receive("for all", {"LAPTOP-001": 1_000, "MOUSE-002": 1_000})
    placed = {}
    for number in range(count):
        channel = CHANNELS[number % len(CHANNELS)]
        placed[await world.place(channel=channel, stocked=False)] = channel
    await world.deliver(rounds_max=count * 50)
    return placed


def hints(world: World, event_type: str) -> list[Message]:
    return [message for queue, message in world.history if queue == "billing" and event_type in message.body]


async def document_of(world: World, order_id: str, kind: type) -> InvoiceIssued | CreditNoteIssued:
    (found,) = [past.event for past in (await world.orders.load(order_id)).events if isinstance(past.event, kind)]
    return found


@pytest.mark.parametrize("count", [40, pytest.param(200, marks=pytest.mark.thorough)])
def test_many_triggers_at_once_number_each_series_from_one_without_a_gap(count: int) -> None:
    """From three processes, each message to each of them, at the same time."""  # domain 5.5-4

    async def scenario() -> None:
        world = World()
        orders = await dispatched(world, count)

        async def bill(handler: BillingHandler, message: Message) -> None:
            for _ in range(count * 3):  # a series that is too busy is a matter for the message's next delivery
                with contextlib.suppress(Contended):
                    assert await handler(message) == Done()
                    return
            raise AssertionError("contended for ever")

        async with anyio.create_task_group() as tasks:
            for handler in [billing_of(world, SELLERS) for _ in range(3)]:
                for message in hints(world, "ShipmentDispatched"):
                    tasks.start_soon(bill, handler, message)

        numbers = defaultdict(list)
        for order_id, channel in orders.items():
            invoice = await document_of(world, order_id, InvoiceIssued)
            assert invoice.series == f"{IN_SERIES[channel]}-2026"
            numbers[invoice.series].append(invoice.number)
        assert sorted(numbers) == ["INV-GB-2026", "INV-GB-A-2026", "RE-2026"]
        for taken in numbers.values():
            assert sorted(taken) == list(range(1, len(taken) + 1))

    run_virtual(scenario)


def test_a_credit_note_is_of_the_seller_of_its_invoice_whoever_sells_there_by_now() -> None:
    """The channel went to another company between the sale and the refund; a series without channels goes on crediting."""

    async def scenario() -> None:
        world = World()
        (order_id,) = await dispatched(world, 1)
        before = demonstration(invoices="SHOP", credit_notes="CREDIT")
        (hint,) = hints(world, "ShipmentDispatched")
        assert await billing_of(world, before)(hint) == Done()
        await world.refund(order_id, line=1, quantity=1)
        world.wants = lambda queue, _: queue == "payment"
        await world.deliver()

        (hint,) = hints(world, "RefundIssued")
        with pytest.raises(UnknownSeries, match="SHOP"):
            await billing_of(world, SELLERS)(hint)
        assert "CreditNoteIssued" not in await world.events(order_id)
        kept = parse_sellers(
            '[[seller]]\nid="old"\nname="Old"\naddress=["x"]\n[[seller.series]]\nchannels=["*"]\ninvoices="NEW"\n'
            'credit_notes="NEWCN"\n[[seller.series]]\nchannels=[]\ninvoices="SHOP"\ncredit_notes="CREDIT"\n'
        )
        assert await billing_of(world, kept)(hint) == Done()
        note = await document_of(world, order_id, CreditNoteIssued)
        assert (note.series, note.number) == ("CREDIT-2026", 1)

    run_virtual(scenario)
