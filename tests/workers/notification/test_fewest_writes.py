"""What one event costs the notification department in reads and writes of its records, and that its promises need no more of them."""

import contextlib
from collections import Counter
from typing import Any

import anyio
import orjson
import pytest

from tests.virtual_time import run_virtual
from tests.workers.notification.channel_fakes import ScriptedChannel
from tests.workers.service_tables import KINDS, open_table
from tests.workers.world import World
from workers.notification.channels import Delivered, Delivery, NotDelivered, Refused, Suppressed
from workers.notification.records import FINAL_STATES, TableNotifications
from workers.notification.routes import Route
from workers.notification.telling import NotToldYet
from workers.runtime.outcome import Defer, Done
from workers.runtime.queue import Message

READS = ("get", "get_many", "beginning")
WRITES = ("put_new", "change", "transact")


class Told(World):
    """An order that was paid; mail and a repeatable channel tell of it."""

    def __init__(self, *script: Delivery | Exception, repeatable: bool = True) -> None:
        super().__init__()
        self.inbox = ScriptedChannel("inbox", *script, repeatable=repeatable)
        self.handler = self.department()
        self.calls: Counter[str] = Counter()

    def department(self) -> Any:
        table = self.tables["notifications"]
        return self.notifying(table, routes=[Route(self.inbox)], sandbox=True, observer=self.reports)

    async def paid(self) -> Message:
        await self.place()
        self.wants = lambda queue, event_type: queue == "payment"
        await self.deliver()
        return next(message for queue, message in self.history if queue == "notification")

    def count(self) -> None:
        table = self.tables["notifications"]
        for name in (*READS, *WRITES):
            real = getattr(table, name)

            async def counted(*arguments: Any, name: str = name, real: Any = real) -> Any:
                self.calls[name] += 1
                return await real(*arguments)

            setattr(table, name, counted)

    async def states(self) -> dict[str, str]:
        return {row["channel"]: row["state"] async for row in self.tables["notifications"].scan()}


def test_a_mail_costs_two_writes_a_note_in_the_app_one_and_both_together_one_read() -> None:
    """The record that is written first holds the claim already; a note's own write is its claim. A repeat reads once and writes nothing."""

    async def scenario() -> None:
        world = Told()
        message = await world.paid()
        world.count()
        assert await world.handler(message) == Done()
        assert world.calls == {"beginning": 1, "put_new": 2, "change": 1}
        assert await world.states() == {"email": "sent", "inbox": "sent"}
        world.calls.clear()
        assert await world.handler(message) == Done()
        assert world.calls == {"beginning": 1}
        assert (len(world.mailbox.sent), len(world.inbox.notes)) == (1, 1)

    run_virtual(scenario)


@pytest.mark.parametrize(
    ("delivery", "state"), [(Delivered("n"), "sent"), (Refused("no"), "failed"), (Suppressed("guest"), "suppressed")]
)
def test_the_one_record_of_a_repeatable_channel_says_all_that_the_others_say(delivery: Delivery, state: str) -> None:
    """`notifications ls` shows no difference: template, channels, when it began and ended, and the service's word."""

    async def scenario() -> None:
        world = Told(delivery)
        message = await world.paid()
        assert await world.handler(message) == Done()
        envelope = orjson.loads(message.body)
        records = TableNotifications(world.tables["notifications"], now_ms=world.now_ms)
        record = await records.find(envelope["orderId"], f"{envelope['eventId']}:inbox")
        assert record is not None
        assert (record.state, record.channels) == (state, ("email", "inbox"))
        assert record.begun_at_ms == record.finished_at_ms == world.time_ms
        assert record.template == "payment_completed.v1"
        assert record.detail
        assert world.reports.counts["notification", "inbox", state] == 1

    run_virtual(scenario)


def test_who_dies_between_a_note_and_its_record_puts_it_in_again_and_sends_no_second_mail() -> None:
    """The channel itself meets its own note; the mail has its own record."""  # E074

    async def scenario() -> None:
        world = Told()
        message = await world.paid()
        table = world.tables["notifications"]
        real = table.put_new

        async def dies(put: Any) -> Any:
            if put.key["notification"].endswith(":inbox"):
                raise ConnectionError("died")
            return await real(put)

        table.put_new = dies  # type: ignore[method-assign]  # the process dies before this write
        with contextlib.suppress(ConnectionError):
            await world.handler(message)
        table.put_new = real  # type: ignore[method-assign]  # and another takes over
        assert await world.states() == {"email": "sent"}
        assert await world.department()(message) == Done()
        assert await world.states() == {"email": "sent", "inbox": "sent"}
        assert len(world.mailbox.sent) == 1
        assert len({note.notification_id for note in world.inbox.notes}) == 1

    run_virtual(scenario)


