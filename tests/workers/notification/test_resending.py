"""Telling again by hand: on record, with the first text, a bounded number of times, and never beside a try that is under way."""

from typing import Any

import orjson
import pytest

from tests.virtual_time import run_virtual
from tests.workers.notification.channel_fakes import ScriptedChannel
from tests.workers.world import TEXTS, World
from workers.notification.channels import NotDelivered, Refused
from workers.notification.email_channel import EmailChannel
from workers.notification.listing import all_told
from workers.notification.records import TableNotifications, record_of
from workers.notification.resending import (
    ChannelOff,
    NoSuchNotification,
    Resender,
    ResendRefused,
    ResentTooOften,
    StillUnderWay,
)
from workers.notification.routes import Route, Routes
from workers.notification.telling import NotToldYet, Telling


class Desk(World):
    """A world, and somebody who can tell things again."""

    def __init__(self, *channels: Any) -> None:
        super().__init__()
        self.records = TableNotifications(self.tables["notifications"], now_ms=self.now_ms)
        telling = Telling(self.records, TEXTS, open_contact=self.vault.open, now_ms=self.now_ms, observer=self.reports)
        mail = EmailChannel(self.mailbox, suppressions=self.suppressions)
        routes = Routes([Route(channel) for channel in channels or (mail,)], TEXTS)
        self.resender = Resender(self.orders, self.records, routes, telling)

    async def told(self) -> tuple[str, str]:
        """An order whose payment was told of by mail, and the notification's name."""
        order_id = await self.place()
        self.wants = lambda queue, event_type: queue == "payment" or event_type == "PaymentCompleted"
        await self.deliver()
        message = next(message for queue, message in self.history if queue == "notification")
        return order_id, f"{orjson.loads(message.body)['eventId']}:email"

    async def resend(self, order_id: str, name: str, reason: str = "ticket 7") -> Any:
        return await self.resender.resend(order_id, name, actor="ops", reason=reason)


def test_it_is_sent_again_with_the_first_text_and_stands_on_record() -> None:
    """The first record stays as it is; the resend says who asked and why, and does not make the event untold."""

    async def scenario() -> None:
        world = Desk()
        order_id, name = await world.told()
        again = await world.resend(order_id, name)
        first, second = world.mailbox.sent
        assert (first.subject, first.text, first.html) == (second.subject, second.text, second.html)
        assert second.notification_id == f"{name}:resend-1"
        assert (again.state, again.template, dict(again.resend)) == (
            "sent",
            "payment_completed.v1",
            {"by": "ops", "reason": "ticket 7"},
        )
        rows = [record_of(row) async for row in world.tables["notifications"].scan()]
        assert all_told(rows)
        assert len(rows) == 2

    run_virtual(scenario)


def test_a_resend_that_was_interrupted_is_brought_to_its_end_not_doubled() -> None:
    """Not sent: the same record is tried again; and a resend that is not over does not make the event untold."""

    async def scenario() -> None:
        channel = ScriptedChannel("email", NotDelivered("down"), needs_contact=True)
        world = Desk(channel)
        order_id, name = await world.told()
        with pytest.raises(NotToldYet):
            await world.resend(order_id, name)
        assert all_told([record_of(row) async for row in world.tables["notifications"].scan()])
        again = await world.resend(order_id, name, "once more")
        assert (again.notification, again.resend["reason"]) == (f"{name}:resend-1", "ticket 7")
        assert [note.notification_id for note in channel.notes] == [f"{name}:resend-1"] * 2

    run_virtual(scenario)


def test_somebody_on_the_suppression_list_is_not_written_to_by_hand_either() -> None:
    """Lift it first: that is on record."""

    async def scenario() -> None:
        world = Desk()
        order_id, name = await world.told()
        from workers.notification.suppression import Report

        await world.suppressions.add("email", "ada@example.com", Report(reason="bounce", source="ses", at_ms=1))
        again = await world.resend(order_id, name)
        assert (again.state, again.detail) == ("suppressed", "suppression_list:bounce")
        assert len(world.mailbox.sent) == 1

    run_virtual(scenario)


def test_what_makes_no_sense_is_refused_and_nothing_is_sent() -> None:
    """Each with what to do."""

    async def scenario() -> None:
        world = Desk()
        order_id, name = await world.told()
        event_id = name.partition(":")[0]
        cases: list[tuple[str, type[ResendRefused]]] = [
            ("nonsense", NoSuchNotification),
            (f"{event_id}:sms", NoSuchNotification),
            (f"{name}:resend-1", NoSuchNotification),
        ]
        for wrong, error in cases:
            with pytest.raises(error):
                await world.resend(order_id, wrong)
        await world.records.begin(order_id, f"{event_id}:slack", template="t", channel="slack", subject="")
        with pytest.raises(StillUnderWay):
            await world.resend(order_id, f"{event_id}:slack")
        record = await world.records.find(order_id, f"{event_id}:slack")
        assert record is not None
        await world.records.finish(record, "failed", detail="http 410")
        with pytest.raises(ChannelOff, match="ORDERSTORE_NOTIFICATION_CHANNELS"):
            await world.resend(order_id, f"{event_id}:slack")
        assert len(world.mailbox.sent) == 1

    run_virtual(scenario)


def test_nobody_is_told_the_same_thing_for_ever() -> None:
    """Five times; then a person should look why it does not arrive."""

    async def scenario() -> None:
        channel = ScriptedChannel("email", *[Refused("no")] * 9)
        world = Desk(channel)
        order_id, name = await world.told()
        for _ in range(5):
            assert (await world.resend(order_id, name)).state == "failed"
        with pytest.raises(ResentTooOften):
            await world.resend(order_id, name)
        assert len(channel.notes) == 5

    run_virtual(scenario)
