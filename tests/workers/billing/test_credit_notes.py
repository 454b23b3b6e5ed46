"""The billing worker's credit notes: one for each refund of an invoiced order, numbered without a gap in a series of their own."""

import contextlib
from datetime import UTC, datetime

import anyio
import pytest

from orderstore.domain.events import CreditNoteIssued, SealedText
from orderstore.domain.state import Placed
from orderstore.orders import placed
from orderstore.transact import Contended
from tests.virtual_time import run_virtual
from tests.workers.world import World
from workers.reaction import OutOfStep
from workers.runtime.outcome import Done

OLD_YEARS_EVE = int(datetime(2026, 12, 31, 23, 59, tzinfo=UTC).timestamp() * 1000)
ONE_DAY_MS = 86_400_000


async def refunded(world: World, count: int, *, each: int = 1) -> list[str]:
    """Orders that are delivered, invoiced and given something back; billing was not told of the refunds yet."""
    await world.stock.receive("for all", {"LAPTOP-001": 1_000, "MOUSE-002": 1_000})
    orders = [await world.place() for _ in range(count)]
    await world.deliver(rounds_max=count * 50)
    world.wants = lambda queue, event_type: (queue, event_type) != ("billing", "RefundIssued")
    for order_id in orders:
        for _ in range(each):
            await world.refund(order_id, line=1, quantity=1)
    await world.deliver(rounds_max=count * each * 50)
    return orders


def hints(world: World) -> list:
    return [message for queue, message in world.history if queue == "billing" and "RefundIssued" in message.body]


async def state_of(world: World, order_id: str) -> Placed:
    return placed(await world.orders.load(order_id))


async def notes_of(world: World, order_id: str) -> list[CreditNoteIssued]:
    events = (past.event for past in (await world.orders.load(order_id)).events)
    return [event for event in events if isinstance(event, CreditNoteIssued)]


def test_a_refund_of_an_invoiced_order_is_credited_once() -> None:
    """Told three times over; what was captured less what went back is what was invoiced less what was credited."""

    async def scenario() -> None:
        world = World()
        (order_id,) = await refunded(world, 1, each=2)
        for message in hints(world) * 3:
            assert await world.handlers["billing"](message) == Done()

        state = await state_of(world, order_id)
        numbers = [note.credit_note_number for note in await notes_of(world, order_id)]
        assert numbers == ["CREDIT-2026-000001", "CREDIT-2026-000002"]
        assert {note.invoice_number for note in await notes_of(world, order_id)} == {"SHOP-2026-000001"}
        assert state.invoice is not None
        credited = sum(note.total_minor for note in state.credit_notes)
        assert credited == state.payment.refunded_minor == 5_000
        assert state.invoice.total_minor - credited == state.payment.amount_minor - state.payment.refunded_minor

    run_virtual(scenario)


def test_an_order_that_was_cancelled_before_its_goods_left_has_no_document() -> None:
    """Its money goes back too, but no invoice ever asked for it: there is nothing to correct."""

    async def scenario() -> None:
        world = World(capture="at_once")
        world.wants = lambda queue, event_type: queue != "shipping"
        order_id = await world.place()
        await world.deliver()
        await world.cancel(order_id)
        world.wants = lambda queue, event_type: True
        await world.deliver()

        events = await world.events(order_id)
        assert "RefundIssued" in events
        assert "OrderCancelled" in events
        assert not {"InvoiceIssued", "CreditNoteIssued"} & set(events)

    run_virtual(scenario)


