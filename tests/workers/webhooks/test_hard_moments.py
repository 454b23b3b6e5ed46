"""Between two calls: a success beside a failure, an address that changes, a table that says no, a replay that was cut short."""

import json
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest

from tests.virtual_time import run_virtual
from tests.workers.webhooks.test_trouble import Faulty
from tests.workers.webhooks.world import WHY, World, answering, failing, message
from workers.tables.errors import TableRefused
from workers.tables.memory import MemoryTable
from workers.tables.port import Item
from workers.webhooks.attempting import FAILING_MS_MAX
from workers.webhooks.errors import NotPossible

OLD_S = FAILING_MS_MAX / 1000 + 1


class Closed(MemoryTable):
    """A table that nobody may read any more, as soon as `closed`."""

    def __init__(self) -> None:
        super().__init__()
        self.closed = False
        self.scans = 0

    async def scan(self) -> AsyncIterator[Item]:
        self.scans += 1
        if self.closed:
            raise TableRefused("Scan: AccessDeniedException")
        async for item in super().scan():
            yield item


def test_a_table_that_says_no_is_asked_now_and_then_and_not_without_end() -> None:
    """A right that was taken away lasts: an hour of it is some hundreds of questions, and as many lines in the log."""

    async def scenario() -> None:
        table = Closed()
        world = World(wrap=lambda name, made: table if name == "endpoints" else made)
        await world.endpoint()
        async with world.running():
            await anyio.sleep(60)
            table.closed, before = True, table.scans
            await anyio.sleep(3_600)
            asked = table.scans - before
            assert asked < 1_000, f"{asked} questions in an hour"
            table.closed = False
            await anyio.sleep(15)
        assert world.noted.facts.count(("trouble", "TableRefused")) < 1_000

    run_virtual(scenario)


def test_an_endpoint_that_has_just_answered_is_not_disabled_for_what_began_before() -> None:
    """After five days of failures two attempts are under way; one arrives, and then the other fails: it does not do nothing but fail."""

    async def scenario() -> None:
        world = World()
        endpoint = await world.endpoint()
        now = await world.endpoints.get(endpoint)
        await world.endpoints.note(now, failing_since_ms=world.now_ms())
        await anyio.sleep(OLD_S)
        answers = [answering(200, after_s=1), answering(500, after_s=2)]

        async def one_after_the_other() -> Any:
            return await answers.pop(0)()

        world.network.behaviours["one.example"] = one_after_the_other
        async with world.running() as handler:
            await handler(message("e-1"))
            await handler(message("e-2"))
            await anyio.sleep(4)
        after = await world.endpoints.get(endpoint)
        assert {(await world.delivery(endpoint, event)).tries for event in ("e-1", "e-2")} == {1}
        assert after.state == "enabled", after.changes[-1]

    run_virtual(scenario)


def test_what_the_old_address_calls_gone_is_sent_to_the_new_one() -> None:
    """The address is changed while an attempt is under way, because the old one is about to go: what waits goes to the new one."""

    async def scenario() -> None:
        world = World()
        endpoint = await world.endpoint("old.example")
        world.network.behaviours["old.example"] = answering(410, after_s=5)
        async with world.running() as handler:
            await handler(message())
            await anyio.sleep(1)
            await world.desk.change(endpoint, url="https://new.example/hook", **WHY)
            await anyio.sleep(60)
        assert (await world.endpoints.get(endpoint)).state == "enabled"
        assert [one.id for one in world.network.to("new.example")] == ["e-1"]
        assert (await world.delivery(endpoint)).state == "delivered"

    run_virtual(scenario)


