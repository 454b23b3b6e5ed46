"""Tests of an endpoint go out though its breaker holds everything else; replays note what they did; lists say why nothing moves."""

import anyio

from tests.virtual_time import run_virtual
from tests.workers.webhooks.world import WHY, World, answering, message
from workers.webhooks.delivery import delivery_id
from workers.webhooks.endpoint import from_row, to_row
from workers.webhooks.lane import AT_ONCE_MAX

SPAN = {"from_ms": 0, "until_ms": 10**13, "dry_run": False, **WHY}


def test_a_test_goes_out_at_once_though_the_breaker_holds_the_endpoint() -> None:
    """What is held stays held, the failed test makes no pause longer, and one that is taken ends the outage."""

    async def scenario() -> None:
        world = World()
        endpoint = await world.endpoint()
        world.network.behaviours["one.example"] = answering(429)
        async with world.running() as handler:
            await handler(message("e-1"))
            await anyio.sleep(1)
            assert len(world.network.sent) == 1
            await handler(message("e-2"))
            refused = await world.desk.test(endpoint)
            await anyio.sleep(16)
            assert (await world.desk.delivery(endpoint, refused["eventId"]))["attempts"][0]["status"] == 429
            assert [one.id for one in world.network.sent].count("e-2") == 0
            world.network.behaviours["one.example"] = answering(200)
            taken = await world.desk.test(endpoint)
            await anyio.sleep(16)
            assert (await world.desk.delivery(endpoint, taken["eventId"]))["state"] == "delivered"
            assert (await world.delivery(endpoint, "e-2")).state == "delivered"

    run_virtual(scenario)


def test_tests_keep_within_what_an_endpoint_is_sent_at_once() -> None:
    """A breaker that is passed by is no licence to flood."""

    async def scenario() -> None:
        world = World()
        endpoint = await world.endpoint()
        world.network.behaviours["one.example"] = answering(429, after_s=10)
        async with world.running() as handler:
            await handler(message("e-1"))
            await anyio.sleep(11)
            for _ in range(3 * AT_ONCE_MAX):
                await world.desk.test(endpoint)
            await anyio.sleep(40)
        assert len(world.network.sent) > AT_ONCE_MAX
        assert world.network.most_at_once["one.example"] == AT_ONCE_MAX

    run_virtual(scenario)


def test_a_list_shows_tries_last_status_and_the_next_attempt() -> None:
    """Whoever looks at it sees what moves and what does not."""

    async def scenario() -> None:
        world = World()
        endpoint = await world.endpoint()
        world.network.behaviours["one.example"] = answering(500)
        async with world.running() as handler:
            await handler(message("e-1"))
            await anyio.sleep(1)
        [listed] = (await world.desk.deliveries(endpoint))["deliveries"]
        assert (listed["tries"], listed["lastStatus"]) == (1, 500)
        assert listed["nextAttemptAt"] == (await world.desk.delivery(endpoint, "e-1"))["nextAttemptAt"]

    run_virtual(scenario)


def test_a_replay_that_put_nothing_up_again_is_not_on_record() -> None:
    """Or the fifty changes that are kept would soon tell of nothing."""

    async def scenario() -> None:
        world = World()
        endpoint = await world.endpoint()
        await world.desk.disable(endpoint, **WHY)
        handler, _ = world.process()
        await handler(message("e-1"))
        await handler(message("e-2"))
        await world.desk.enable(endpoint, **WHY)
        for _ in range(3):
            await world.desk.replay(endpoint, **SPAN)
        changes = [one["what"] for one in (await world.desk.endpoint(endpoint))["changes"]]
        assert sum(one.startswith("replayed") for one in changes) == 1
        assert (await world.deliveries.get(delivery_id(endpoint, "e-1"))) is not None

    run_virtual(scenario)


def test_a_removed_endpoint_leaves_the_table_by_itself() -> None:
    """Ninety days later; those that are there, and those that are made again of their rows, have no such time."""

    async def scenario() -> None:
        world = World()
        endpoint = await world.endpoint()
        assert "expires_at" not in to_row(await world.endpoints.get(endpoint))
        await world.desk.remove(endpoint, **WHY)
        gone = await world.endpoints.get(endpoint)
        row = to_row(gone)
        assert row["expires_at"] == gone.since_ms // 1000 + 90 * 86_400
        assert from_row({"endpoint": endpoint, **row}) == gone

    run_virtual(scenario)


def test_a_test_that_fails_holds_nothing_else_back() -> None:
    """Whoever tries an address again and again must not stop what is sent to it."""

    async def scenario() -> None:
        world = World()
        endpoint = await world.endpoint()
        world.network.behaviours["one.example"] = answering(429)
        async with world.running() as handler:
            await world.desk.test(endpoint)
            await anyio.sleep(16)
            assert len(world.network.sent) >= 1
            await handler(message("e-1"))
            await anyio.sleep(1)
            assert "e-1" in [one.id for one in world.network.sent]

    run_virtual(scenario)
