"""Every event reaches the topic at least once, with the same id each time, whatever the topic does."""

from collections.abc import Sequence
from random import Random

import anyio
import orjson
import pytest

from orderstore.contract import PublicEvent
from orderstore.domain import events as e
from orderstore.store.memory import MemoryEventStore
from orderstore.store.trouble import Backoff
from projections.announcements import announcements
from projections.publisher import (
    BATCH_BYTES_MAX,
    Failed,
    MemoryPublisher,
    PublishRefused,
    PublishUnavailable,
    event_bytes,
)
from projections.relay import Relay, _Outgoing, batches
from tests.builders import line
from tests.projections.histories import (
    START_MS,
    commits_for,
    groups_of,
    happy_commits,
    order_number,
    records_of,
)
from tests.projections.read_side import CountingObserver
from tests.virtual_time import run_virtual


class FaultyTopic(MemoryPublisher):
    """A topic that follows a script: each call takes one fault from it, then works."""

    def __init__(self, *faults) -> None:
        super().__init__()
        self.faults = list(faults)
        self.calls: list[list[str]] = []

    async def publish(self, batch: Sequence[PublicEvent]) -> tuple[Failed, ...]:
        self.calls.append([event.event_id for event in batch])
        fault = self.faults.pop(0) if self.faults else None
        match fault:
            case None:
                return await super().publish(batch)
            case "unavailable":
                raise PublishUnavailable("no answer, nothing done")
            case "published, but the answer was lost":
                await super().publish(batch)
                raise PublishUnavailable("no answer, all done")
            case frozenset() as failing:
                passing = [event for place, event in enumerate(batch) if place not in failing]
                if passing:
                    await super().publish(passing)
                return tuple(Failed(place, "InternalError", sender_fault=False) for place in sorted(failing))
            case Failed() as refused:
                return (refused,)
        raise AssertionError(fault)


class World:
    def __init__(self, publisher: MemoryPublisher | None = None) -> None:
        self.store = MemoryEventStore()
        self.topic = publisher or MemoryPublisher()
        self.observer = CountingObserver()
        self.relay = Relay(
            self.store,
            self.topic,
            now_ms=lambda: START_MS + 60_000,
            random=Random(3),
            observer=self.observer,
            backoff=Backoff(tries_max=4),
        )


def public(commits) -> list[str]:
    return [one.event_id for commit in commits for one in announcements(commit)]


def ids(topic: MemoryPublisher) -> list[str]:
    return [event.event_id for event in topic.published]


def test_every_public_event_is_published_once_and_in_its_orders_order() -> None:
    """Forty orders in one page: nothing private, nothing missing, each order's events in the order of its log."""
    world = World()
    logs = [happy_commits(order_number(index)) for index in range(40)]

    run_virtual(world.relay.apply, records_of([commit for log in logs for commit in log]))

    assert sorted(ids(world.topic)) == sorted(one for log in logs for one in public(log))
    for index, log in enumerate(logs):
        mine = [event.event_id for event in world.topic.published if event.order_id == order_number(index)]
        assert mine == public(log)
    assert world.observer.counts["published"] == sum(len(public(log)) for log in logs)
    assert max(world.observer.lags_ms) == 59_000, "the oldest event was recorded 59 s before"


def test_what_filters_see_and_what_personal_data_they_do_not() -> None:
    """The type is an attribute; neither the sealed contact nor the sandbox's hooks travel."""
    world = World()
    contact = e.SealedText(subject="customer-1", ciphertext="SECRET-CIPHERTEXT")
    log = commits_for(groups_of((), contact=contact, hooks=e.SandboxHooks(payment_outcome="declined")))

    run_virtual(world.relay.apply, records_of(log))

    [event] = world.topic.published
    assert event.attributes["eventType"] == "OrderCreated"
    assert orjson.loads(event.body)["eventId"] == event.event_id
    assert b"SECRET-CIPHERTEXT" not in event.body
    assert b"declined" not in event.body


def test_batches_are_full_when_there_is_enough_to_send() -> None:
    """A call costs the same whatever it carries: few events go in one, many go in tens."""
    few = World(FaultyTopic())
    run_virtual(few.relay.apply, records_of(happy_commits()[:3]))
    assert len(few.topic.calls) == 1

    many = World(FaultyTopic())
    run_virtual(many.relay.apply, records_of([c for index in range(50) for c in happy_commits(order_number(index))]))
    sizes = [len(call) for call in many.topic.calls]
    assert max(sizes) == 10
    assert len(sizes) <= sum(sizes) / 10 + 4


def test_only_the_entries_that_failed_are_sent_again() -> None:
    """Two of the batch fail, then one of those: the third call carries one event."""
    world = World(FaultyTopic(frozenset({1, 3}), frozenset({0})))
    log = happy_commits()[:6]
    expected = public(log)

    run_virtual(world.relay.apply, records_of(log))

    assert world.topic.calls == [expected, [expected[1], expected[3]], [expected[1]]]
    assert sorted(ids(world.topic)) == sorted(expected)
    assert world.observer.counts["publish failed InternalError"] == 3


