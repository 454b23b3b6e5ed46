"""The notification worker: one record, one mail, no address kept, and never a hand on the order."""

import contextlib

import orjson
import pytest

from orderstore.domain.events import SealedText
from orderstore.privacy.keys import KeyErased
from orderstore.registry import consumed_by
from tests.virtual_time import run_virtual
from tests.workers.world import World
from workers.notification.mail import MailNotSent, MailRefused, MailUncertain
from workers.notification.telling import NotToldYet, PerhapsTold
from workers.notification.texts import TEMPLATES
from workers.reaction import EventNotInOrder
from workers.runtime.outcome import Defer, Done


def sending(world: World, *errors: Exception) -> None:
    """The mail service raises these, one per call, and then works."""
    left, real = list(errors), world.mailbox.send

    async def send(mail):
        if left:
            raise left.pop(0)
        return await real(mail)

    world.mailbox.send = send  # type: ignore[method-assign]


async def paid(world: World, **fields) -> str:
    """An order with one message for the notification worker: PaymentCompleted."""
    order_id = await world.place(**fields)
    world.wants = lambda queue, event_type: queue == "payment"
    await world.deliver()
    return order_id


def message_of(world: World):
    return next(message for queue, message in world.history if queue == "notification")


async def rows(world: World) -> list[dict[str, object]]:
    return [dict(row) async for row in world.tables["notifications"].scan()]


def test_the_customer_is_told_once_and_the_record_keeps_no_address() -> None:
    """One record per event and channel, named by both; whom it was for is a reference to a key."""  # E025, E026, D31

    async def scenario() -> None:
        world = World()
        order_id = await paid(world)
        for _ in range(3):
            assert await world.handlers["notification"](message_of(world)) == Done()

        (mail,) = world.mailbox.sent
        (row,) = await rows(world)
        event_id = orjson.loads(message_of(world).body)["eventId"]
        assert (mail.to, mail.notification_id) == ("ada@example.com", f"{event_id}:email")
        assert "Ada" in mail.text
        assert "900.00 USD" in mail.text
        assert (row["order"], row["notification"]) == (order_id, f"{event_id}:email")
        assert (row["state"], row["template"], row["subject"]) == (
            "sent",
            "payment_completed.v1",
            "customer:customer-1",
        )
        assert "ada" not in str(row).lower()
        assert world.reports.counts["notification", "email", "sent"] == 1
        assert world.reports.counts["nothing_to_do", "notification", "PaymentCompleted"] == 2

    run_virtual(scenario)


def test_a_customer_without_an_address_has_a_record_that_says_so() -> None:
    """Guests of a shop's till left no address; a name alone is none either."""

    async def scenario() -> None:
        for fields, reason in (
            ({"customerEmail": None, "customerName": None}, "no_contact"),
            ({"customerEmail": None}, "no_address"),
        ):
            world = World()
            await paid(world, **fields)
            assert await world.handlers["notification"](message_of(world)) == Done()
            (row,) = await rows(world)
            assert (row["state"], row["detail"]) == ("suppressed", reason)
            assert world.mailbox.sent == []

    run_virtual(scenario)


def test_an_erased_customer_is_not_written_to() -> None:
    """The key is gone: suppressed, not failed, not retried."""

    async def scenario() -> None:
        world = World()
        await paid(world)

        async def erased(sealed: SealedText, purpose: str) -> bytes:
            raise KeyErased(sealed.subject)

        world.handlers["notification"]._telling._open_contact = erased
        assert await world.handlers["notification"](message_of(world)) == Done()
        (row,) = await rows(world)
        assert (row["state"], row["detail"]) == ("suppressed", "erased")

    run_virtual(scenario)


def test_a_mail_that_is_refused_for_good_fails_alone() -> None:
    """The order goes on to its end, and only the notification's record says failed."""  # D10, D62

    async def scenario() -> None:
        world = World()
        sending(world, *[MailRefused("MessageRejected")] * 100)
        order_id = await world.place()
        await world.deliver()

        assert await world.status(order_id) == "Completed"
        assert await world.notifications() == {"failed": 3}
        assert world.errors == []

    run_virtual(scenario)


def test_the_log_is_never_touched_whatever_the_mail_service_does() -> None:
    """The handler reads the order and appends nothing."""  # D10

    async def scenario() -> None:
        world = World()
        order_id = await paid(world)
        before = await world.events(order_id)
        world.faults.armed = True
        for error in (MailNotSent("throttled"), MailUncertain("time-out"), MailRefused("rejected")):
            sending(world, error)
            world.time_ms += 120_000
            with contextlib.suppress(NotToldYet, PerhapsTold):
                await world.handlers["notification"](message_of(world))
        assert "log.append" not in world.faults.names[world.faults.names.index("mail.send") :]
        assert await world.events(order_id) == before

    run_virtual(scenario)


def test_what_was_surely_not_sent_is_tried_again_at_once() -> None:
    """Throttled by SES: the next delivery sends, and the customer has one mail."""  # E058

    async def scenario() -> None:
        world = World()
        await paid(world)
        sending(world, MailNotSent("TooManyRequestsException"))
        with pytest.raises(NotToldYet):
            await world.handlers["notification"](message_of(world))
        assert await world.notifications() == {"pending": 1}
        assert await world.handlers["notification"](message_of(world)) == Done()
        assert len(world.mailbox.sent) == 1

    run_virtual(scenario)


def test_what_may_have_been_sent_waits_until_its_claim_has_run_out() -> None:
    """A second worker does not mail while the first may still be at it."""

    async def scenario() -> None:
        world = World()
        await paid(world)
        sending(world, MailUncertain("time-out"))
        with pytest.raises(PerhapsTold):
            await world.handlers["notification"](message_of(world))
        world.time_ms += 20_000
        assert await world.elsewhere["notification"](message_of(world)) == Defer(3.0)
        world.time_ms += 40_000
        assert await world.elsewhere["notification"](message_of(world)) == Done()
        assert len(world.mailbox.sent) == 1

    run_virtual(scenario)


def test_every_event_that_the_queue_lets_through_has_a_text() -> None:
    """And every text belongs to one of them."""  # E024, E048
    assert set(TEMPLATES) == set(consumed_by("notification"))


def test_an_event_that_is_not_in_the_log_is_refused() -> None:
    """A message is a hint: what is mailed comes from the log."""

    async def scenario() -> None:
        world = World()
        await paid(world)
        forged = orjson.loads(message_of(world).body) | {"eventId": "00000000-0000-0000-0000-000000000000"}
        world.send("notification", orjson.dumps(forged).decode())
        with pytest.raises(EventNotInOrder):
            await world.handlers["notification"](world.messages[-1][1])
        assert world.mailbox.sent == []

    run_virtual(scenario)


def test_a_name_with_line_breaks_or_markup_changes_nothing_but_itself() -> None:
    """The subject is one line; the body is plain text."""

    async def scenario() -> None:
        world = World()
        await paid(world, customerName="{{ 7 * 7 }} <b>Ada</b>", reference="REF 1")
        await world.handlers["notification"](message_of(world))
        (mail,) = world.mailbox.sent
        assert mail.subject == "We have your payment for order REF 1"
        assert "{{ 7 * 7 }} <b>Ada</b>" in mail.text

    run_virtual(scenario)
