"""`invoices verify` over logs of billing and of something else: what is wrong is named, what is only late is not."""

from dataclasses import replace
from decimal import Decimal

import pytest

from orderstore.change_requests import CancelLines
from orderstore.domain import events as e
from orderstore.domain.ids import stream_of
from orderstore.invoicing.findings import Finding
from orderstore.invoicing.verify import Report, verify
from orderstore.recorded import Actor, Cause
from orderstore.requests import LinePieces
from orderstore.wishes import undoing
from tests.virtual_time import run_virtual
from tests.workers.world import World

HOUR_S = 3_600


async def look(world: World, *, grace_s: float = HOUR_S, later_s: float = 2 * HOUR_S) -> Report:
    return await verify(world.log, now_ms=world.time_ms + int(later_s * 1000), grace_s=grace_s)


def said(report: Report) -> list[tuple[str, str]]:
    return sorted((found.kind, found.about) for found in report.findings)


async def completed(world: World, count: int = 1) -> list[str]:
    orders = [await world.place() for _ in range(count)]
    await world.deliver(rounds_max=count * 60)
    return orders


async def forge(world: World, order_id: str, change) -> None:
    """Write to the log what no decision would: `change` makes an event of the order's last invoice."""
    history = await world.orders.load(order_id)
    invoices = [past.event for past in history.events if isinstance(past.event, e.InvoiceIssued)]
    event = change(invoices[-1] if invoices else None)
    cause = Cause(
        causation_id=history.events[-1].event_id,
        purpose=f"forged-{len(history.events)}",
        correlation_id=order_id,
        actor=Actor("operator", "mallory"),
        source="by hand",
        traceparent=None,
    )
    await world.orders.record(history, lambda _state: (event,), cause=cause)


def test_books_that_billing_wrote_are_complete() -> None:
    """Invoices, partial refunds and a cancelled order: nothing is wrong, and every number is counted."""  # domain 5.5-4

    async def scenario() -> None:
        world = World()
        first, second, third = await completed(world, 3)
        await world.refund(first, line=1, quantity=1)
        await world.refund(first, line=1, quantity=1)
        await world.refund(second, line=0, quantity=1)
        await world.deliver()
        cancelled = await world.place()
        await world.cancel(cancelled)
        await world.deliver()

        report = await look(world)

        assert said(report) == []
        assert report.series == {"CREDIT-2026": 3, "SHOP-2026": 3}
        assert (report.orders, report.documents) == (4, 6)
        assert third in {stream.rpartition("order-")[2] async for stream in world.log.streams()}

    run_virtual(scenario)


def test_the_invoice_of_what_is_left_of_an_order_is_no_wrong_one() -> None:
    """Pieces were cancelled before it was written: its total is what was left to be paid."""

    async def scenario() -> None:
        world = World()
        order_id = await world.place()
        await world.hold(order_id, "wait")
        await world.deliver()
        wish = undoing.cancel_lines(
            order_id,
            CancelLines(lines=(LinePieces(line=1, quantity=1),)),
            actor=Actor("operator", "anna"),
            idempotency_key="fewer",
        )
        await world.orders.ask(order_id, wish, actor=Actor("operator", "anna"))
        await world.release(order_id, "wait")
        await world.deliver()

        report = await look(world)
        assert said(report) == []
        assert report.documents == 1

    run_virtual(scenario)


def test_gaps_repeats_and_a_counter_that_is_behind_are_each_named() -> None:
    """Numbers written past the counter: 2 to 4 were never used, 5 and 9 are, one of them twice, and the counter knows of 1."""

    async def scenario() -> None:
        world = World()
        first, second, third = await completed(world, 3)
        del first
        world.log._counters["SHOP-2026"] = 12
        for order_id, number in ((second, 9), (third, 9)):
            await forge(world, order_id, lambda invoice, number=number: replace(invoice, number=number))

        report = await look(world)

        assert ("number_missing", "4 to 8") in said(report)
        assert ("number_missing", "10 to 12") in said(report)
        assert ("number_twice", f"9 ({', '.join(sorted((second, third)))})") in said(report)
        world.log._counters["SHOP-2026"] = 1
        assert ("counter_behind", "1, and 9 is used") in said(await look(world))

    run_virtual(scenario)


def test_an_invoice_that_is_missing_is_named_only_after_its_grace() -> None:
    """The goods have left and billing is not running: late for an hour, missing afterwards."""

    async def scenario() -> None:
        world = World()
        world.wants = lambda queue, event_type: queue != "billing"
        (order_id,) = await completed(world)

        assert said(await look(world, later_s=HOUR_S - 1)) == []
        [found] = (await look(world, later_s=HOUR_S)).findings
        assert (found.kind, found.where) == ("not_invoiced", order_id)

    run_virtual(scenario)


def test_a_refund_that_is_not_credited_is_named_only_after_its_grace() -> None:
    """Also when the invoice came last: its grace begins with whichever of the two came second."""

    async def scenario() -> None:
        world = World()
        (order_id,) = await completed(world)
        world.wants = lambda queue, event_type: queue != "billing"
        await world.refund(order_id, line=1, quantity=1)
        await world.deliver()

        assert said(await look(world, later_s=HOUR_S - 1)) == []
        [found] = (await look(world, later_s=HOUR_S)).findings
        assert (found.kind, found.where) == ("not_credited", order_id)

    run_virtual(scenario)


