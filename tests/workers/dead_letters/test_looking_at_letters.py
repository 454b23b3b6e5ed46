"""A look takes nothing: bounded, each letter once, everything back at once, and honest about what it did not see."""

import json
from typing import cast

import anyio
import pytest

from tests.virtual_time import run_virtual
from tests.workers.dead_letters.desks import DeskWorld
from workers.dead_letters.errors import NotAllowed, UnknownLetter, UnknownQueue
from workers.dead_letters.look import LOOK_S, MARGIN_S, Box, SendingQueue, looking
from workers.runtime.memory import MemoryQueue


class ShownTwice:
    """A dead-letter queue that shows every letter again in the next receive, as SQS may."""

    def __init__(self, inner: MemoryQueue) -> None:
        self._inner = inner
        self._last: list[object] = []

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)

    async def receive(self, **asked: int) -> list[object]:
        again, self._last = self._last, list(await self._inner.receive(**asked))
        return [*again, *self._last]


def test_a_look_shows_each_letter_once_and_puts_all_back() -> None:
    """Whoever looks next sees as many."""  # E066

    async def story() -> None:
        world = DeskWorld()
        for number in range(25):
            await world.bury("payment", f"not json {number}", reason="MalformedMessage: body")
        world.boxes["payment"] = Box(
            source=world.queues["payment"],
            letters=cast("SendingQueue", ShownTwice(world.dead["payment"])),
            receive_count_max=3,
        )

        found = await world.desk.groups()

        assert [group["letters"] for group in found["groups"]] == [25]
        assert found["notWhole"] == {}
        assert await world.letters() == 25

    run_virtual(story)


def test_letters_are_grouped_by_queue_cause_and_event_type_in_words() -> None:
    """What belongs to one letter alone (an order's id, a number) does not make a group of its own."""  # E066, E126

    async def story() -> None:
        world = DeskWorld()
        for _ in range(3):
            await world.buried_order()
        for order in ("2f1c9c1e-4c8e-4a51-9d51-0d8e2f3b6a10", "77777777-4c8e-4a51-9d51-0d8e2f3b6a11"):
            await world.bury(
                "payment", "{}", reason=f"UnknownOrder: there is no order {order}", eventType="OrderCreated"
            )
            await anyio.sleep(60)
        await world.bury("billing", "<html>", reason="MalformedMessage: not an event's envelope: body: json_invalid")

        groups = (await world.desk.groups())["groups"]

        assert [(group["queue"], group["cause"], group["eventType"], group["letters"]) for group in groups] == [
            ("payment", "receives used up", "OrderCreated", 3),
            ("payment", "UnknownOrder: there is no order …", "OrderCreated", 2),
            ("billing", "MalformedMessage: not an event's envelope: body: json_invalid", None, 1),
        ]
        assert groups[1]["oldest"] < groups[1]["newest"]
        assert "received 3 times and never done" in groups[0]["meaning"]
        assert "Purge it when that is certain" in groups[1]["meaning"]
        assert [group["unreadable"] for group in groups] == [0, 2, 1]

    run_virtual(story)


def test_a_look_at_part_of_a_queue_says_so() -> None:
    """By its bound, because others are looking, or because a look was cut off; a moment later it is whole again."""

    async def story() -> None:
        world = DeskWorld()
        for number in range(30):
            await world.bury("payment", f"not json {number}", reason="MalformedMessage: body")

        bounded = await world.desk.groups(["payment"], letters_max=20)
        assert bounded["letters"] == 20
        assert "20 letters were looked at" in bounded["notWhole"]["payment"]

        taken = await world.dead["payment"].receive(max_messages=10, wait_s=0, visibility_timeout_s=300)
        beside = await world.desk.groups(["payment"])
        assert beside["letters"] == 20
        assert "about 10 more are hidden" in beside["notWhole"]["payment"]

        await world.dead["payment"].change_visibility([(message, 0) for message in taken])
        assert (await world.desk.groups(["payment"]))["notWhole"] == {}

    run_virtual(story)


def test_who_gives_up_in_the_middle_puts_back_and_who_dies_only_hides_for_a_while() -> None:
    """Cancelled: all visible at once. Killed: all visible when the time-out has passed."""

    async def story() -> None:
        world = DeskWorld()
        for number in range(12):
            await world.bury("payment", f"not json {number}")
        with anyio.CancelScope() as scope:
            async with looking(world.boxes["payment"]) as look:
                async for _batch in look.batches():
                    scope.cancel()
        assert scope.cancelled_caught
        assert await world.letters() == 12

        await world.dead["payment"].receive(max_messages=10, wait_s=0, visibility_timeout_s=round(LOOK_S + MARGIN_S))
        assert await world.letters() == 2
        await anyio.sleep(LOOK_S + MARGIN_S)
        assert await world.letters() == 12

    run_virtual(story)


