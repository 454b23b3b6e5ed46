"""Endpoints at the desk: what is kept, who changed it, what is refused; and telling again, by range or one by one."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import anyio
import pytest

from orderstore.contract import publish
from orderstore.privacy.sealing import SealBroken
from tests.orderstore.privacy.shop import Shop
from tests.virtual_time import run_virtual
from tests.workers.webhooks.world import NOON_MS, OPERATOR, WHY, World, answering, message
from workers.webhooks.endpoint import CHANGES_KEPT
from workers.webhooks.endpoints import ENDPOINTS_MAX
from workers.webhooks.errors import Contended, NotPossible, UnknownDelivery, UnknownEndpoint

ALL: dict[str, Any] = {"from_ms": 0, "until_ms": 2 * NOON_MS}
OCCURRED_MS = NOON_MS


def at(seconds: int) -> str:
    """So long after `OCCURRED_MS`, as an envelope writes it."""
    return datetime.fromtimestamp(OCCURRED_MS / 1000 + seconds, UTC).isoformat()


def test_a_secret_is_shown_once_and_kept_sealed() -> None:
    """Nothing that is stored or shown later holds it; another process opens it with the endpoint's own key."""

    async def scenario() -> None:
        world = World()
        endpoint = await world.endpoint()
        stored = await world.endpoints.get(endpoint)
        shown = [await world.desk.endpoint(endpoint), await world.desk.endpoints(), stored]

        assert world.shown.startswith("whsec_")
        assert all(world.shown.removeprefix("whsec_") not in repr(one) for one in shown)
        assert await world.secrets.signing(stored) == [world.shown]

    run_virtual(scenario)


def test_every_change_says_who_when_and_why() -> None:
    """The newest first, a bounded number of them."""

    async def scenario() -> None:
        world = World()
        endpoint = await world.endpoint()
        await world.desk.change(endpoint, url="https://new.example/x", event_types=("OrderCreated",), **WHY)
        await world.desk.disable(endpoint, **WHY)
        await world.desk.disable(endpoint, **WHY)
        found = await world.desk.enable(endpoint, **WHY)

        assert [change["what"] for change in found["changes"]] == [
            "enabled",
            "disabled",
            "changed url, event types",
            "added",
        ]
        assert {change["actor"]["id"] for change in found["changes"]} == {"olga"}
        assert {change["reason"] for change in found["changes"]} == {"a test"}
        assert (found["url"], found["eventTypes"], found["state"]) == (
            "https://new.example/x",
            ["OrderCreated"],
            "enabled",
        )
        for number in range(CHANGES_KEPT + 5):
            await world.desk.change(endpoint, description=f"number {number}", **WHY)
        assert len((await world.desk.endpoint(endpoint))["changes"]) == CHANGES_KEPT

    run_virtual(scenario)


@pytest.mark.parametrize(
    "asked",
    [
        {"url": "http://one.example/hook"},
        {"url": "https://127.0.0.1/hook"},
        {"url": "https://one.example:22/hook"},
        {"event_types": ("OrderCreated", "NoSuchThing")},
        {"event_types": ("PaymentVoided",)},
        {"description": "x" * 201},
        {"description": "call jane@example.com"},
        {"reason": "  "},
        {"reason": "x" * 501},
    ],
)
def test_what_is_wrong_is_refused_and_nothing_is_kept(asked: dict[str, Any]) -> None:
    """Addresses, types that are not public, texts that are too long or hold what must not stand in the clear."""

    async def scenario() -> None:
        world = World()
        with pytest.raises(NotPossible):
            await world.endpoint(**asked)
        assert await world.desk.endpoints() == {"endpoints": []}

    run_virtual(scenario)


def test_a_removed_endpoint_is_nobody_s() -> None:
    """It is in no list, cannot be looked at or changed, its secrets are gone, and it hears nothing."""

    async def scenario() -> None:
        world = World()
        endpoint = await world.endpoint()
        await world.desk.remove(endpoint, **WHY)
        for call in (world.desk.endpoint, world.desk.test, world.desk.deliveries):
            with pytest.raises(UnknownEndpoint):
                await call(endpoint)
        with pytest.raises(UnknownEndpoint):
            await world.desk.enable(endpoint, **WHY)
        with pytest.raises(UnknownEndpoint):
            await world.desk.endpoint("whe_nothing")
        async with world.running() as handler:
            await handler(message())
            await anyio.sleep(10)

        assert await world.desk.endpoints() == {"endpoints": []}
        assert (await world.endpoints.get(endpoint)).secrets == ()
        assert world.network.sent == []

    run_virtual(scenario)


def test_another_tenant_s_endpoint_does_not_exist_here() -> None:
    """Neither at the desk nor for this tenant's events."""

    async def scenario() -> None:
        world = World()
        endpoint = await world.endpoint()
        world.desk._tenant = "other"
        with pytest.raises(UnknownEndpoint):
            await world.desk.endpoint(endpoint)
        with pytest.raises(UnknownEndpoint):
            await world.desk.disable(endpoint, **WHY)
        assert await world.desk.endpoints() == {"endpoints": []}

    run_virtual(scenario)


