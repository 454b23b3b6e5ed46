"""Sending letters on: once each, only what is wanted, on record before it is sent, and safe to interrupt anywhere."""

import copy
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import anyio
import pytest

from tests.virtual_time import run_virtual
from tests.workers.dead_letters.desks import ADA, WHY, DeskWorld
from workers.dead_letters.desk import Desk
from workers.dead_letters.errors import DeadLetterError, NotAllowed
from workers.dead_letters.look import Box
from workers.payment.hints import notice_body
from workers.runtime.deadletter import ORIGINAL_ID
from workers.runtime.memory import MemoryQueue
from workers.runtime.queue import FailedEntry, Message, Throttled, Unavailable


class Died(BaseException):
    """The process ends here: no clean-up of ours runs after it but what a finally does."""


class Door:
    """A queue that can be told to die or to fail before or after chosen calls."""

    def __init__(self, inner: MemoryQueue) -> None:
        self._inner = inner
        self.before: dict[str, list[BaseException]] = {}
        self.after: dict[str, list[BaseException]] = {}
        self.calls: list[str] = []
        self.undeleted = False

    @property
    def name(self) -> str:
        return self._inner.name

    async def depths(self) -> Any:
        return await self._inner.depths()

    async def receive(self, **asked: int) -> Any:
        return await self._inner.receive(**asked)

    async def change_visibility(self, changes: Any) -> Any:
        return await self._inner.change_visibility(changes)

    async def send(self, body: str, *, attributes: Mapping[str, str] | None = None, group: str | None = None) -> str:
        self._raise(self.before, "send")
        sent = await self._inner.send(body, attributes=attributes, group=group)
        self._raise(self.after, "send")
        return sent

    async def delete(self, messages: list[Message]) -> Any:
        self._raise(self.before, "delete")
        if self.undeleted:
            return [FailedEntry(message=message, reason="InternalError", gone=False) for message in messages]
        return await self._inner.delete(messages)

    def _raise(self, table: dict[str, list[BaseException]], name: str) -> None:
        self.calls.append(name)
        if table.get(name):
            raise table[name].pop(0)


def behind_doors(world: DeskWorld, queue: str = "payment") -> tuple[Door, Door]:
    source, letters = Door(world.queues[queue]), Door(world.dead[queue])
    world.boxes[queue] = Box(source=source, letters=letters, receive_count_max=3)  # type: ignore[arg-type]  # as a SendingQueue
    return source, letters


def copy_of_desk(world: DeskWorld, *, letters: MemoryQueue) -> Desk:
    """A second person's desk over the same records and the same worker's queue, who sees other copies of the letters."""
    box = Box(source=world.queues["payment"], letters=letters, receive_count_max=3)

    async def open_box(_name: str) -> Box:
        return box

    desk = copy.copy(world.desk)
    desk._open_box = open_box
    return desk


def outcomes(report: Mapping[str, Any]) -> dict[str, int]:
    counts: dict[str, int] = report["counts"]
    return counts


def test_a_letter_comes_to_its_worker_as_it_was_and_the_order_goes_on() -> None:
    """Same body, same attributes, and where it came from; the letter is gone; who, what, why and when are on record."""  # E066

    async def story() -> None:
        world = DeskWorld()
        order_id = await world.place()
        body = next(message.body for name, message in world.messages if name == "payment")
        world.messages = type(world.messages)(item for item in world.messages if item[0] != "payment")
        letter_id = await world.bury(
            "payment", body, reason="UnknownEventType: this build knows no event of that type", eventType="OrderCreated"
        )

        report = await world.redrive()

        assert outcomes(report) == {"redriven": 1}
        assert report["notWhole"] is None
        (message,) = await world.waiting()
        assert message.body == body
        assert dict(message.attributes) == {
            "eventType": "OrderCreated",
            ORIGINAL_ID: "first",
            "redrivenFrom": letter_id,
            "redriveCount": "1",
        }
        assert await world.letters() == 0
        (act,) = await world.desk.acts(order_id)
        assert {name: act[name] for name in ("act", "queue", "letter", "order", "actorId", "reason", "orderState")} == {
            "act": "redrive",
            "queue": "payment",
            "letter": letter_id,
            "order": order_id,
            "actorId": "ada",
            "reason": WHY,
            "orderState": "Received",
        }
        assert await world.work("payment") == 1
        await world.deliver()
        assert await world.status(order_id) == "Completed"

    run_virtual(story)


