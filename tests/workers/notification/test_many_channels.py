"""One event, many channels: each has its own record, its own troubles and its own end; none touches another, and none the order."""

import contextlib
import random
from typing import Any

import anyio
import orjson
import pytest

from tests.virtual_time import run_virtual
from tests.workers.notification.channel_fakes import ScriptedChannel
from tests.workers.world import World
from workers.notification.channels import Delivered, NotDelivered, Refused, Suppressed, Uncertain
from workers.notification.handler import NotificationHandler
from workers.notification.listing import all_told
from workers.notification.mail import MailNotSent
from workers.notification.records import TableNotifications, record_of
from workers.notification.routes import Route, Routes
from workers.notification.telling import NotToldYet, PerhapsTold
from workers.notification.texts import Texts
from workers.runtime.breaker import BreakerSettings, Guarded
from workers.runtime.outcome import Defer, Done
from workers.tables.errors import TableThrottled, TableUnavailable

TEXTS = Texts()
BOTH = frozenset({"PaymentCompleted"})


class Told(World):
    """A world whose notification department has a chat beside the mail, and one message for it."""

    def __init__(self, *script: Any, guard: Any = None, **channel: Any) -> None:
        super().__init__()
        self.chat = ScriptedChannel("slack", *script, **channel)
        self.order_id = ""
        self.handler = self.department(guard=guard)

    def department(self, **common: Any) -> NotificationHandler:
        routes = [Route(self.chat, BOTH)]
        return self.notifying(
            self.tables["notifications"], routes=routes, sandbox=True, observer=self.reports, **common
        )

    async def begun(self, **fields: Any) -> Any:
        self.order_id = await self.place(**fields)
        self.wants = lambda queue, event_type: queue == "payment"
        await self.deliver()
        return next(message for queue, message in self.history if queue == "notification")

    async def states(self) -> dict[str, str]:
        return {row["channel"]: row["state"] async for row in self.tables["notifications"].scan()}

    async def all_told(self) -> bool:
        return all_told([record_of(row) async for row in self.tables["notifications"].scan()])


def test_each_channel_has_a_record_of_its_own() -> None:
    """Named by the event and the channel; each remembers by which channels the event is told."""  # E025, E026, E029

    async def scenario() -> None:
        world = Told()
        message = await world.begun()
        assert await world.handler(message) == Done()
        event_id = orjson.loads(message.body)["eventId"]
        rows = [row async for row in world.tables["notifications"].scan()]
        assert {row["notification"] for row in rows} == {f"{event_id}:email", f"{event_id}:slack"}
        assert {tuple(row["channels"]) for row in rows} == {("email", "slack")}
        assert await world.states() == {"email": "sent", "slack": "sent"}
        (note,) = world.chat.notes
        assert (note.subject, note.contact, note.customer_id) == ("Payment received", None, "customer-1")
        assert "Ada" not in note.text

    run_virtual(scenario)


@pytest.mark.parametrize(
    ("trouble", "raised", "state"),
    [
        (NotDelivered("http 503"), NotToldYet, "pending"),
        (Uncertain("TimeoutError"), PerhapsTold, "sending"),
        (RuntimeError("a bug"), RuntimeError, "sending"),
    ],
    ids=["not sent", "uncertain", "a bug"],
)
def test_a_channel_that_fails_is_tried_again_without_the_others(trouble: Any, raised: type, state: str) -> None:
    """The mail is not sent twice because a chat is down, and not once less."""  # E074

    async def scenario() -> None:
        world = Told(trouble)
        message = await world.begun()
        with pytest.raises(raised):
            await world.handler(message)
        assert await world.states() == {"email": "sent", "slack": state}
        assert not await world.all_told()
        world.time_ms += 61_000
        assert await world.handler(message) == Done()
        assert await world.states() == {"email": "sent", "slack": "sent"}
        assert await world.all_told()
        assert (len(world.mailbox.sent), len(world.chat.notes)) == (1, 2)

    run_virtual(scenario)


def test_a_refused_or_suppressed_channel_ends_and_the_other_goes_on() -> None:
    """Both ends count as told: there is nothing left to do."""

    async def scenario() -> None:
        for answer, state in ((Refused("http 410"), "failed"), (Suppressed("opted_out"), "suppressed")):
            world = Told(answer)
            assert await world.handler(await world.begun()) == Done()
            assert await world.states() == {"email": "sent", "slack": state}
            assert await world.all_told()

    run_virtual(scenario)