@pytest.mark.parametrize("count", [25, pytest.param(100, marks=pytest.mark.thorough)])
def test_many_credit_notes_at_once_are_numbered_from_one_without_a_gap(count: int) -> None:
    """From two processes, each message twice, and the invoices' own series is left alone."""

    async def scenario() -> None:
        world = World()
        orders = await refunded(world, count)

        async def bill(handlers, message) -> None:
            for _ in range(count):  # a series that is too busy is a matter for the message's next delivery
                with contextlib.suppress(Contended):
                    assert await handlers["billing"](message) == Done()
                    return
            raise AssertionError("contended for ever")

        async with anyio.create_task_group() as tasks:
            for message in hints(world):
                tasks.start_soon(bill, world.handlers, message)
                tasks.start_soon(bill, world.elsewhere, message)

        notes = [note for order_id in orders for note in await notes_of(world, order_id)]
        assert sorted(note.number for note in notes) == list(range(1, count + 1))
        assert {note.series for note in notes} == {"CREDIT-2026"}
        invoices = [(await state_of(world, order_id)).invoice for order_id in orders]
        assert sorted(invoice.number for invoice in invoices if invoice is not None) == list(range(1, count + 1))

    run_virtual(scenario)


def test_a_number_is_not_lost_when_the_writer_dies_around_the_transaction() -> None:
    """The number and the credit note are stored together; whoever comes next takes the next one."""

    async def scenario() -> None:
        world = World()
        orders = await refunded(world, 3)
        faults = world.faults
        for after, message in zip((False, True, False), hints(world), strict=True):
            faults.at, faults.after = faults.calls + 4, after  # load, counter, another look, then the transaction
            with pytest.raises(Exception, match=r"log\.append_numbered"):
                await world.handlers["billing"](message)
        for message in reversed(hints(world)):
            await world.handlers["billing"](message)

        notes = [note for order_id in orders for note in await notes_of(world, order_id)]
        assert sorted(note.number for note in notes) == [1, 2, 3]

    run_virtual(scenario)


def test_the_series_and_the_buyers_key_are_those_of_the_year_of_issue() -> None:
    """An invoice of the old year that is credited in the new one: what the credit note names is kept from its own year on."""

    async def scenario() -> None:
        world = World()
        world.time_ms = OLD_YEARS_EVE
        (order_id,) = await refunded(world, 1)
        world.time_ms += ONE_DAY_MS
        await world.handlers["billing"](hints(world)[0])

        [note] = await notes_of(world, order_id)
        assert (note.credit_note_number, note.invoice_number) == ("CREDIT-2027-000001", "SHOP-2026-000001")
        assert note.buyer is not None
        assert note.buyer.subject == "fiscal:2027:customer:customer-1"

    run_virtual(scenario)


@pytest.mark.parametrize(
    ("erased", "named"),
    [({"customer:customer-1"}, True), ({"customer:customer-1", "fiscal:2026:customer:customer-1"}, False)],
)
def test_the_buyer_is_taken_from_the_invoice_as_long_as_the_invoice_may_name_it(erased: set[str], named: bool) -> None:
    """A customer who was erased meanwhile stays on the invoice, and so on its correction; when the invoice's time is over, on neither."""

    async def scenario() -> None:
        world = World()
        (order_id,) = await refunded(world, 1)
        world.vault.erased |= erased
        await world.handlers["billing"](hints(world)[0])

        [note] = await notes_of(world, order_id)
        assert (note.buyer is not None) == named
        assert note.total_minor == 2_500

    run_virtual(scenario)


def test_a_year_that_ends_between_sealing_and_numbering_is_noticed() -> None:
    """The message comes again and takes the new year's series and key; the old year's series has no gap."""

    async def scenario() -> None:
        world = World()
        world.time_ms = OLD_YEARS_EVE
        (order_id,) = await refunded(world, 1)
        world.time_ms = OLD_YEARS_EVE + 59_000
        honest = world.vault.seal

        async def slow(subject: str, purpose: str, plain: bytes) -> SealedText:
            world.time_ms += 2_000
            return await honest(subject, purpose, plain)

        world.vault.seal = slow  # type: ignore[method-assign]
        with pytest.raises(OutOfStep, match="year"):
            await world.handlers["billing"](hints(world)[0])
        await world.handlers["billing"](hints(world)[0])

        [note] = await notes_of(world, order_id)
        assert note.credit_note_number == "CREDIT-2027-000001"

    run_virtual(scenario)