def test_one_letter_is_shown_with_its_order_as_it_stands_now() -> None:
    """Body, attributes, attempts, cause, and whether the order still wants it: before and after it has moved on."""  # E066

    async def story() -> None:
        world = DeskWorld()
        order_id, letter_id = await world.buried_order()

        before = await world.desk.letter("payment", letter_id)
        assert before["orderId"] == order_id
        assert before["order"] == {
            "state": "Received",
            "version": 1,
            "wanted": True,
            "words": "Received, and it still wants Authorize of payment",
        }
        assert '"eventType":"OrderCreated"' in before["body"]
        assert before["attempts"] == 3, "the queue moved it itself, after as many as it is told"

        await world.cancel(order_id)
        await world.deliver()
        after = await world.desk.letter("payment", letter_id)
        assert after["order"]["state"] == "Cancelled"
        assert not after["order"]["wanted"]
        assert "it has moved on" in after["order"]["words"]

    run_virtual(story)


@pytest.mark.parametrize(
    "body", ['{"eventId": 7', "[]", "null", "\u202etxt.exe", "x" * 20_000, '{"orderId": {"a": 1}}', "[" * 3_000]
)
def test_whatever_a_body_holds_it_is_shown_cut_and_escaped(body: str) -> None:
    """Nothing that could move a cursor or turn text around reaches a terminal, and nobody's megabyte."""

    async def story() -> None:
        world = DeskWorld()
        letter_id = await world.bury("payment", body, reason="MalformedMessage: body")

        found = await world.desk.letter("payment", letter_id)

        assert len(found["body"]) < 4_100
        assert found["body"].isprintable()
        assert found["unreadable"]
        assert found["attempts"] == 1
        assert found["order"]["words"] == "the letter names no order"

    run_virtual(story)


def test_what_is_not_there_is_said() -> None:
    """A queue, a letter, a filter that could only be a mistake."""

    async def story() -> None:
        world = DeskWorld()
        with pytest.raises(UnknownQueue, match="there are payment, inventory"):
            await world.desk.groups(["payments"])
        with pytest.raises(UnknownLetter, match="expired"):
            await world.desk.letter("payment", "payment-dlq-99")
        with pytest.raises(NotAllowed, match="14 days"):
            await world.desk.letters("payment", {"older_than_s": 10**9})
        with pytest.raises(NotAllowed, match="empty"):
            await world.desk.letters("payment", {"cause": ""})

    run_virtual(story)


def test_letters_are_filtered_by_cause_type_order_and_age() -> None:
    """Each alone, and all together."""

    async def story() -> None:
        world = DeskWorld()
        order_id, old = await world.buried_order()
        await anyio.sleep(7_200)
        _, new = await world.buried_order()
        odd = await world.bury("payment", "?", reason="MalformedMessage: body")

        async def found(**wanted: object) -> set[str]:
            answer = await world.desk.letters("payment", wanted)
            assert answer["lookedAt"] == 3
            return {item["messageId"] for item in answer["items"]}

        assert await found() == {old, new, odd}
        assert await found(cause="malformed") == {odd}
        assert await found(event_type="OrderCreated") == {old, new}
        assert await found(order_id=order_id) == {old}
        assert await found(older_than_s=3_600) == {old}
        assert await found(newer_than_s=3_600) == {new, odd}
        assert await found(message_id=new) == {new}
        assert await found(older_than_s=3_600, event_type="OrderCancelled") == set()

    run_virtual(story)


@pytest.mark.parametrize("queue", ["inventory", "shipping", "billing", "notification", "archive"])
def test_each_queue_judges_by_what_its_own_worker_would_do(queue: str) -> None:
    """The order wants it until that worker has done it, whatever the others did."""

    async def story() -> None:
        world = DeskWorld()
        world.archived_through = 0
        order_id = await world.place()
        world.wants = lambda name, _type: name != queue
        await world.deliver()
        if queue == "archive":
            body = next(message.body for _, message in world.history)
        else:
            body = [message.body for name, message in world.history if name == queue][-1]
        letter_id = await world.bury(queue, body)

        assert (await world.desk.letter(queue, letter_id))["order"]["wanted"]

        world.wants = lambda _name, _type: True
        world.messages.extend(message for message in world.history if message[0] == queue)
        await world.deliver()
        world.archived_through = len(await world.events(order_id))
        assert not (await world.desk.letter(queue, letter_id))["order"]["wanted"]

    run_virtual(story)


def test_an_event_for_the_webhooks_is_wanted_whenever_the_log_has_it() -> None:
    """Each endpoint is told once, by a record that outlives every letter: sending on is harmless. What never happened is not sent on."""

    async def story() -> None:
        world = DeskWorld()
        await world.place()
        body = next(message.body for _, message in world.history)
        letter_id = await world.bury("webhooks", body)
        event_id = json.loads(body)["eventId"]
        invented = await world.bury("webhooks", body.replace(event_id, "00000000-0000-5000-8000-000000000000"))

        assert (await world.desk.letter("webhooks", letter_id))["order"]["wanted"]
        assert not (await world.desk.letter("webhooks", invented))["order"]["wanted"]

    run_virtual(story)
