"""Deaths, races, changes in mid-flight, tables that fail: nothing is lost, and what may be sent twice bears the same id."""

from datetime import UTC, datetime
from typing import Any

import anyio
import orjson
import pytest
from standardwebhooks import Webhook

from orderstore.contract import PublicEvent, publish
from tests.orderstore.privacy.shop import EMAIL, NAME, Shop
from tests.virtual_time import run_virtual
from tests.workers.webhooks.world import NOON_MS, WHY, World, answering, message
from workers.runtime.outcome import Done
from workers.runtime.queue import Message
from workers.tables.errors import TableThrottled, TableUnavailable
from workers.webhooks.deliveries import CLAIM_MS
from workers.webhooks.errors import NotPossible

CLAIM_S = CLAIM_MS / 1000


class Faulty:
    """A table whose calls fail as `fault(call, number)` says, before or after they were carried out."""

    def __init__(self, table: Any, fault: Any) -> None:
        self._table = table
        self.fault = fault
        self.calls: dict[str, int] = {}

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._table, name)
        if name == "scan":
            return method

        async def call(*arguments: Any, **named: Any) -> Any:
            self.calls[name] = self.calls.get(name, 0) + 1
            when = self.fault(name, self.calls[name])
            if when == "before":
                raise TableThrottled(name)
            answer = await method(*arguments, **named)
            if when == "after":
                raise TableUnavailable(name)
            return answer

        return call


def test_a_death_between_sending_and_writing_sends_again_under_the_same_id() -> None:
    """At least once, as the specification expects: receivers drop the second by its webhook-id."""  # E074

    async def scenario() -> None:
        world = World()
        endpoint = await world.endpoint()
        world.network.behaviours["one.example"] = answering(200, after_s=5)
        handler, dispatcher = world.process()
        async with anyio.create_task_group() as first:
            await first.start(dispatcher.run)
            await handler(message())
            await anyio.sleep(1)
            first.cancel_scope.cancel()  # as SIGKILL would: the request has left, nothing is written
        assert (await world.delivery(endpoint)).attempts == ()
        async with world.running():
            await anyio.sleep(CLAIM_S + 30)
        sent = world.network.sent

        assert [one.id for one in sent] == ["e-1", "e-1"]
        assert sent[0].body == sent[1].body
        assert CLAIM_S <= sent[1].at_s - sent[0].at_s <= CLAIM_S + 16
        assert (await world.delivery(endpoint)).state == "delivered"

    run_virtual(scenario)


def test_a_death_before_the_first_attempt_loses_nothing() -> None:
    """The row is there and due: whoever lives finds it in the index."""

    async def scenario() -> None:
        world = World()
        endpoint = await world.endpoint()
        handler, _never_run = world.process()
        assert await handler(message()) == Done()
        async with world.running():
            await anyio.sleep(1)

        assert (await world.delivery(endpoint)).state == "delivered"

    run_virtual(scenario)


@pytest.mark.parametrize("seed", range(5))
def test_many_processes_race_and_each_delivery_is_sent_once(seed: int) -> None:
    """Four processes find the same rows due at the same time: a claim has one owner."""

    async def scenario() -> None:
        world = World(seed=seed)
        await world.endpoint("one.example")
        await world.endpoint("two.example")
        handler, _ = world.process()
        for number in range(60):
            await handler(message(f"e-{number}"))
        async with world.running(4):
            await anyio.sleep(30)

        assert len(world.network.sent) == 120
        assert len({(one.id, one.url) for one in world.network.sent}) == 120

    run_virtual(scenario)


def test_whoever_was_overtaken_writes_nothing() -> None:
    """A process that stood still for longer than its claim must not write over what the next one found out."""

    async def scenario() -> None:
        world = World()
        endpoint = await world.endpoint()
        handler, _never_run = world.process()
        await handler(message())
        slow = await world.deliveries.claim(await world.delivery(endpoint))
        assert slow is not None
        await anyio.sleep(CLAIM_S + 1)
        async with world.running():
            await anyio.sleep(5)
        done = await world.delivery(endpoint)

        assert done.state == "delivered"
        assert not await world.deliveries.again(slow, done.attempts[0], due_at_ms=0)
        assert not await world.deliveries.end(slow, "failed", None)
        assert await world.deliveries.claim(slow) is None
        assert await world.delivery(endpoint) == done

    run_virtual(scenario)