def test_a_service_that_asks_for_patience_is_left_alone_for_so_long() -> None:
    """Retry-After is kept, the message is held and burns no receive; a day's patience is not granted."""  # E058

    async def scenario() -> None:
        for asked, granted in ((17.0, 17.0), (86_400.0, 900.0), (-5.0, 0.0)):
            world = Told(NotDelivered("http 429", asked))
            message = await world.begun()
            assert await world.handler(message) == Defer(granted)
            assert await world.states() == {"email": "sent", "slack": "pending"}
            assert await world.handler(message) == Done()

    run_virtual(scenario)


def test_a_channel_that_hangs_holds_no_other_up() -> None:
    """They run side by side: the mail is out while the chat still thinks."""

    async def scenario() -> None:
        world = Told()
        world.chat.takes_s = 3_600.0
        message = await world.begun()
        with anyio.move_on_after(10):
            await world.handler(message)
        assert await world.states() == {"email": "sent", "slack": "sending"}

    run_virtual(scenario)


def test_an_outage_of_one_channel_opens_its_breaker_alone() -> None:
    """With the breakers of the real service: the chat's messages wait, the mails of all orders go out."""  # D12

    async def scenario() -> None:
        def guard(handler: Any, channel: str) -> Guarded:
            settings = BreakerSettings(failures_to_open=3, answer_within_s=5)
            return Guarded(
                handler,
                is_outage=lambda error: isinstance(error, NotToldYet | PerhapsTold),
                source=random.Random(4),
                settings=settings,
            )

        world = Told(*[NotDelivered("down")] * 50, guard=guard)
        messages = []
        for _ in range(20):
            messages.append(await world.begun())
            world.history.clear()
        for message in messages:
            assert isinstance(await world.handler(message), Defer)
        assert len(world.mailbox.sent) == 20
        assert len(world.chat.notes) < 6, "an open breaker lets only probes through"
        world.chat.script.clear()
        for _ in range(200):
            outcomes = [await world.handler(message) for message in messages]
            if all(outcome == Done() for outcome in outcomes):
                break
            await anyio.sleep(5)
            world.time_ms += 5_000
        else:
            raise AssertionError("the chat never recovered")
        assert len(world.mailbox.sent) == 20
        assert {note.order_id for note in world.chat.notes if note} == {
            row["order"] async for row in world.tables["notifications"].scan()
        }

    run_virtual(scenario)


def test_a_claim_is_taken_over_only_when_its_holder_must_be_dead() -> None:
    """Dead between the claim and the answer: another waits, then tells; the other channel waits for nothing."""  # E074

    async def scenario() -> None:
        world = Told()
        world.chat.takes_s = 3_600.0
        message = await world.begun()
        with anyio.move_on_after(1):  # and the process is gone
            await world.handler(message)
        world.chat.takes_s = 0.0
        elsewhere = world.department()
        world.time_ms += 59_000
        assert await elsewhere(message) == Defer(1.0)
        assert world.chat.notes == []
        world.time_ms += 1_000
        assert await elsewhere(message) == Done()
        assert await world.states() == {"email": "sent", "slack": "sent"}
        assert (len(world.mailbox.sent), len(world.chat.notes)) == (1, 1)

    run_virtual(scenario)


def test_what_the_service_has_told_of_is_not_sent_again_after_a_death() -> None:
    """Dead after SES took the mail: its delivery report says that it left, so nobody sends it a second time."""  # E074

    async def scenario() -> None:
        world = World()
        order_id = await world.place()
        world.wants = lambda queue, event_type: queue == "payment"
        await world.deliver()
        message = next(message for queue, message in world.history if queue == "notification")
        real = world.mailbox.send

        async def dies(mail: Any) -> str:
            await real(mail)
            raise KeyboardInterrupt

        world.mailbox.send = dies  # type: ignore[method-assign]  # the process dies after the service took it
        with contextlib.suppress(KeyboardInterrupt, BaseExceptionGroup):
            await world.handlers["notification"](message)
        world.mailbox.send = real  # type: ignore[method-assign]  # and back
        records = TableNotifications(world.tables["notifications"], now_ms=world.now_ms)
        name = f"{orjson.loads(message.body)['eventId']}:email"
        assert await records.came_back(order_id, name, "delivered", at_ms=world.time_ms)
        world.time_ms += 1_000
        assert await world.elsewhere["notification"](message) == Done()
        assert len(world.mailbox.sent) == 1
        found = await records.find(order_id, name)
        assert found is not None
        assert (found.state, found.shown_state) == ("sent", "delivered")

    run_virtual(scenario)