def test_a_time_out_that_did_publish_repeats_the_same_ids() -> None:
    """Nobody knows whether it was published: it is published again, and subscribers know it by its id."""
    world = World(FaultyTopic("published, but the answer was lost"))
    log = happy_commits()[:2]

    run_virtual(world.relay.apply, records_of(log))

    assert ids(world.topic) == public(log) * 2
    assert world.observer.counts["published"] == len(public(log))


def test_the_page_is_not_done_before_everything_is_published() -> None:
    """The topic stays away: the relay raises, so that the reader brings the same records again; then all of it arrives."""
    world = World(FaultyTopic(*["unavailable"] * 4))
    log = happy_commits()

    with pytest.raises(PublishUnavailable):
        run_virtual(world.relay.apply, records_of(log[:2]))
    run_virtual(world.relay.apply, records_of(log))

    assert set(ids(world.topic)) == set(public(log))


def test_entries_that_fail_without_end_are_given_back_to_the_reader() -> None:
    """The tries are bounded; nothing is skipped."""
    world = World(FaultyTopic(*[frozenset({0})] * 4))
    with pytest.raises(PublishUnavailable):
        run_virtual(world.relay.apply, records_of(happy_commits()[:1]))


def test_an_entry_that_the_topic_refuses_for_good_is_not_tried_again() -> None:
    """The sender's own fault: told at once, with the event's id, and never skipped."""
    world = World(FaultyTopic(Failed(0, "InvalidParameter", sender_fault=True)))
    log = happy_commits()[:1]
    with pytest.raises(PublishRefused, match=public(log)[0]):
        run_virtual(world.relay.apply, records_of(log))
    assert len(world.topic.calls) == 1


def test_a_very_long_order_travels_as_a_reference() -> None:
    """An order of 5,000 lines is announced with a `dataRef`, and fits a batch."""
    world = World()
    lines = tuple(line(sku=f"SKU-{index:06}") for index in range(5_000))
    log = commits_for(groups_of((), lines=lines))

    run_virtual(world.relay.apply, records_of(log))

    [event] = world.topic.published
    envelope = orjson.loads(event.body)
    assert "data" not in envelope
    assert envelope["dataRef"].endswith("#1")
    assert event_bytes(event) < 2_000


def outgoing(size: int, name: str = "e") -> _Outgoing:
    return _Outgoing(PublicEvent(name, "o", b"x" * (size - event_bytes(PublicEvent(name, "o", b"", {}))), {}), 0)


def test_a_batch_passes_neither_limit() -> None:
    """Ten entries, or 256 KiB with everything; exactly at the limit still fits, and one event alone may not pass it."""
    assert [len(batch) for batch in batches([outgoing(100)] * 25)] == [10, 10, 5]
    assert [len(batch) for batch in batches([outgoing(60_000)] * 9)] == [4, 4, 1]
    assert [len(batch) for batch in batches([outgoing(BATCH_BYTES_MAX // 2)] * 4)] == [2, 2]
    assert [len(batch) for batch in batches([outgoing(BATCH_BYTES_MAX // 2 + 1)] * 2)] == [1, 1]
    with pytest.raises(PublishRefused):
        batches([outgoing(BATCH_BYTES_MAX + 1)])


def test_attributes_count_against_the_limit() -> None:
    """Names, values and types are bytes too."""
    event = PublicEvent("e", "o", b"12345", {"name": "välue"})
    assert event_bytes(event) == 5 + 4 + 6 + 6


def test_a_backfill_publishes_what_was_recorded_since_and_says_so() -> None:
    """After a gap: every event of the commits since then, also of orders that began before; older commits stay silent."""

    async def scenario() -> None:
        world = World()
        logs = [happy_commits(order_number(index)) for index in range(120)]
        old = happy_commits(order_number(999), start_ms=START_MS - 3_600_000)
        for commit in [*old, *(commit for log in logs for commit in log)]:
            await world.store.append(commit)

        await world.relay.backfill(since_ms=START_MS + 3_000)

        expected = [one for log in logs for one in public(log[2:])]
        assert sorted(ids(world.topic)) == sorted(expected)
        assert world.observer.counts["back-filled relay"] == 120
        assert world.observer.counts["back-filled commits relay"] == 120 * 6

    run_virtual(scenario)


def test_a_backfill_that_fails_raises_the_topics_own_error() -> None:
    """The reader does it again; the error is not wrapped in a group of the relay's tasks."""

    async def scenario() -> None:
        world = World(FaultyTopic(*["unavailable"] * 1_000))
        for index in range(60):
            for commit in happy_commits(order_number(index)):
                await world.store.append(commit)
        with pytest.raises(PublishUnavailable):
            await world.relay.backfill(since_ms=0)

    run_virtual(scenario)


def test_cancelling_a_relay_ends_it() -> None:
    """A drain is not held up by the back-off."""

    async def scenario() -> bool:
        world = World(FaultyTopic(*["unavailable"] * 1_000))
        with anyio.move_on_after(0.01) as scope:
            await world.relay.apply(records_of(happy_commits()))
        return scope.cancelled_caught

    assert run_virtual(scenario)