def test_disabled_in_mid_flight_the_attempt_ends_and_nothing_follows() -> None:
    """What was tried is abandoned, what was not is skipped; enabled again, it is sent when somebody replays it."""

    async def scenario() -> None:
        world = World()
        world.network.behaviours["one.example"] = answering(500, after_s=3)
        endpoint = await world.endpoint()
        async with world.running() as handler:
            await handler(message("e-tried"))
            await anyio.sleep(1)
            await world.desk.disable(endpoint, **WHY)
            await handler(message("e-meanwhile"))  # this process still believes that it is enabled
            await anyio.sleep(400)
            sent_before = len(world.network.sent)
            states = {event: (await world.delivery(endpoint, event)).state for event in ("e-tried", "e-meanwhile")}
            world.network.behaviours["one.example"] = answering(200)
            await world.desk.enable(endpoint, **WHY)
            await anyio.sleep(600)
            unasked = len(world.network.sent)
            done = await world.desk.replay(endpoint, from_ms=0, until_ms=NOON_MS * 2, dry_run=False, **WHY)
            await anyio.sleep(60)

        assert (sent_before, unasked) == (1, 1)
        assert states == {"e-tried": "abandoned", "e-meanwhile": "skipped"}
        assert done["replayed"] == 2
        assert [one.id for one in world.network.sent[1:]] in (["e-tried", "e-meanwhile"], ["e-meanwhile", "e-tried"])
        assert (await world.delivery(endpoint, "e-tried")).state == "delivered"

    run_virtual(scenario)


def test_a_secret_that_is_rotated_between_attempts_signs_from_then_on_beside_the_old_one() -> None:
    """During the overlap both verify; afterwards only the new one; a leaked one stops at once."""

    async def scenario() -> None:
        world = World(patient=True)
        world.network.behaviours["one.example"] = answering(500)
        endpoint = await world.endpoint()
        first = world.shown
        async with world.running() as handler:
            await handler(message())
            await anyio.sleep(1)
            second = (await world.desk.rotate(endpoint, overlap_s=3_600, **WHY))["secret"]
            await anyio.sleep(5 * 3_600)
            third = (await world.desk.rotate(endpoint, overlap_s=0, **WHY))["secret"]
            await anyio.sleep(5 * 3_600)
        sent = world.network.sent

        assert len({first, second, third}) == 3
        assert verifying(sent[0], first, second, third) == [True, False, False]
        assert verifying(sent[1], first, second, third) == [True, True, False]
        after_overlap = [one for one in sent if 3_602 < one.at_s < 5 * 3_600]
        assert after_overlap
        assert all(verifying(one, first, second, third) == [False, True, False] for one in after_overlap)
        assert verifying(sent[-1], first, second, third) == [False, False, True]
        assert " " in sent[1].headers["webhook-signature"]

    run_virtual(scenario)


def test_a_secret_that_somebody_relies_on_is_not_dropped_for_a_new_one() -> None:
    """Three sign at most: a fourth waits until one retires, but for a leak, which ends all of them."""

    async def scenario() -> None:
        world = World()
        endpoint = await world.endpoint()
        for _ in range(2):
            await world.desk.rotate(endpoint, overlap_s=3_600, **WHY)
        assert len(await world.secrets.signing(await world.endpoints.get(endpoint))) == 3
        with pytest.raises(NotPossible):
            await world.desk.rotate(endpoint, overlap_s=3_600, **WHY)
        await anyio.sleep(3_601)
        for _ in range(2):
            await world.desk.rotate(endpoint, overlap_s=3_600, **WHY)
        last = await world.desk.rotate(endpoint, overlap_s=0, **WHY)

        assert await world.secrets.signing(await world.endpoints.get(endpoint)) == [last["secret"]]

    run_virtual(scenario)


def test_an_address_that_was_changed_meanwhile_is_not_disabled_for_the_old_one() -> None:
    """The 410 came from where it no longer is; the delivery that met it is given up, the next goes to the new address."""

    async def scenario() -> None:
        world = World()
        world.network.behaviours["one.example"] = answering(410, after_s=3)
        endpoint = await world.endpoint()
        async with world.running() as handler:
            await handler(message("e-1"))
            await anyio.sleep(1)
            await world.desk.change(endpoint, url="https://two.example/", **WHY)
            await anyio.sleep(5)
            await handler(message("e-2"))
            await anyio.sleep(5)

        assert (await world.desk.endpoint(endpoint))["state"] == "enabled"
        assert sorted(one.id for one in world.network.to("two.example")) == ["e-1", "e-2"]

    run_virtual(scenario)


def test_an_event_of_an_erased_customer_is_sent_as_ever() -> None:
    """What is sent was never personal: no key is needed, from the topic or from the log again, and the bytes are the same."""  # E074

    async def scenario() -> None:
        shop = Shop()
        order_id = await shop.place()
        await shop.fulfil(order_id)
        await shop.eraser.erase(shop.asking(order_id))
        history = await shop.orders.load(order_id)
        public = [(one, event) for one in history.events if (event := publish(one)) is not None]
        world = World(log=shop.log, orders=shop.orders)
        await world.endpoint()
        async with world.running() as handler:
            for recorded, event in public:
                await handler(heard(event, commit=recorded.commit))
            await anyio.sleep(5)
            again = await world.endpoint("two.example")
            done = await world.desk.replay(again, from_ms=0, until_ms=2 * NOON_MS, from_log=True, dry_run=False, **WHY)
            await anyio.sleep(30)
        live = {one.id: one.body for one in world.network.to("one.example")}
        from_log = {one.id: one.body for one in world.network.to("two.example")}

        assert done["made"] == len(public) == len(live) > 8
        assert live == from_log
        assert list(live) != []
        for body in live.values():
            assert orjson.loads(body)["orderId"] == order_id
            assert not [word for word in (NAME, EMAIL, NAME.split()[0], "@") if word.encode() in body]

    run_virtual(scenario)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("call", ["get", "change", "query"])