def test_the_channels_are_decided_once_whatever_the_settings_say_later() -> None:
    """A redelivery after a deployment adds no channel to an old event, and ends what is configured no longer."""

    async def scenario() -> None:
        world = Told(NotDelivered("down"))
        message = await world.begun()
        with pytest.raises(NotToldYet):
            await world.handler(message)
        without = world.notifying(world.tables["notifications"], sandbox=True)
        assert await without(message) == Done()
        assert await world.states() == {"email": "sent", "slack": "suppressed"}
        more = ScriptedChannel("teams")
        wider = world.notifying(world.tables["notifications"], routes=[Route(world.chat), Route(more)], sandbox=True)
        assert await wider(message) == Done()
        assert more.notes == []
        assert await world.all_told()

    run_virtual(scenario)


def test_a_record_from_before_there_were_channels_stands_for_itself() -> None:
    """An order that was told of by mail under the last release is not told of by chat under this one."""

    async def scenario() -> None:
        world = Told()
        message = await world.begun()
        event_id = orjson.loads(message.body)["eventId"]
        records = TableNotifications(world.tables["notifications"], now_ms=world.now_ms)
        old = await records.begin(
            world.order_id, f"{event_id}:email", template="payment_completed.v1", channel="email", subject="s"
        )
        assert old.channels == ()
        assert await world.handler(message) == Done()
        assert world.chat.notes == []
        assert await world.all_told()

    run_virtual(scenario)


def test_an_event_is_not_told_of_before_every_planned_channel_has_ended() -> None:
    """A death between the first record and the second: what is missing is missed."""

    async def scenario() -> None:
        world = Told()
        await world.begun()
        records = TableNotifications(world.tables["notifications"], now_ms=world.now_ms)
        plan = ("email", "slack")
        first = await records.begin("o", "e:email", template="t.v1", channel="email", subject="", channels=plan)
        claimed = await records.claim(first)
        assert claimed is not None
        assert await records.finish(claimed, "sent", detail="1")
        assert not await world.all_told()

    run_virtual(scenario)


def test_what_came_too_late_is_not_told_any_more() -> None:
    """Operators need no message of yesterday; a customer's mail has no such bound."""

    async def scenario() -> None:
        world = Told(NotDelivered("down"), patience_s=3_600)
        message = await world.begun()
        with pytest.raises(NotToldYet):
            await world.handler(message)
        world.time_ms += 3_601_000
        assert await world.handler(message) == Done()
        assert await world.states() == {"email": "sent", "slack": "failed"}
        assert len(world.chat.notes) == 1

    run_virtual(scenario)


def test_no_channel_ever_touches_the_order_whatever_becomes_of_it() -> None:
    """All troubles of both channels, one after the other: the order completes, and its log is what it would have been."""  # D10, D62

    async def scenario() -> None:
        quiet = World()
        calm = await quiet.place()
        await quiet.deliver()

        for script in (
            [NotDelivered("x")] * 3,
            [Uncertain("x")] * 3,
            [Refused("x")] * 9,
            [Suppressed("x")] * 9,
            [RuntimeError("x")] * 3,
            [Delivered("x"), NotDelivered("x", 5.0)] * 3,
        ):
            world = World()
            chat = ScriptedChannel("slack", *script)
            handler = world.notifying(world.tables["notifications"], routes=[Route(chat)], sandbox=True)
            world.handlers["notification"] = handler
            real, left = world.mailbox.send, [MailNotSent("paused")] * 3

            async def send(mail: Any, left: list[Exception] = left, real: Any = real) -> str:
                if left:
                    raise left.pop()
                return await real(mail)

            world.mailbox.send = send  # type: ignore[method-assign]  # paused for a while
            order_id = await world.place()
            await world.deliver()
            assert await world.status(order_id) == "Completed"
            assert await world.events(order_id) == await quiet.events(calm)
            assert {row["state"] async for row in world.tables["notifications"].scan()} <= {
                "sent",
                "failed",
                "suppressed",
            }

    run_virtual(scenario)


