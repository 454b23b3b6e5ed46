"""What documents look like is drawn and stored after their number is taken, by whoever looks next."""

from dataclasses import replace

import pytest

from orderstore.domain.events import InvoiceDocumentStored
from orderstore.invoicing.rendering.pdf import CannotBeSet, render_pdf
from tests.virtual_time import run_virtual
from tests.workers.drawing import drawing_over
from tests.workers.world import Crash, World
from workers.billing.handler import BillingHandler
from workers.billing.setting import setting_in_threads
from workers.runtime.outcome import Done


async def dispatched(world: World, **fields: str) -> str:
    """An order whose goods have left; billing was told nothing."""
    world.wants = lambda queue, _: queue not in ("billing", "notification")
    order_id = await world.place(**fields)
    await world.deliver()
    return order_id


def hint(world: World, event_type: str = "ShipmentDispatched"):
    return next(message for queue, message in world.history if queue == "billing" and event_type in message.body)


async def stored(world: World, order_id: str) -> list[InvoiceDocumentStored]:
    events = (past.event for past in (await world.orders.load(order_id)).events)
    return [event for event in events if isinstance(event, InvoiceDocumentStored)]


def test_both_forms_are_stored_in_one_commit_and_said_once() -> None:
    """However often billing is told, and by however many processes."""

    async def scenario() -> None:
        world = World()
        order_id = await dispatched(world)
        for handler in (world.handlers, world.elsewhere, world.handlers):
            assert await handler["billing"](hint(world)) == Done()
        pdf, html = await stored(world, order_id)
        assert (pdf.media_type, html.media_type, pdf.number) == ("application/pdf", "text/html", "SHOP-2026-000001")
        history = await world.orders.load(order_id)
        commits = {past.commit for past in history.events if past.name == "InvoiceDocumentStored"}
        assert len(commits) == 1
        issued = next(past for past in history.events if past.name == "InvoiceIssued")
        last = history.events[-1]
        assert (last.name, last.causation_id) == ("InvoiceDocumentStored", issued.event_id)
        assert world.reports.counts[("document", "stored")] == 1

    run_virtual(scenario)


@pytest.mark.parametrize("call", range(5, 8))
@pytest.mark.parametrize("after", [False, True])
def test_dying_after_the_number_loses_neither_number_nor_document(call: int, after: bool) -> None:
    """Before and after the object, and the commit that names them: another does the rest, and no number is lost."""  # domain 5.5-5

    async def scenario() -> None:
        world = World()
        first, second = await dispatched(world), await dispatched(world)
        told = [message for queue, message in world.history if queue == "billing"]
        world.faults.at, world.faults.after = (
            world.faults.calls + call,
            after,
        )  # after load, counter, another look and the transaction
        try:
            await world.handlers["billing"](told[0])
        except Crash:
            assert "InvoiceIssued" in await world.events(first)
        before = dict(world.objects._contents)
        world.faults.armed = False
        assert await world.elsewhere["billing"](told[0]) == Done()
        assert await world.elsewhere["billing"](told[1]) == Done()

        for order_id, number in ((first, "SHOP-2026-000001"), (second, "SHOP-2026-000002")):
            assert {event.number for event in await stored(world, order_id)} == {number}
            assert len(await stored(world, order_id)) == 2
            assert (await world.events(order_id)).count("InvoiceIssued") == 1
        assert before.items() <= world.objects._contents.items()
        assert len(world.objects._contents) == 2

    run_virtual(scenario)


def test_a_document_whose_key_was_let_go_keeps_no_other_from_being_stored() -> None:
    """An invoice of long ago, never drawn, and a credit note of today: the second is stored, and the handler comes to an end."""

    async def scenario() -> None:
        world = World()
        order_id = await dispatched(world)
        world.faults.at = world.faults.calls + 5
        with pytest.raises(Crash):
            await world.handlers["billing"](hint(world))
        world.faults.armed = False
        world.time_ms += 12 * 366 * 86_400_000
        world.vault.erased.add("fiscal:2026:customer:customer-1")
        await world.refund(order_id, line=1, quantity=1)
        world.wants = lambda queue, _: queue == "payment"
        await world.deliver()
        assert await world.handlers["billing"](hint(world, "RefundIssued")) == Done()
        assert {event.document for event in await stored(world, order_id)} == {"credit_note"}
        assert world.reports.counts[("document", "expired")] == 2  # looked for again once the other was stored

    run_virtual(scenario)


def test_a_name_that_no_font_has_is_counted_and_stored_as_a_page() -> None:
    """The invoice stands; only its PDF does not."""

    async def no_font(_paper: object) -> bytes:
        raise CannotBeSet("no font")

    async def scenario() -> None:
        world = World()
        order_id = await dispatched(world, customerName="太郎")
        drawing = replace(drawing_over(world.vault, world.objects), set_pdf=no_font)
        handler = BillingHandler(
            world.orders, drawing=drawing, now_ms=world.now_ms, sandbox=True, observer=world.reports
        )
        assert await handler(hint(world)) == Done()
        assert [event.media_type for event in await stored(world, order_id)] == ["text/html"]
        assert world.reports.counts[("document", "stored_without_pdf")] == 1

    run_virtual(scenario)


async def test_pdfs_are_set_beside_the_event_loop() -> None:
    """In a thread, with the same bytes."""
    world, papers = World(), []

    async def remember(paper: object) -> bytes:
        papers.append(paper)
        return b"%PDF"

    drawing = replace(drawing_over(world.vault), set_pdf=remember)
    order_id = await dispatched(world)
    handler = BillingHandler(world.orders, drawing=drawing, now_ms=world.now_ms, sandbox=True)
    assert await handler(hint(world)) == Done()
    assert order_id == papers[0].order
    assert await setting_in_threads(None)(papers[0]) == render_pdf(papers[0])