def test_a_table_that_fails_delays_and_loses_nothing(call: str, when: str) -> None:
    """Every third call fails, carried out or not: all arrive, and repeats bear the same id."""

    async def scenario() -> None:
        faulty: list[Faulty] = []

        def wrap(name: str, table: Any) -> Any:
            if name == "endpoints":
                return table
            faulty.append(Faulty(table, lambda name, number: when if name == call and number % 3 == 0 else ""))
            return faulty[0]

        world = World(wrap=wrap)
        endpoint = await world.endpoint()
        async with world.running() as handler:
            for number in range(20):
                await handler(message(f"e-{number}"))
            await anyio.sleep(600)
            faulty[0].fault = lambda _name, _number: ""
            await anyio.sleep(120)
            states = [(await world.delivery(endpoint, f"e-{number}")).state for number in range(20)]

        assert states == ["delivered"] * 20
        assert {one.id for one in world.network.sent} == {f"e-{number}" for number in range(20)}
        assert ("trouble", "TableThrottled" if when == "before" else "TableUnavailable") in world.noted.facts

    run_virtual(scenario)


def test_a_message_whose_row_cannot_be_written_is_not_done() -> None:
    """It is received again, and meets the rows that were written."""

    async def scenario() -> None:
        faulty: list[Faulty] = []

        def wrap(name: str, table: Any) -> Any:
            if name == "endpoints":
                return table
            faulty.append(Faulty(table, lambda name, number: "after" if (name, number) == ("put_new", 2) else ""))
            return faulty[0]

        world = World(wrap=wrap)
        for host in ("a.example", "b.example", "c.example"):
            await world.endpoint(host)
        async with world.running() as handler:
            with pytest.raises(TableUnavailable):
                await handler(message())
            assert await handler(message()) == Done()
            await anyio.sleep(20)

        assert sorted(one.url for one in world.network.sent) == [
            "https://a.example/hook",
            "https://b.example/hook",
            "https://c.example/hook",
        ]

    run_virtual(scenario)


def test_a_stop_lets_attempts_end_and_begins_no_other() -> None:
    """What was sent is written down; what waits is left to the next process."""

    async def scenario() -> None:
        world = World()
        endpoint = await world.endpoint()
        world.network.behaviours["one.example"] = answering(200, after_s=10)
        handler, dispatcher = world.process()
        async with anyio.create_task_group() as tasks:
            await tasks.start(dispatcher.run)
            for number in range(10):
                await handler(message(f"e-{number}"))
            await anyio.sleep(1)
            dispatcher.stop()
            begun = anyio.current_time()
        states = [(await world.delivery(endpoint, f"e-{number}")).state for number in range(10)]

        assert anyio.current_time() - begun < 10
        assert (states.count("delivered"), states.count("pending")) == (4, 6)
        assert len(world.network.sent) == 4

    run_virtual(scenario)


def test_a_claim_that_may_be_over_before_its_attempt_is_not_used() -> None:
    """The keys took half a minute: nothing is sent, and whoever finds the delivery due again sends it."""

    async def scenario() -> None:
        world = World()
        endpoint = await world.endpoint()
        signing, slow = world.secrets.signing, [31.0, 0.0]

        async def slowly(found: Any) -> Any:
            await anyio.sleep(slow.pop(0))
            return await signing(found)

        world.secrets.signing = slowly  # type: ignore[method-assign]
        async with world.running() as handler:
            await handler(message())
            await anyio.sleep(CLAIM_S - 1)
            assert world.network.sent == []
            await anyio.sleep(30)

        assert len(world.network.sent) == 1
        assert len((await world.delivery(endpoint)).attempts) == 1

    run_virtual(scenario)


def test_no_webhook_leaves_without_a_signature() -> None:
    """An endpoint whose secrets cannot be opened fails, visibly, and is sent nothing."""

    async def scenario() -> None:
        world = World()
        endpoint = await world.endpoint()

        async def broken(_endpoint: Any) -> list[str]:
            return []

        world.secrets.signing = broken  # type: ignore[method-assign]
        async with world.running() as handler:
            await handler(message())
            await anyio.sleep(2)

        assert world.network.sent == []
        assert (await world.delivery(endpoint)).attempts[0].error == "secret: its secrets cannot be opened"

    run_virtual(scenario)


def heard(event: PublicEvent, *, commit: int) -> Message:
    attributes = {**event.attributes, "commit": str(commit)}
    return Message(id="m", receipt="r", body=event.body.decode(), attributes=attributes, receive_count=1, sent_at_ms=0)


def verifying(sent: Any, *secrets: str) -> list[bool]:
    """Which of these secrets a receiver could verify it with: as the reference library does, but for its look at the wall clock."""
    moment = datetime.fromtimestamp(int(sent.headers["webhook-timestamp"]), UTC)
    signatures = sent.headers["webhook-signature"].split(" ")
    return [Webhook(secret).sign(sent.id, moment, sent.body.decode()) in signatures for secret in secrets]