def test_it_is_on_record_before_it_is_sent() -> None:
    """Whoever dies while sending has been named."""  # E123

    async def story() -> None:
        world = DeskWorld()
        order_id, _ = await world.buried_order()
        source, _ = behind_doors(world)
        source.before["send"] = [Died()]

        with pytest.raises((Died, BaseExceptionGroup)):
            await world.redrive()

        assert [act["act"] for act in await world.desk.acts(order_id)] == ["redrive"]
        assert await world.waiting() == []
        assert await world.letters() == 1, "and the letter is where it was"
        assert outcomes(await world.redrive()) == {"redriven": 1}
        assert len(await world.desk.acts(order_id)) == 1, "the same redrive, carried out"
        assert len(await world.waiting()) == 1

    run_virtual(story)


@pytest.mark.parametrize("capture", ["on_dispatch", "at_once"])
def test_a_death_between_sending_and_deleting_makes_a_duplicate_that_the_handlers_survive(capture: str) -> None:
    """The message is there twice, the order is charged once."""  # E072

    async def story() -> None:
        world = DeskWorld(capture=capture)
        order_id, _ = await world.buried_order()
        _, letters = behind_doors(world)
        letters.before["delete"] = [Died()]
        with pytest.raises((Died, BaseExceptionGroup)):
            await world.redrive()
        assert await world.letters() == 1

        assert outcomes(await world.redrive()) == {"redriven": 1}

        assert len(await world.waiting()) == 2
        assert await world.work("payment") == 2
        await world.deliver()
        assert await world.status(order_id) == "Completed"
        effects = await world.effects()
        assert sum(effect in ("authorize", "charge") for effect in effects) == 1

    run_virtual(story)


def test_a_letter_whose_order_has_moved_on_stays_unless_somebody_insists() -> None:
    """It says where the order is now; insisting wants its own word, which stands in the record."""  # E126

    async def story() -> None:
        world = DeskWorld()
        order_id, letter_id = await world.buried_order()
        await world.cancel(order_id)
        await world.deliver()

        refused = await world.redrive()
        assert outcomes(refused) == {"moved on": 1}
        assert refused["letters"][0]["why"] == "Cancelled: it has moved on, nothing is left for payment to do"
        assert await world.waiting() == []
        assert await world.letters() == 1
        assert await world.desk.acts(order_id) == []

        insisted = await world.redrive(wanted={"message_id": letter_id}, even_if_moved_on=True)
        assert outcomes(insisted) == {"redriven": 1}
        (act,) = await world.desk.acts(order_id)
        assert (act["evenIfMovedOn"], act["orderState"]) == (True, "Cancelled")
        await world.work("payment")
        assert not {"authorize", "charge"} & set(await world.effects()), "the worker looks for itself"

    run_virtual(story)


def test_what_the_provider_told_of_a_payment_is_sent_on_though_it_names_no_order() -> None:
    """A dispute is told of by the payment's name; the worker asks the provider whose it is."""

    async def story() -> None:
        world = DeskWorld()
        body = notice_body("pi_1")
        await world.bury("payment", body, reason="GatewayUnavailable: x")

        assert outcomes(await world.redrive()) == {"redriven": 1}
        assert ([sent.body for sent in await world.waiting()], await world.letters()) == ([body], 0)

    run_virtual(story)


def test_copies_of_one_event_are_sent_on_once_and_the_rest_are_dropped_on_record() -> None:
    """A redriven message is a new message: only the event tells that two are the same."""

    async def story() -> None:
        world = DeskWorld()
        order_id, _ = await world.buried_order()
        body = next(message.body for name, message in world.history if name == "payment")
        for _ in range(14):
            await world.bury("payment", body, reason="SomethingElse: x")

        report = await world.redrive()

        assert outcomes(report) == {"redriven": 1, "duplicate": 14}
        assert len(await world.waiting()) == 1
        assert await world.letters() == 0
        acts = [act["act"] for act in await world.desk.acts(order_id)]
        assert (acts.count("redrive"), acts.count("duplicate")) == (1, 14)

    run_virtual(story)


def test_a_copy_that_dies_after_its_event_was_sent_on_is_dropped_and_a_new_failure_is_not() -> None:
    """What was in the queues when the event was sent on is a copy of it; what came back from the worker, or was sent later, is not."""

    async def story() -> None:
        world = DeskWorld()
        order_id, _ = await world.buried_order()
        body = next(message.body for name, message in world.history if name == "payment")
        await world.redrive()
        late = await world.bury("payment", body)

        assert outcomes(await world.redrive(wanted={"message_id": late})) == {"duplicate": 1}

        (message,) = await world.queues["payment"].receive(max_messages=10, wait_s=0, visibility_timeout_s=60)
        await world.queues["payment"].dead_letter(message, "Again: the provider refuses")
        await world.queues["payment"].delete([message])
        again = await world.redrive()
        assert outcomes(again) == {"redriven": 1}, "it failed a second time: that is no copy"
        numbers = [act["number"] for act in await world.desk.acts(order_id) if act["act"] == "redrive"]
        assert numbers == [1, 2]
        (message,) = await world.waiting()
        assert message.attributes["redriveCount"] == "2"

        await anyio.sleep(3 * 86_400)
        await world.bury("payment", body)
        assert outcomes(await world.redrive()) == {"redriven": 1}, "sent anew three days later, and still wanted"

    run_virtual(story)