def test_of_two_changes_at_once_neither_is_lost() -> None:
    """Each is decided on what stands; endless rivalry is told."""

    async def scenario() -> None:
        world = World()
        endpoint = await world.endpoint()
        async with anyio.create_task_group() as tasks:
            for number in range(5):
                tasks.start_soon(lambda n=number: world.desk.change(endpoint, description=f"{n}", **WHY))
        assert len((await world.desk.endpoint(endpoint))["changes"]) == 6

        change = world.endpoints._table.change

        async def rival(wanted: Any) -> None:
            row = await world.endpoints._table.get({"endpoint": endpoint})
            world.endpoints._table._items[(endpoint,)]["revision"] = row["revision"] + 1
            await change(wanted)

        world.endpoints._table.change = rival
        with pytest.raises(Contended):
            await world.desk.disable(endpoint, **WHY)

    run_virtual(scenario)


def test_there_are_so_many_endpoints_and_no_more() -> None:
    """Each is looked after by every process."""

    async def scenario() -> None:
        world = World()

        async def many() -> tuple[None, ...]:
            return (None,) * ENDPOINTS_MAX

        world.endpoints.all = many  # type: ignore[method-assign,assignment]
        with pytest.raises(NotPossible, match="500"):
            await world.endpoint()

    run_virtual(scenario)


async def told(world: World, *, status: int, count: int = 6) -> str:
    """An endpoint that was told of `count` events, a minute apart, while it answered so; it answers 200 from now on."""
    endpoint = await world.endpoint()
    world.network.behaviours["one.example"] = answering(status)
    async with world.running() as handler:
        for number in range(count):
            event_type = "OrderCancelled" if number % 2 else "OrderCompleted"
            await handler(message(f"e-{number}", event_type, occurredAt=at(60 * number)))
        await anyio.sleep(5 * 86_400)
    world.network.behaviours["one.example"] = answering(200)
    world.network.sent.clear()
    return endpoint


def test_a_range_is_replayed_once_at_a_bounded_rate_under_the_same_ids() -> None:
    """Only what did not arrive, of the range, oldest first; on record; run again it repeats nothing."""

    async def scenario() -> None:
        world = World(patient=True)
        endpoint = await told(world, status=500)
        wanted = {"from_ms": OCCURRED_MS + 60_000, "until_ms": OCCURRED_MS + 240_000}
        looked = await world.desk.replay(endpoint, **wanted, dry_run=True, actor=OPERATOR, reason=None)
        began = anyio.current_time()
        done = await world.desk.replay(endpoint, **wanted, dry_run=False, rate_per_s=2, **WHY)
        took_s = anyio.current_time() - began
        again = await world.desk.replay(endpoint, **wanted, dry_run=False, **WHY)
        async with world.running():
            await anyio.sleep(60)
            third = await world.desk.replay(endpoint, **wanted, dry_run=False, **WHY)
            await anyio.sleep(3_600)
        changes = (await world.desk.endpoint(endpoint))["changes"]

        assert (looked["replayed"], looked["byType"]) == (3, {"OrderCancelled": 2, "OrderCompleted": 1})
        assert (done["replayed"], again["replayed"], again["waiting"], third["replayed"]) == (3, 0, 3, 0)
        assert took_s == pytest.approx(1.5, abs=0.1)
        assert sorted(one.id for one in world.network.sent) == ["e-1", "e-2", "e-3"]
        assert "replayed 2026-05-28T20:27:40.000Z to 2026-05-28T20:30:40.000Z" in changes[0]["what"]
        assert (await world.delivery(endpoint, "e-0")).state == "failed"
        assert (await world.delivery(endpoint, "e-1")).attempts[-1].status == 200

    run_virtual(scenario)


def test_what_arrived_is_replayed_if_somebody_says_so_and_once_for_each_name() -> None:
    """A receiver that lost its data; the same name goes on, another begins anew."""

    async def scenario() -> None:
        world = World(patient=True)
        endpoint = await told(world, status=200)
        states = {"states": ("delivered",), "event_types": ("OrderCompleted",), "dry_run": False, **ALL, **WHY}
        untouched = await world.desk.replay(endpoint, dry_run=True, **ALL, **WHY)
        async with world.running():
            first = await world.desk.replay(endpoint, name="restore", most=2, **states)
            await anyio.sleep(3_600)
            second = await world.desk.replay(endpoint, name="restore", **states)
            await anyio.sleep(3_600)
            third = await world.desk.replay(endpoint, name="restore", **states)
            other = await world.desk.replay(endpoint, name="restore-2", **states)
            await anyio.sleep(3_600)
        ids = [one.id for one in world.network.sent]

        assert untouched["replayed"] == 0
        assert [(one["replayed"], one["whole"]) for one in (first, second, third, other)] == [
            (2, False),
            (1, True),
            (0, True),
            (3, True),
        ]
        assert (third["doneBefore"], third["notMeant"]) == (3, 3)
        assert sorted(ids) == ["e-0", "e-0", "e-2", "e-2", "e-4", "e-4"]

    run_virtual(scenario)