def test_a_replay_that_was_cut_short_by_the_endpoint_goes_on_with_what_was_never_tried() -> None:
    """Disabled in the midst of it, what it had made pending is put aside again: run again, those are sent, and no others."""

    async def scenario() -> None:
        world = World()
        endpoint = await world.endpoint()
        await world.desk.disable(endpoint, **WHY)
        handler, _ = world.process()
        for number in range(3):
            await handler(message(f"e-{number}"))
        await world.desk.enable(endpoint, **WHY)
        everything: dict[str, Any] = {"from_ms": 0, "until_ms": 10**14, "name": "monday", "dry_run": False, **WHY}
        assert (await world.desk.replay(endpoint, **everything))["replayed"] == 3
        await world.desk.disable(endpoint, **WHY)
        async with world.running():
            await anyio.sleep(30)
        assert {(await world.delivery(endpoint, f"e-{number}")).state for number in range(3)} == {"skipped"}
        await world.desk.enable(endpoint, **WHY)
        again = await world.desk.replay(endpoint, **everything)
        assert (again["replayed"], again["doneBefore"]) == (3, 0)
        async with world.running():
            await anyio.sleep(30)
        assert sorted(one.id for one in world.network.sent) == ["e-0", "e-1", "e-2"]
        once_more = await world.desk.replay(endpoint, **everything, states=("delivered", "skipped"))
        assert (once_more["replayed"], once_more["doneBefore"]) == (0, 3)

    run_virtual(scenario)


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"delivery": "x"},
        {"endpoint": None, "delivery": "x", "occurred_at_ms": 1},
        {"endpoint": "MINE", "delivery": 7, "occurred_at_ms": 1},
        {"endpoint": "MINE", "delivery": "x", "occurred_at_ms": 1.5},
        {"endpoint": "MINE", "delivery": "x", "occurred_at_ms": True},
        {"endpoint": "MINE", "delivery": "x", "occurred_at_ms": 10**200},
        {"endpoint": "MINE", "delivery": "x", "occurred_at_ms": 1, "more": "x"},
        {"endpoint": "whe_other", "delivery": "x", "occurred_at_ms": 1},
    ],
)
def test_a_cursor_that_was_not_handed_out_is_refused_before_any_table_is_asked(said: dict[str, Any]) -> None:
    """DynamoDB would refuse it too, but in words that sound like trouble of ours."""

    async def scenario() -> None:
        world = World()
        endpoint = await world.endpoint()
        told = {name: endpoint if value == "MINE" else value for name, value in said.items()}
        with pytest.raises(NotPossible):
            await world.desk.deliveries(endpoint, cursor=urlsafe_b64encode(json.dumps(told).encode()).decode())

    run_virtual(scenario)


def test_a_cursor_that_was_handed_out_goes_on() -> None:
    """With everything that the index wants to know of the place."""

    async def scenario() -> None:
        world = World()
        endpoint = await world.endpoint()
        handler, _ = world.process()
        for number in range(3):
            await handler(message(f"e-{number}"))
        page = await world.desk.deliveries(endpoint, limit=2)
        rest = await world.desk.deliveries(endpoint, limit=2, cursor=page["nextCursor"])
        assert len(page["deliveries"]) == 2
        assert len(rest["deliveries"]) == 1

    run_virtual(scenario)


@pytest.mark.parametrize("disabled_days", [0, 20], ids=["just now", "longer than events are put aside"])
def test_an_endpoint_that_was_just_enabled_is_told_although_the_process_knows_it_as_disabled(
    disabled_days: int,
) -> None:
    """What is known of endpoints is some seconds old. Nobody would replay what happened after the enabling."""

    async def scenario() -> None:
        world = World()
        endpoint = await world.endpoint()
        await world.desk.disable(endpoint, **WHY)
        await anyio.sleep(disabled_days * 86_400)
        async with world.running() as handler:
            await handler(message("e-1"))  # it has just looked
            await world.desk.enable(endpoint, **WHY)
            await handler(message("e-2"))
            await anyio.sleep(5)
        assert [one.id for one in world.network.sent] == ["e-2"]

    run_virtual(scenario)


@pytest.mark.thorough
def test_an_attempt_that_ends_in_a_way_that_nobody_foresaw_is_one_of_the_ten() -> None:
    """It may have been sent. If it did not count, the endpoint would have it every minute for ever."""

    async def scenario() -> None:
        world = World(patient=True)
        endpoint = await world.endpoint()
        world.network.behaviours["one.example"] = failing(RuntimeError("a bug, which may quote a secret"))
        async with world.running() as handler:
            await handler(message())
            await anyio.sleep(4 * 86_400)
        delivery = await world.delivery(endpoint)
        assert (delivery.state, delivery.tries, len(world.network.sent)) == ("failed", 10, 10)
        assert {attempt.error for attempt in delivery.attempts} == {"internal: RuntimeError"}
        assert ("trouble", "RuntimeError") in world.noted.facts

    run_virtual(scenario)


def test_a_secret_is_shown_although_the_table_s_answer_was_lost() -> None:
    """The endpoint was written, or its secret rotated: nobody would ever know the secret, and a second try would make another endpoint."""

    async def scenario() -> None:
        lost: set[str] = set()
        world = World(
            wrap=lambda name, table: (
                Faulty(table, lambda call, _number: "after" if call in lost else "") if name == "endpoints" else table
            )
        )
        lost.add("put_new")
        endpoint = await world.endpoint()
        lost.clear()
        assert await world.secrets.signing(await world.endpoints.get(endpoint)) == [world.shown]
        lost.add("change")
        rotated = await world.desk.rotate(endpoint, overlap_s=0, **WHY)
        lost.clear()
        assert await world.secrets.signing(await world.endpoints.get(endpoint)) == [rotated["secret"]]
        assert len((await world.desk.endpoints())["endpoints"]) == 1

    run_virtual(scenario)