def test_two_people_who_send_the_same_letters_on_at_once_send_each_once() -> None:
    """Even if both have seen the same letter: the record is put by one of them."""

    async def story() -> None:
        world = DeskWorld()
        order_id, letter_id = await world.buried_order()
        body = next(message.body for name, message in world.history if name == "payment")
        beside = MemoryQueue("beside", now_ms=world.now_ms)
        await beside.send(body)
        reports = []

        async def send_on(desk: Desk) -> None:
            reports.append(await desk.redrive("payment", {}, actor=ADA, reason=WHY, dry_run=False))

        other = copy_of_desk(world, letters=beside)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(send_on, world.desk)
            tasks.start_soon(send_on, other)

        assert sorted(str(outcomes(report)) for report in reports) == ["{'duplicate': 1}", "{'redriven': 1}"]
        assert len(await world.waiting()) == 1
        acts = await world.desk.acts(order_id)
        assert sorted(act["act"] for act in acts) == ["duplicate", "redrive"]
        assert letter_id in str(acts)

    run_virtual(story)


def test_a_dry_run_tells_all_of_it_and_changes_nothing() -> None:
    """Neither the queue, nor the dead letters, nor the records."""  # E066

    async def story() -> None:
        world = DeskWorld()
        order_id, _ = await world.buried_order()
        body = next(message.body for name, message in world.history if name == "payment")
        await world.bury("payment", body)
        await world.bury("payment", "?", reason="MalformedMessage: body")
        gone, _ = await world.buried_order()
        await world.cancel(gone)
        await world.deliver()

        report = await world.redrive(dry_run=True, reason=None)

        assert outcomes(report) == {"redriven": 1, "duplicate": 1, "unreadable": 1, "moved on": 1}
        assert report["dryRun"]
        assert await world.letters() == 4
        assert await world.waiting() == []
        assert await world.desk.acts(order_id) == []

    run_virtual(story)


def test_what_the_worker_could_not_read_is_never_sent_on() -> None:
    """Not even by insisting: it would die again."""

    async def story() -> None:
        world = DeskWorld()
        await world.bury("payment", '{"eventId": "e", "orderId": "o"}', reason="MalformedMessage: body")

        report = await world.redrive(even_if_moved_on=True)

        assert outcomes(report) == {"unreadable": 1}
        assert "correct it" in report["letters"][0]["why"]
        assert await world.letters() == 1

    run_virtual(story)


@pytest.mark.parametrize("rate", [0.5, 4, 40])
def test_no_more_than_the_rate_are_sent_on_in_any_second(rate: float) -> None:
    """Evenly: no burst at the beginning either. And no more in all than were asked for."""

    async def story() -> None:
        world = DeskWorld()
        for _ in range(30):
            await world.buried_order(stocked=False)
        source, _ = behind_doors(world)
        times: list[float] = []
        send = source.send

        async def timed(body: str, *, attributes: Mapping[str, str] | None = None, group: str | None = None) -> str:
            times.append(anyio.current_time())
            return await send(body, attributes=attributes, group=group)

        source.send = timed  # type: ignore[method-assign]
        report = await world.redrive(rate_per_s=rate, sent_max=24)

        assert outcomes(report)["redriven"] == len(times) == 24
        assert "as many as were asked for" in report["notWhole"]
        gaps = [late - early for early, late in pairwise(times)]
        assert min(gaps) >= 1 / rate - 1e-9
        assert await world.letters() == 6

    run_virtual(story)


def test_one_letter_can_be_sent_on_alone() -> None:
    """The others are where they were, at once."""

    async def story() -> None:
        world = DeskWorld()
        for _ in range(20):
            await world.buried_order(stocked=False)
        _, letter_id = await world.buried_order(stocked=False)

        report = await world.redrive(wanted={"message_id": letter_id})

        assert outcomes(report) == {"redriven": 1}
        assert report["notWhole"] is None
        assert await world.letters() == 20

    run_virtual(story)


def test_a_queue_that_refuses_for_a_while_is_tried_again_and_one_that_goes_on_ends_the_run() -> None:
    """Nothing is lost: what was not sent lies where it was."""

    async def story() -> None:
        world = DeskWorld()
        for _ in range(40):
            await world.buried_order(stocked=False)
        source, _ = behind_doors(world)
        source.before["send"] = [Throttled("slow down"), Unavailable("lost")]
        assert outcomes(await world.redrive(sent_max=2)) == {"left": 8, "redriven": 2}

        source.before["send"] = [Throttled("slow down")] * 10_000
        report = await world.redrive(rate_per_s=200)
        assert outcomes(report) == {"failed": 30}
        assert report["notWhole"] == "too much of it failed"
        assert await world.letters() == 38
        assert len(await world.waiting()) == 2

    run_virtual(story)