def test_what_happened_before_the_endpoint_was_there_comes_from_the_log() -> None:
    """Of the range and of the types that it wants; twice is once; a dry run writes nothing."""

    async def scenario() -> None:
        shop = Shop()
        orders = [await shop.place() for _ in range(3)]
        await shop.fulfil(orders[0])
        everything = [one for order in orders for one in (await shop.orders.load(order)).events if publish(one)]
        world = World(log=shop.log, orders=shop.orders)
        endpoint = await world.endpoint(event_types=("OrderCreated", "InvoiceIssued"))
        asked = {"from_log": True, **ALL, **WHY}
        looked = await world.desk.replay(endpoint, dry_run=True, **asked)
        assert (await world.desk.deliveries(endpoint))["deliveries"] == []
        async with world.running():
            done = await world.desk.replay(endpoint, dry_run=False, **asked)
            await anyio.sleep(60)
            again = await world.desk.replay(endpoint, dry_run=False, **asked)
            await anyio.sleep(60)

        assert looked["made"] == done["made"] == 4
        assert again["made"] == again["replayed"] == 0
        wanted = {one.event_id for one in everything if one.name in ("OrderCreated", "InvoiceIssued")}
        assert sorted(one.id for one in world.network.sent) == sorted(wanted)

    run_virtual(scenario)


def test_one_is_sent_again_whatever_became_of_it() -> None:
    """On record; one that waits is left to its schedule; a disabled endpoint is sent nothing."""

    async def scenario() -> None:
        world = World(patient=True)
        endpoint = await told(world, status=200, count=1)
        waiting = await world.desk.redeliver(endpoint, "e-0", **WHY)
        still = await world.desk.redeliver(endpoint, "e-0", **WHY)
        async with world.running():
            await anyio.sleep(60)
        done = await world.desk.delivery(endpoint, "e-0")
        with pytest.raises(UnknownDelivery):
            await world.desk.redeliver(endpoint, "e-none", **WHY)
        await world.desk.disable(endpoint, **WHY)
        with pytest.raises(NotPossible):
            await world.desk.redeliver(endpoint, "e-0", **WHY)

        assert (waiting["state"], still["state"], done["state"]) == ("pending", "pending", "delivered")
        assert [one.id for one in world.network.sent] == ["e-0"]
        assert len(done["attempts"]) == 2
        whats = [change["what"] for change in (await world.desk.endpoint(endpoint))["changes"]]
        assert whats.count("redelivered e-0") == 1

    run_virtual(scenario)


def test_deliveries_are_listed_in_pages_newest_first() -> None:
    """All of them, each once, whatever the size of the pages; by state and by time."""

    async def scenario() -> None:
        world = World(patient=True)
        endpoint = await told(world, status=200, count=7)
        other = await world.endpoint("other.example")
        found: list[str] = []
        cursor = None
        for _ in range(10):
            page = await world.desk.deliveries(endpoint, limit=3, cursor=cursor)
            found += [one["eventId"] for one in page["deliveries"]]
            cursor = page["nextCursor"]
            if cursor is None:
                break

        assert found == [f"e-{number}" for number in reversed(range(7))]
        assert (await world.desk.deliveries(endpoint, state="failed"))["deliveries"] == []
        since = await world.desk.deliveries(endpoint, from_ms=OCCURRED_MS + 300_000, until_ms=OCCURRED_MS + 360_000)
        assert [one["eventId"] for one in since["deliveries"]] == ["e-5"]
        for nonsense in ("x", "bm8=", "W10="):
            with pytest.raises(NotPossible):
                await world.desk.deliveries(endpoint, cursor=nonsense)
        assert (await world.desk.deliveries(other))["deliveries"] == []

    run_virtual(scenario)


@pytest.mark.parametrize(
    "wrong",
    [
        {"from_ms": 5, "until_ms": 5},
        {"rate_per_s": 0},
        {"rate_per_s": 1e6},
        {"most": 0},
        {"states": ("pending",)},
        {"event_types": ("Nothing",)},
        {"reason": None},
        {"name": "has spaces and jane@example.com"},
    ],
)
def test_a_replay_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    """Nothing is sent and nothing stands on record."""

    async def scenario() -> None:
        world = World()
        endpoint = await world.endpoint()
        with pytest.raises(NotPossible):
            await world.desk.replay(endpoint, **{**ALL, **WHY, "dry_run": False, **wrong})
        assert len((await world.desk.endpoint(endpoint))["changes"]) == 1

    run_virtual(scenario)


def test_a_secret_of_another_endpoint_does_not_open() -> None:
    """A sealed secret is bound to its endpoint: moved in the table, it is useless."""

    async def scenario() -> None:
        world = World()
        one, two = await world.endpoint("one.example"), await world.endpoint("two.example")
        first, second = await world.endpoints.get(one), await world.endpoints.get(two)
        with pytest.raises(SealBroken):
            await world.secrets.signing(replace(first, secrets=second.secrets))

    run_virtual(scenario)