def test_a_note_that_was_not_put_in_leaves_no_record_that_says_it_was() -> None:
    """The inbox is away: nothing is written for it, the mail goes out, and the next try tells."""

    async def scenario() -> None:
        world = Told(NotDelivered("away"))
        message = await world.paid()
        with pytest.raises(NotToldYet):
            await world.handler(message)
        assert await world.states() == {"email": "sent"}
        assert await world.handler(message) == Done()
        assert await world.states() == {"email": "sent", "inbox": "sent"}

    run_virtual(scenario)


@pytest.mark.parametrize("repeatable", [True, False])
def test_two_deliveries_at_once_send_one_mail_and_end_as_one(repeatable: bool) -> None:
    """Whoever writes the record sends; the other looks again and finds it done."""  # E031, E074

    async def scenario() -> None:
        world = Told(repeatable=repeatable)
        message = await world.paid()
        elsewhere = world.department()
        outcomes: list[object] = []

        async def deliver(handler: Any) -> None:
            outcomes.append(await handler(message))

        async with anyio.create_task_group() as group:
            group.start_soon(deliver, world.handler)
            group.start_soon(deliver, elsewhere)
        assert all(isinstance(outcome, Done | Defer) for outcome in outcomes)
        assert await world.handler(message) == Done()
        assert len(world.mailbox.sent) == 1
        assert len({note.notification_id for note in world.inbox.notes}) == 1
        assert repeatable or len(world.inbox.notes) == 1
        assert set((await world.states()).values()) <= FINAL_STATES

    run_virtual(scenario)


def test_a_record_that_an_older_build_began_is_brought_to_its_end_by_the_same_rules() -> None:
    """It wrote `pending` for the inbox before it told; the note is told, and the record moves on."""

    async def scenario() -> None:
        world = Told()
        message = await world.paid()
        envelope = orjson.loads(message.body)
        records = TableNotifications(world.tables["notifications"], now_ms=world.now_ms)
        for channel in ("email", "inbox"):
            await records.begin(
                envelope["orderId"],
                f"{envelope['eventId']}:{channel}",
                template="payment_completed.v1",
                channel=channel,
                subject="s",
                channels=("email", "inbox"),
            )
        assert await world.handler(message) == Done()
        assert await world.states() == {"email": "sent", "inbox": "sent"}
        assert (len(world.mailbox.sent), len(world.inbox.notes)) == (1, 1)

    run_virtual(scenario)


def test_a_chat_is_too_late_by_the_time_at_which_it_was_first_heard_of_also_while_its_breaker_is_open() -> None:
    """Its record is begun before the breaker is asked: whoever comes back after hours of outage is not told of yesterday."""

    async def scenario() -> None:
        world = World()
        order_id = await world.place()
        world.wants = lambda queue, event_type: False
        await world.hold(order_id, "hold-1")
        held = next(
            message
            for queue, message in world.history
            if queue == "notification" and orjson.loads(message.body)["eventType"] == "OrderHeld"
        )
        chat = ScriptedChannel("slack", patience_s=3_600)
        open_breaker = [True]

        def guard(handler: Any, channel: str) -> Any:
            async def guarded(message: Any) -> Any:
                return Defer(60) if open_breaker[0] else await handler(message)

            return guarded

        handler = world.notifying(world.tables["notifications"], routes=[Route(chat)], sandbox=True, guard=guard)
        assert await handler(held) == Defer(60)
        world.time_ms += 3_601_000
        open_breaker[0] = False
        assert await handler(held) == Done()
        assert chat.notes == []
        rows = [row async for row in world.tables["notifications"].scan()]
        assert [(row["channel"], row["state"], row["detail"]) for row in rows] == [("slack", "failed", "too_late")]

    run_virtual(scenario)


@pytest.mark.parametrize("kind", KINDS)
async def test_the_records_of_an_event_are_found_by_one_query_and_resends_are_none_of_them(
    kind: str, request: pytest.FixtureRequest
) -> None:
    """Neither another event's, nor another order's; the first that was begun in front."""
    async with open_table(kind, "notifications", request) as table:
        now_ms = [0]
        records = TableNotifications(table, now_ms=lambda: now_ms[0])
        named = {"template": "t.v1", "subject": "s"}
        for begun_at_ms, order, name, channel in (
            (3_000, "o", "e1:email", "email"),
            (4_000, "o", "e1:email:resend-1", "email"),
            (2_000, "o", "e1:inbox", "inbox"),
            (1_000, "o", "e10:email", "email"),
            (1_000, "p", "e1:email", "email"),
        ):
            now_ms[0] = begun_at_ms
            await records.begin(order, name, channel=channel, **named)
        found = await records.of_event("o", "e1")
        assert [(record.notification, record.begun_at_ms) for record in found] == [
            ("e1:inbox", 2_000),
            ("e1:email", 3_000),
        ]
        assert await records.of_event("o", "e2") == ()