def test_a_letter_that_cannot_be_deleted_is_reported_and_is_sent_on_again_as_the_same_redrive() -> None:
    """At least once, never silently."""

    async def story() -> None:
        world = DeskWorld()
        order_id, _ = await world.buried_order()
        _, letters = behind_doors(world)
        letters.undeleted = True
        assert outcomes(await world.redrive()) == {"failed": 1}
        letters.undeleted = False
        assert outcomes(await world.redrive()) == {"redriven": 1}
        assert len(await world.waiting()) == 2
        assert len(await world.desk.acts(order_id)) == 1

    run_virtual(story)


def test_a_message_with_all_its_ten_attributes_still_says_where_it_came_from() -> None:
    """What finds no place among SQS's ten is folded away, and comes back at the next redrive."""

    async def story() -> None:
        world = DeskWorld()
        await world.place()
        body = next(message.body for name, message in world.messages if name == "payment")
        own = {f"a{number}": str(number) for number in range(10)}
        await world.dead["payment"].send(body, attributes=own)
        await world.redrive()
        (message,) = await world.queues["payment"].receive(max_messages=1, wait_s=0, visibility_timeout_s=60)
        assert len(message.attributes) == 10
        await world.queues["payment"].dead_letter(message, "Again: x")
        await world.queues["payment"].delete([message])

        (letter,) = (await world.desk.letters("payment", {}))["items"]
        assert letter["timesRedriven"] == 1
        assert outcomes(await world.redrive()) == {"redriven": 1}
        (act, second) = await world.desk.acts(letter["orderId"])
        assert (act["number"], second["number"]) == (1, 2)

    run_virtual(story)


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"reason": None}, "say why"),
        ({"reason": "  "}, "say why"),
        ({"reason": "x" * 501}, "500"),
        ({"reason": "ask ada@mail.example"}, "reason"),
        ({"reason": "card 4242 4242 4242 4242"}, "reason"),
        ({"rate_per_s": 0}, "rate"),
        ({"rate_per_s": 201}, "rate"),
        ({"sent_max": 0}, "at least one"),
        ({"sent_max": 50_001}, "at most 50,000"),
        ({"backlog_max": 0}, "backlog"),
        ({"seconds_max": 841.0}, "840"),
    ],
)
def test_what_is_out_of_bounds_is_refused_before_anything_is_looked_at(how: dict[str, Any], said: str) -> None:
    """The reason goes on record in the clear: card data and addresses are refused, and not repeated."""

    async def story() -> None:
        world = DeskWorld()
        await world.buried_order()
        with pytest.raises(NotAllowed, match=said) as refused:
            await world.redrive(**how)
        assert "4242" not in str(refused.value)
        assert "mail.example" not in str(refused.value)
        assert await world.waiting() == []

    run_virtual(story)


def test_every_refusal_is_one_of_the_trees_and_the_actor_is_recorded_as_given() -> None:
    """The API tells them apart by their built-in classes."""
    from workers.dead_letters import errors

    assert issubclass(errors.UnknownQueue, LookupError)
    assert issubclass(errors.UnknownLetter, LookupError)
    assert issubclass(errors.NotThatBody, ValueError)
    assert issubclass(errors.DeskUnavailable, ConnectionError)
    assert all(issubclass(kind, DeadLetterError) for kind in (errors.UnknownQueue, errors.NotAllowed))
    assert ADA.type == "operator"


def test_what_was_sent_on_and_is_back_in_the_same_run_is_no_copy_of_itself() -> None:
    """A worker that gives it back at once, in a queue of one receive: nothing else is left of the event, so it stays, and is told of."""

    async def story() -> None:
        world = DeskWorld()
        order_id, _ = await world.buried_order()
        source, _ = behind_doors(world)
        honest = source.send

        async def and_back(body: str, *, attributes: Mapping[str, str] | None = None, group: str | None = None) -> str:
            sent = await honest(body, attributes=attributes, group=group)
            (message,) = await source.receive(max_messages=1, wait_s=0, visibility_timeout_s=30)
            await world.queues["payment"].dead_letter(message, "given back")
            return sent

        source.send = and_back  # type: ignore[method-assign]
        assert outcomes(await world.redrive()) == {"redriven": 1, "left": 1}
        assert await world.letters() == 1, "it is all that is left of the event"

        source.send = honest  # type: ignore[method-assign]
        assert outcomes(await world.redrive()) == {"redriven": 1}
        assert await world.work("payment") == 1
        await world.deliver()
        assert await world.status(order_id) == "Completed"

    run_virtual(story)
