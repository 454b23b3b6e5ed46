"""From a message to a delivery: the schedule, what ends it, who is not held up by whom."""

import email.utils
from datetime import UTC, datetime
from itertools import pairwise

import anyio
import orjson
import pytest
from standardwebhooks import Webhook

from tests.virtual_time import run_virtual
from tests.workers.webhooks.world import NOON_MS, WHY, World, answering, failing, hanging, message
from workers.envelope import MalformedMessage
from workers.runtime.outcome import Done
from workers.webhooks.errors import SendFailed
from workers.webhooks.schedule import DELAYS_S, JITTER, TRIES_MAX

DAY_S = 86_400.0
SPECIFIED = (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)


def test_an_event_reaches_every_endpoint_that_wants_it_at_once_and_once() -> None:
    """All types, a chosen one, and not one that was not chosen; a second hearing changes nothing."""  # E030, E074

    async def scenario() -> None:
        world = World()
        everything = await world.endpoint("all.example")
        chosen = await world.endpoint("chosen.example", event_types=("OrderCancelled",))
        await world.endpoint("other.example", event_types=("InvoiceIssued",))
        async with world.running() as handler:
            for _ in range(3):
                assert await handler(message()) == Done()
            await anyio.sleep(1)

        assert sorted(one.url.split("/")[2] for one in world.network.sent) == ["all.example", "chosen.example"]
        assert {(await world.delivery(one)).state for one in (everything, chosen)} == {"delivered"}
        assert all(one.at_s < 0.1 for one in world.network.sent)

    run_virtual(scenario)


