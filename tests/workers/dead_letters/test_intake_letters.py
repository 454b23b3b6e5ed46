"""Dead letters of the intake: events of the bus, which name no order yet and hold what a customer wrote."""

import json

import anyio

from tests.virtual_time import run_virtual
from tests.workers.dead_letters.desks import ADA, WHY, DeskWorld
from tests.workers.intake.intake_world import SHOP, TEA, event


def test_an_order_request_is_shown_without_what_the_customer_wrote() -> None:
    """Who sent it, its id, and which fields it has: that is enough to find it at its sender."""  # D31

    async def scenario() -> None:
        world = DeskWorld()
        body = event({**TEA, "customerEmail": "jane@secret.example", "idempotencyKey": "A-1"}, id="event-1")
        letter = await world.bury("intake", body, reason="ReportRefused: the bus")
        found = await world.desk.letter("intake", letter)

        assert "jane" not in json.dumps(found)
        assert json.loads(found["body"])["detail"] == ["currency", "customerEmail", "idempotencyKey", "items"]
        assert (found["eventId"], found["eventType"], found["unreadable"]) == (f"{SHOP}:event-1", "OrderRequest", None)

    run_virtual(scenario)


def test_it_is_sent_on_and_its_copy_is_not() -> None:
    """Its order may be there or not: the door tells, and a repeat meets it. What is no event at all is not sent on."""  # D11

    async def scenario() -> None:
        world = DeskWorld()
        for body in (event(TEA, id="event-1"), event(TEA, id="event-1"), event(TEA, id="event-2"), "jane's garbage"):
            await world.bury("intake", body)
        await anyio.sleep(1)
        done = await world.desk.redrive("intake", {}, actor=ADA, reason=WHY, dry_run=False)
        sent = await world.queues["intake"].receive(max_messages=10, wait_s=0, visibility_timeout_s=60)

        assert sorted(json.loads(message.body)["id"] for message in sent) == ["event-1", "event-2"]
        assert (await world.dead["intake"].depths()).visible == 1, done
        (left,) = (await world.desk.letters("intake", {}))["items"]
        shown = await world.desk.letter("intake", left["messageId"])
        assert "jane" not in json.dumps(shown)

    run_virtual(scenario)