def test_deaths_at_every_call_tell_by_each_channel_at_least_once_and_hardly_ever_twice() -> None:
    """Killed at each write in turn; redelivered, it ends. Twice only where it died between the answer and its record."""  # E074

    async def scenario() -> None:
        for at in range(1, 12):
            world = Told()
            message = await world.begun()
            calls = 0
            table = world.tables["notifications"]
            reals = {name: getattr(table, name) for name in ("put_new", "change")}

            def dying(name: str, at: int = at, reals: dict[str, Any] = reals) -> Any:
                async def called(*arguments: Any) -> Any:
                    nonlocal calls
                    calls += 1
                    if calls == at:
                        raise ConnectionError("died")
                    return await reals[name](*arguments)

                return called

            for name in reals:
                setattr(table, name, dying(name))
            for _ in range(3):
                with contextlib.suppress(ConnectionError):
                    await world.handler(message)
                world.time_ms += 61_000
            for name, real in reals.items():
                setattr(table, name, real)
            assert await world.handler(message) == Done()
            assert await world.states() == {"email": "sent", "slack": "sent"}, at
            told = (len(world.mailbox.sent), len(world.chat.notes))
            assert sum(told) <= 3, (at, told)
            assert min(told) == 1

    run_virtual(scenario)


def test_two_channels_of_one_name_are_a_mistake_of_the_composer() -> None:
    """One would hide the other's records."""
    with pytest.raises(ValueError, match="same name"):
        Routes([Route(ScriptedChannel("slack")), Route(ScriptedChannel("slack"))], TEXTS)


def test_a_channel_is_planned_only_for_events_that_it_has_a_text_for() -> None:
    """Customers have no text that their order is held: that is operators' business."""
    routes = Routes([Route(ScriptedChannel("email")), Route(ScriptedChannel("slack"), frozenset({"OrderHeld"}))], TEXTS)
    held, paid = routes.plan("OrderHeld"), routes.plan("PaymentCompleted")
    assert held is not None
    assert paid is not None
    assert (held.channels, paid.channels) == (("slack",), ("email",))
    assert routes.plan("OrderCompleted") is None


@pytest.mark.parametrize("landed", [False, True], ids=["not written", "written, and the answer lost"])
def test_a_table_that_throttles_after_the_mail_left_does_not_make_it_leave_twice(landed: bool) -> None:
    """The end is written down again and again: a repeat of a write that had landed finds its own."""  # E074

    async def scenario() -> None:
        world = Told()
        message = await world.begun()
        table, left = world.tables["notifications"], [TableThrottled("slower"), TableUnavailable("gone")]
        real = table.change

        async def change(asked: Any) -> None:
            if asked.assign.get("state") == "sent" and left:
                if landed:
                    await real(asked)
                raise left.pop()
            await real(asked)

        table.change = change  # type: ignore[method-assign]  # it throttles for a while
        assert await world.handler(message) == Done()
        assert await world.states() == {"email": "sent", "slack": "sent"}
        assert (len(world.mailbox.sent), len(world.chat.notes)) == (1, 1)

    run_virtual(scenario)


@pytest.mark.parametrize("kept", [True, False], ids=["beside the mail", "without the mail"])
def test_what_was_decided_stands_also_when_another_channel_comes_first_now(kept: bool) -> None:
    """The setting was put in another order, or its first channel taken out, before a redelivery: nobody is told by a way not meant."""

    async def scenario() -> None:
        world = Told()
        message = await world.begun()
        assert await world.handler(message) == Done()
        early = ScriptedChannel("inbox")
        mail = world.notifying(world.tables["notifications"], sandbox=True)._routes.channel("email")
        assert mail is not None
        routes = [Route(early), Route(world.chat, BOTH), *([Route(mail)] if kept else [])]
        after = NotificationHandler(
            world.orders,
            records=TableNotifications(world.tables["notifications"], now_ms=world.now_ms),
            routes=Routes(routes, TEXTS),
            telling=world.handler._telling,
            sandbox=True,
        )
        assert await after(message) == Done()
        assert early.notes == []
        assert (len(world.mailbox.sent), len(world.chat.notes)) == (1, 1)
        assert await world.states() == {"email": "sent", "slack": "sent"}

    run_virtual(scenario)


def test_a_mail_that_was_begun_is_not_forgotten_when_another_channel_comes_first_now() -> None:
    """It could not be sent, and now the setting says inbox before email: it is sent by the redelivery all the same."""

    async def scenario() -> None:
        world = Told()
        message = await world.begun()
        mail = ScriptedChannel("email", NotDelivered("down"))
        first = ScriptedChannel("inbox")

        def department(*channels: ScriptedChannel) -> NotificationHandler:
            return NotificationHandler(
                world.orders,
                records=TableNotifications(world.tables["notifications"], now_ms=world.now_ms),
                routes=Routes([Route(channel) for channel in channels], TEXTS),
                telling=world.handler._telling,
                sandbox=True,
            )

        with pytest.raises(NotToldYet):
            await department(mail)(message)
        assert await department(first)(message) == Done()
        assert first.notes == []
        assert await world.states() == {"email": "suppressed"}

    run_virtual(scenario)
