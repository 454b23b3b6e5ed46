"""Who is cut off while a mail is on its way may still write down that it left; who stood still after claiming does not send."""

import anyio
import pytest

from tests.virtual_time import run_virtual
from tests.workers.notification.test_notification_handler import message_of, paid, rows
from tests.workers.world import World
from workers.notification.last_words import with_last_words
from workers.runtime.outcome import Defer, Done


@pytest.mark.parametrize("answer_s", [0.2, 2.5])
def test_a_handler_that_is_cancelled_while_the_mail_is_on_its_way_is_told_of_once(answer_s: float) -> None:
    """A stop, a deadline, a lost message: the mail service answers a moment later, the record says sent, and nobody sends it again."""

    async def scenario() -> None:
        world = World()
        await paid(world)
        real = world.mailbox.send

        async def send(mail):
            taken = await real(mail)
            await anyio.sleep(answer_s)
            return taken

        world.mailbox.send = send
        with anyio.move_on_after(0.1) as cut:
            await world.handlers["notification"](message_of(world))
        assert cut.cancelled_caught
        (row,) = await rows(world)
        assert row["state"] == "sent"
        world.time_ms += 3_600_000
        assert await world.handlers["notification"](message_of(world)) == Done()
        assert len(world.mailbox.sent) == 1

    run_virtual(scenario)


def test_a_mail_service_that_never_answers_holds_a_stop_up_for_seconds_only() -> None:
    """Then nobody knows whether it left: the claim stays until it has run out."""

    async def scenario() -> None:
        world = World()
        await paid(world)
        world.mailbox.send = lambda _mail: anyio.sleep_forever()
        began = anyio.current_time()
        with anyio.move_on_after(1):
            await world.handlers["notification"](message_of(world))
        assert anyio.current_time() - began == pytest.approx(4)
        (row,) = await rows(world)
        assert row["state"] == "sending"

    run_virtual(scenario)


def test_who_stood_still_after_claiming_does_not_send() -> None:
    """Its claim is so old that another worker may have taken it over: whoever wakes then would send a second mail."""  # fault 15, 17

    async def scenario() -> None:
        world = World()
        await paid(world)
        table = world.tables["notifications"]
        real = table.put_new

        async def put_new(put):
            existing = await real(put)
            if put.attributes["state"] == "sending":
                world.time_ms += 45_000
            return existing

        table.put_new = put_new
        outcome = await world.handlers["notification"](message_of(world))
        table.put_new = real
        assert isinstance(outcome, Defer)
        assert world.mailbox.sent == []
        world.time_ms += 60_000
        assert await world.handlers["notification"](message_of(world)) == Done()
        assert len(world.mailbox.sent) == 1

    run_virtual(scenario)


def test_last_words_change_nothing_for_who_is_not_cut_off() -> None:
    """The result comes back, and an error comes out as it is, not in a group."""

    async def scenario() -> None:
        async def answer() -> str:
            return "sent"

        async def fail() -> str:
            raise OSError("no route")

        assert await with_last_words(answer, grace_s=1) == "sent"
        with pytest.raises(OSError, match="no route"):
            await with_last_words(fail, grace_s=1)

    run_virtual(scenario)