@pytest.mark.parametrize(
    ("change", "kinds"),
    [
        (lambda invoice: replace(invoice, total_minor=80_000), ["invoiced_twice", "sums_differ", "wrong_total"]),
        (lambda invoice: replace(invoice, total_minor=100_000), ["invoiced_twice", "sums_differ", "wrong_total"]),
    ],
)
def test_an_invoice_over_another_sum_than_the_orders_is_named(change, kinds) -> None:
    """By its own total, and by the sums that do not meet."""

    async def scenario() -> None:
        world = World()
        (order_id,) = await completed(world)
        await forge(world, order_id, change)

        found = said(await look(world))

        assert [kind for kind, _ in found if kind != "number_twice"] == kinds

    run_virtual(scenario)


def test_taxes_that_do_not_add_up_to_their_document_are_named() -> None:
    """A rate that lacks a penny of the invoice's total; where no rates are said there is nothing to add."""

    async def scenario() -> None:
        world = World()
        (order_id,) = await completed(world)
        short = (e.TaxAmount(rate_percent=Decimal(19), net_minor=75_630, tax_minor=14_369),)
        await forge(world, order_id, lambda invoice: replace(invoice, number=2, taxes=short))

        found = [kind for kind, _ in said(await look(world))]
        assert "wrong_taxes" in found
        assert found.count("wrong_taxes") == 1

    run_virtual(scenario)


def test_two_invoices_of_one_order_are_named_also_under_one_number() -> None:
    """The same number twice in one order is as wrong as in two, and a second invoice is one too many whatever its number."""

    async def scenario() -> None:
        world = World()
        (order_id,) = await completed(world)
        await forge(world, order_id, lambda invoice: replace(invoice))

        assert said(await look(world)) == [
            ("invoiced_twice", "SHOP-2026-000001"),
            ("number_twice", f"1 ({order_id}, {order_id})"),
        ]

    run_virtual(scenario)


def test_an_invoice_before_any_goods_had_left_is_named() -> None:
    """Something else than billing wrote it: there is no trigger."""

    async def scenario() -> None:
        world = World()
        world.wants = lambda queue, event_type: False
        order_id = await world.place()
        (other,) = [await world.place()]
        del other
        moment = (await world.orders.load(order_id)).events[0].occurred_at
        await forge(
            world,
            order_id,
            lambda _none: e.InvoiceIssued(
                series="SHOP-2026",
                number=1,
                invoice_number="SHOP-2026-000001",
                total_minor=90_000,
                currency="USD",
                issued_at=moment,
                supplied_at=moment,
            ),
        )

        assert ("no_trigger", "SHOP-2026-000001") in said(await look(world))

    run_virtual(scenario)


def test_more_credit_than_was_invoiced_is_named() -> None:
    """A credit note that says more than its refund gave back."""

    async def scenario() -> None:
        world = World()
        (order_id,) = await completed(world)
        world.wants = lambda queue, event_type: queue != "billing"
        await world.refund(order_id, line=1, quantity=1)
        await world.deliver()
        refund = (await world.orders.load(order_id)).state.payment.refunds[0]
        await forge(
            world,
            order_id,
            lambda invoice: e.CreditNoteIssued(
                series="CREDIT-2026",
                number=1,
                credit_note_number="CREDIT-2026-000001",
                invoice_number=invoice.invoice_number,
                refund_id=refund.refund_id,
                total_minor=90_001,
                currency="USD",
                issued_at=invoice.issued_at,
            ),
        )

        assert ("credit_above_invoice", "SHOP-2026-000001") in said(await look(world))

    run_virtual(scenario)


def test_a_number_that_is_taken_while_the_log_is_read_is_no_gap() -> None:
    """The first pass sees the order before its invoice; the counter is read later; the second pass finds the document."""

    async def scenario() -> None:
        world = World()
        await completed(world, 2)
        world.wants = lambda queue, event_type: queue != "billing"
        late = await world.place()
        await world.deliver()
        honest = world.log.counter

        async def meanwhile(name: str) -> int:
            world.log.counter = honest  # type: ignore[method-assign]
            for queue, message in list(world.history):
                if queue == "billing" and late in message.body:
                    await world.handlers["billing"](message)
            return await honest(name)

        world.log.counter = meanwhile  # type: ignore[method-assign]
        report = await look(world, later_s=0)

        assert said(report) == []
        assert report.series == {"SHOP-2026": 3}

    run_virtual(scenario)


def test_an_order_that_cannot_be_read_is_named_and_the_rest_is_looked_at() -> None:
    """One broken order costs nobody else the look."""

    async def scenario() -> None:
        world = World()
        (order_id,) = await completed(world)
        stream = stream_of("test", order_id)
        commits = world.log._commits[stream]
        world.log._commits["no order"] = commits

        report = await look(world)

        assert [(found.kind, found.where) for found in report.findings] == [("unreadable_order", "no order")]
        assert report.documents == 1

    run_virtual(scenario)


def test_a_finding_says_where_and_what_and_what_it_means() -> None:
    """A line that somebody can act on."""
    found = Finding(kind="not_credited", where="o-1", about="r-1")

    assert str(found).startswith("o-1  not_credited  r-1: money was given back")
