"""The channel `inbox`: one note for each event, whatever is repeated, with nothing in it that the order does not say itself."""

from collections.abc import Sequence
from datetime import UTC, datetime
from random import Random

import pytest

from orderstore.domain.events import OrderCreated
from orderstore.domain.ids import EventId, OrderId
from orderstore.recorded import Actor, Recorded
from orderstore.registry import consumed_by
from tests.builders import PAID, order_created
from tests.virtual_time import run_virtual
from tests.workers.notification.channel_fakes import OPERATORS_ONLY
from workers.inbox.memory import MemoryInboxTable
from workers.inbox.reading import InboxErasure, Inboxes
from workers.inbox.writing import InboxWriter
from workers.notification.channels import Delivered, NotDelivered, Note, Suppressed
from workers.notification.inbox import InboxChannel
from workers.notification.texts import Texts, template_for
from workers.tables.errors import TableUnavailable
from workers.tables.port import Operation

RECORDED_AT_MS = 1_780_000_000_123
EVENT_ID = "6f0c0ac4-5a7c-5b11-8f2e-0d7a4f6f0009"


def recorded(**changes: object) -> Recorded:
    values = {
        "event_id": EventId(EVENT_ID),
        "name": "PaymentCompleted",
        "event_version": "1.0",
        "tenant": "main",
        "order_id": OrderId(order_created().order_id),
        "version": 2,
        "commit": 2,
        "occurred_at": datetime(2026, 3, 1, tzinfo=UTC),
        "recorded_at_ms": RECORDED_AT_MS,
        "correlation_id": "c",
        "causation_id": "d",
        "actor": Actor("service", "payment"),
        "source": "payment",
        "traceparent": None,
        "event": PAID,
    }
    return Recorded(**{**values, **changes})  # type: ignore[arg-type]  # a test's own values


def note(order: OrderCreated, event: Recorded) -> Note:
    template = template_for(event.name)
    assert template is not None
    rendered = Texts().render(template, "inbox", order=order, event=event.event, name=None)
    return Note(
        notification_id=f"{event.event_id}:inbox",
        order_id=order.order_id,
        customer_id=order.customer_id,
        event=event,
        template=template,
        subject=rendered.subject,
        text=rendered.text,
    )


class LosingTable(MemoryInboxTable):
    """It stores, and then the answer is lost."""

    lose = 0

    async def transact(self, operations: Sequence[Operation]) -> None:
        await super().transact(operations)
        if self.lose:
            self.lose -= 1
            raise TableUnavailable("TransactWriteItems: ReadTimeoutError")


def channel_over(table: MemoryInboxTable) -> tuple[InboxChannel, Inboxes]:
    writer = InboxWriter(table, now_ms=lambda: RECORDED_AT_MS + 5_000, random=Random(1), kept_days=90)
    return InboxChannel(writer), Inboxes(table, tenant="main", now_ms=lambda: RECORDED_AT_MS)


def test_an_event_is_one_note_however_often_it_is_delivered() -> None:
    """Its id follows from the event; the reference in the record is that id."""  # E031

    async def scenario() -> None:
        channel, inboxes = channel_over(MemoryInboxTable())
        told = note(order_created(), recorded())
        for _ in range(3):
            assert await channel.deliver(told) == Delivered(f"{RECORDED_AT_MS}-{EVENT_ID}")
        ((shown,), end) = await inboxes.page("customer-1", before=None, limit=9)
        assert end is None
        assert shown == {
            "id": f"{RECORDED_AT_MS}-{EVENT_ID}",
            "number": 1,
            "orderId": order_created().order_id,
            "eventId": EVENT_ID,
            "eventType": "PaymentCompleted",
            "title": f"We have your payment for order {order_created().order_id}",
            "text": "Your payment of 900.00 USD went through.\n",
            "createdAt": "2026-05-28T20:26:45.123Z",
            "readAt": None,
        }

    run_virtual(scenario)


def test_an_answer_that_was_lost_is_found_out_by_the_next_try() -> None:
    """So whatever goes wrong with the table may be tried again at once."""

    async def scenario() -> None:
        table = LosingTable()
        channel, inboxes = channel_over(table)
        table.lose = 1
        told = note(order_created(), recorded())
        assert await channel.deliver(told) == NotDelivered("TableUnavailable")
        assert isinstance(await channel.deliver(told), Delivered)
        assert [one["number"] for one in await inboxes.after("customer-1", 0, limit=9)] == [1]

    run_virtual(scenario)


def test_a_guest_and_an_erased_customer_are_not_told() -> None:
    """Nobody could ask for the one's inbox, and the other's is closed."""

    async def scenario() -> None:
        table = MemoryInboxTable()
        channel, inboxes = channel_over(table)
        assert await channel.deliver(note(order_created(customer_id=None), recorded())) == Suppressed("guest")
        writer = InboxWriter(table, now_ms=lambda: 0, random=Random(1), kept_days=90)
        await InboxErasure(table, writer, tenant="main").forget("customer:customer-1")
        assert await channel.deliver(note(order_created(), recorded())) == Suppressed("erased")
        assert (await inboxes.page("customer-1", before=None, limit=9))[0] == []

    run_virtual(scenario)


@pytest.mark.parametrize("event_type", sorted(set(consumed_by("notification")) - OPERATORS_ONLY))
def test_every_event_that_customers_are_told_of_has_a_text_for_the_app(event_type: str) -> None:
    """Holds and disputes are the operators' business."""
    template = template_for(event_type)
    assert template is not None
    assert Texts().has(template, "inbox")


def test_the_channel_asks_for_nothing_personal() -> None:
    """What is kept for months is rendered without a name: its texts do not even know the word."""
    from importlib.resources import files

    assert InboxChannel.needs_contact is False
    texts = [path for path in files("workers.notification").joinpath("templates").iterdir() if ".inbox." in path.name]
    assert len(texts) >= 8
    for path in texts:
        assert "name" not in path.read_text()
