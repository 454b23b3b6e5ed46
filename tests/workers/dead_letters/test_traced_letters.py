"""A letter with a trace has as many attributes as SQS allows: what people do to it still finds a place."""

import orjson

from orderstore.tracing import TRACEPARENT
from tests.virtual_time import run_virtual
from tests.workers.dead_letters.desks import ADA, WHY, DeskWorld
from workers.dead_letters.letter import CORRECTED_FROM
from workers.runtime.deadletter import original_attributes
from workers.runtime.queue import MESSAGE_ATTRIBUTES_MAX

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
OTHERS = dict.fromkeys(("eventType", "eventVersion", "source", "orderId", "correlationId", "commit"), "x")


def test_a_corrected_letter_says_which_one_it_was_and_a_redriven_one_keeps_its_trace() -> None:
    """The trace gives way to the correction: the right body bears its event's own. Without one, it stays."""

    async def story() -> None:
        world = DeskWorld()
        await world.place()
        right = next(message.body for name, message in world.messages if name == "payment")
        world.messages = type(world.messages)(item for item in world.messages if item[0] != "payment")
        wrong = orjson.dumps({**orjson.loads(right), "eventVersion": "one"}).decode()
        letter_id = await world.bury("payment", wrong, reason="MalformedMessage", **OTHERS, **{TRACEPARENT: TRACE})

        corrected = await world.desk.correct("payment", letter_id, right, actor=ADA, reason=WHY)

        letter = await world.desk.letter("payment", corrected["messageId"])
        assert len(letter["attributes"]) <= MESSAGE_ATTRIBUTES_MAX
        assert letter["attributes"][CORRECTED_FROM] == letter_id
        assert letter["cause"] == "MalformedMessage"

    run_virtual(story)


def test_a_redriven_message_goes_on_in_its_trace() -> None:
    """Days later, as another message: it is still linked to the span that created the first."""

    async def story() -> None:
        world = DeskWorld()
        await world.place()
        body = next(message.body for name, message in world.messages if name == "payment")
        world.messages = type(world.messages)(item for item in world.messages if item[0] != "payment")
        await world.bury("payment", body, reason="Retry", **OTHERS, **{TRACEPARENT: TRACE})

        assert (await world.redrive())["counts"] == {"redriven": 1}

        (again,) = await world.waiting()
        assert original_attributes(again.attributes)[TRACEPARENT] == TRACE
        assert len(again.attributes) <= MESSAGE_ATTRIBUTES_MAX

    run_virtual(story)