def test_what_is_sent_is_what_the_specification_asks_for() -> None:
    """Type, time and data; the order's version and commit beside them; nothing about our people or our traces."""

    async def scenario() -> None:
        world = World()
        await world.endpoint()
        async with world.running() as handler:
            await handler(message())
            await anyio.sleep(1)
        [sent] = world.network.sent
        body = orjson.loads(sent.body)

        assert (body["type"], body["timestamp"]) == ("OrderCancelled", "2026-05-28T20:26:40.000000Z")
        assert body["data"] == {"reason": "customer", "compensations": []}
        assert (body["orderId"], body["version"], body["commit"]) == ("o-1", 3, 2)
        assert not {"actor", "traceparent"} & body.keys()
        assert sent.headers["webhook-id"] == "e-1"
        assert sent.headers["webhook-timestamp"] == str(NOON_MS // 1000)
        signature = Webhook(world.shown).sign("e-1", _moment(NOON_MS), sent.body.decode())
        assert sent.headers["webhook-signature"] == signature

    run_virtual(scenario)


def test_the_whole_schedule_is_kept_and_then_it_has_failed() -> None:
    """Ten attempts over three days and a bit, each no earlier than specified and at most a fifth later; same id, new time and signature."""

    async def scenario() -> None:
        world = World(patient=True)
        world.network.behaviours["one.example"] = answering(500, body=b"no \x00 luck")
        endpoint = await world.endpoint()
        async with world.running() as handler:
            await handler(message())
            await anyio.sleep(5 * DAY_S)
        sent, delivery = world.network.sent, await world.delivery(endpoint)

        gaps = [later.at_s - earlier.at_s for earlier, later in pairwise(sent)]
        assert len(sent) == TRIES_MAX == 10
        assert DELAYS_S == SPECIFIED
        for gap, specified in zip(gaps, SPECIFIED, strict=True):
            assert specified <= gap <= specified * (1 + JITTER) + 1
        assert any(gap > specified * 1.01 for gap, specified in zip(gaps, SPECIFIED, strict=True))
        assert {one.id for one in sent} == {"e-1"}
        assert {one.body for one in sent} == {sent[0].body}
        assert len({one.headers["webhook-timestamp"] for one in sent}) == 10
        assert len({one.headers["webhook-signature"] for one in sent}) == 10
        assert (delivery.state, delivery.tries) == ("failed", 10)
        assert {(one.status, one.error, one.answer) for one in delivery.attempts} == {(500, "status", "no \\x00 luck")}

    run_virtual(scenario)


@pytest.mark.parametrize(
    ("behaviour", "error"),
    [
        (answering(404), "status"),
        (answering(302), "redirect: not followed"),
        (answering(102), "status"),
        (failing(SendFailed("dns", "its name means no address")), "dns: its name means no address"),
        (failing(SendFailed("address_refused", "not a public one")), "address_refused: not a public one"),
        (hanging, "timeout: no answer within 15 s"),
    ],
)
def test_everything_but_a_2xx_is_a_failure_that_is_tried_again(behaviour, error: str) -> None:
    """Redirects are not followed, and an endpoint that hangs is left after fifteen seconds."""

    async def scenario() -> None:
        world = World()
        world.network.behaviours["one.example"] = behaviour
        endpoint = await world.endpoint()
        async with world.running() as handler:
            await handler(message())
            await anyio.sleep(16)
            world.network.behaviours["one.example"] = answering(204)
            await anyio.sleep(360)
        delivery = await world.delivery(endpoint)

        assert delivery.state == "delivered"
        assert delivery.attempts[0].error == error
        assert delivery.attempts[-1].status == 204
        assert delivery.attempts[-1].error == ""
        assert all(one.duration_ms <= 15_100 for one in delivery.attempts)

    run_virtual(scenario)


@pytest.mark.parametrize("in_words", [False, True])
def test_an_endpoint_that_names_a_time_is_left_alone_until_then(in_words: bool) -> None:
    """In seconds or as a date; for no more than a day, and never sooner than the schedule."""

    async def scenario() -> None:
        world = World(patient=True)
        date = email.utils.formatdate(NOON_MS / 1000 + 3_600, usegmt=True)
        world.network.behaviours["one.example"] = answering(503, retry_after=date if in_words else "3600")
        await world.endpoint()
        async with world.running() as handler:
            await handler(message())
            await anyio.sleep(10)
            world.network.behaviours["one.example"] = answering(429, retry_after="99999999")
            await anyio.sleep(2 * DAY_S)
        first, second, third, *_ = world.network.sent

        assert 3_598 <= second.at_s - first.at_s <= 3_620
        assert DAY_S <= third.at_s - second.at_s <= DAY_S + 60

    run_virtual(scenario)


def test_a_retry_after_of_nonsense_or_the_past_changes_nothing() -> None:
    """The schedule stands."""

    async def scenario() -> None:
        for said in ("", "soon", "-5", "1.5", "Thu, 01 Jan 1970 00:00:00 GMT", "٣"):
            world = World()
            world.network.behaviours["one.example"] = answering(500, retry_after=said)
            await world.endpoint()
            async with world.running() as handler:
                await handler(message())
                await anyio.sleep(20)
            assert len(world.network.sent) == 2, said

    run_virtual(scenario)


def test_an_endpoint_that_is_gone_is_disabled_at_once() -> None:
    """410: nothing more is sent, not even what waits; what comes is put aside; the cause stands in it."""

    async def scenario() -> None:
        world = World()
        world.network.behaviours["one.example"] = answering(500)
        endpoint = await world.endpoint()
        async with world.running() as handler:
            await handler(message("e-waits"))
            await anyio.sleep(1)
            world.network.behaviours["one.example"] = answering(410)
            await handler(message("e-gone"))
            await anyio.sleep(20)
            await handler(message("e-late"))
            await anyio.sleep(600)
        found = await world.desk.endpoint(endpoint)
        states = {event: (await world.delivery(endpoint, event)).state for event in ("e-waits", "e-gone", "e-late")}

        assert (found["state"], found["cause"]) == ("disabled", "gone")
        assert found["changes"][0]["actor"] == {"type": "service", "id": "webhooks"}
        assert states == {"e-waits": "abandoned", "e-gone": "abandoned", "e-late": "skipped"}
        assert len(world.network.sent) == 2
        assert ("disabled", "gone") in world.noted.facts

    run_virtual(scenario)


@pytest.mark.thorough
def test_an_endpoint_that_fails_for_five_days_is_disabled_and_told_of() -> None:
    """Not after four, and not when one success lies between."""

    async def scenario() -> None:
        world = World(patient=True)
        world.network.behaviours["one.example"] = world.network.behaviours["two.example"] = failing(
            SendFailed("connect", "refused")
        )
        dead, back = await world.endpoint("one.example"), await world.endpoint("two.example")
        async with world.running() as handler:
            for day in range(10):
                await handler(message(f"e-{day}"))
                await anyio.sleep(DAY_S / 2)
                if day == 4:
                    world.network.behaviours["two.example"] = answering(200)
                    await handler(message("e-success"))
                    await anyio.sleep(DAY_S / 10)
                    world.network.behaviours["two.example"] = failing(SendFailed("connect", "refused"))
                if day == 7:
                    assert (await world.desk.endpoint(dead))["state"] == "enabled"
            await anyio.sleep(DAY_S)
        stopped, alive = await world.desk.endpoint(dead), await world.desk.endpoint(back)

        assert (stopped["state"], stopped["cause"]) == ("disabled", "failing")
        assert alive["state"] == "enabled"
        assert alive["failingSince"] is not None
        assert [fact for fact in world.noted.facts if fact[0] == "disabled"] == [("disabled", "failing")]

    run_virtual(scenario)


@pytest.mark.thorough
def test_slow_and_dead_endpoints_hold_up_nobody() -> None:
    """Three that hang and one that takes 14 s each time, hundreds of events: the good one is told of each within a second."""

    async def scenario() -> None:
        world = World()
        for host in ("dead-1.example", "dead-2.example", "dead-3.example"):
            world.network.behaviours[host] = hanging
            await world.endpoint(host)
        world.network.behaviours["slow.example"] = answering(200, after_s=14)
        await world.endpoint("slow.example")
        await world.endpoint("good.example")
        async with world.running() as handler:
            told_at = {}
            for number in range(300):
                told_at[f"e-{number}"] = anyio.current_time() - world.started_at
                await handler(message(f"e-{number}"))
                await anyio.sleep(0.2)
            await anyio.sleep(2)
        good = world.network.to("good.example")

        assert len(good) == 300
        assert max(one.at_s - told_at[one.id] for one in good) < 1
        assert max(world.network.most_at_once.values()) <= 4
        # The breaker: after the first failures one probe now and then, not four attempts at a time for ever.
        assert len(world.network.to("dead-1.example")) < 15

    run_virtual(scenario)


def test_a_backlog_is_sent_when_an_endpoint_is_back() -> None:
    """A hundred events while it was down: each arrives, soon, and no attempt of a delivery was spent on the breaker's account."""

    async def scenario() -> None:
        world = World()
        world.network.behaviours["one.example"] = answering(502)
        endpoint = await world.endpoint()
        async with world.running() as handler:
            for number in range(100):
                await handler(message(f"e-{number}"))
                await anyio.sleep(1)
            attempts_before = len(world.network.sent)
            world.network.behaviours["one.example"] = answering(200)
            await anyio.sleep(900)
        states = [(await world.delivery(endpoint, f"e-{number}")).state for number in range(100)]

        assert attempts_before < 20
        assert states.count("delivered") == 100
        assert len(world.network.sent) < 140

    run_virtual(scenario)


def test_a_message_that_is_no_event_is_poison_and_one_of_a_newer_build_too() -> None:
    """The dead letters tell; nothing is sent."""

    async def scenario() -> None:
        world = World()
        await world.endpoint()
        handler, _ = world.process()
        for broken in (
            message(event_type="Unheard"),
            message(occurredAt="soon"),
            message(occurredAt="2026-01-01T00:00:00"),
        ):
            with pytest.raises(MalformedMessage):
                await handler(broken)
        assert await handler(message(tenant="another")) == Done()
        assert await world.desk.deliveries((await world.desk.endpoints())["endpoints"][0]["id"]) == {
            "deliveries": [],
            "nextCursor": None,
        }

    run_virtual(scenario)


def test_a_test_is_sent_like_an_event_and_says_that_it_is_none() -> None:
    """Signed, scheduled, with attempts to be seen; no filter of types keeps it back."""

    async def scenario() -> None:
        world = World()
        endpoint = await world.endpoint(event_types=("InvoiceIssued",))
        async with world.running():
            begun = await world.desk.test(endpoint)
            await anyio.sleep(20)
        [sent] = world.network.sent
        done = await world.desk.delivery(endpoint, begun["eventId"])

        assert orjson.loads(sent.body)["type"] == "webhook.test"
        assert (begun["state"], done["state"], done["attempts"][0]["status"]) == ("pending", "delivered", 200)
        await world.desk.disable(endpoint, **WHY)
        with pytest.raises(ValueError, match="enable it first"):
            await world.desk.test(endpoint)

    run_virtual(scenario)


def _moment(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms // 1000, UTC)
