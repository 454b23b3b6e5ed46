"""Every event reaches the topic at least once, with the same id each time, whatever the topic does."""

from collections.abc import Sequence
from random import Random

import anyio
import orjson
import pytest

from orderstore.codec import CodecError
from orderstore.contract import PublicEvent
from orderstore.domain import events as e
from orderstore.domain.ids import order_of
from orderstore.store.chain import seal
from orderstore.store.memory import MemoryEventStore
from orderstore.store.port import Commit, Page
from orderstore.store.trouble import Backoff
from projections.publishing.announcements import announcements
from projections.publishing.publisher import (
    BATCH_BYTES_MAX,
    Failed,
    MemoryPublisher,
    PublishRefused,
    PublishUnavailable,
    event_bytes,
)
from projections.publishing.relay import Relay
from projections.publishing.send_queue import Outbox, Outgoing
from projections.publishing.sequence import REMEMBERED_S
from tests.builders import line
from tests.projections.histories import (
    START_MS,
    commits_for,
    groups_of,
    happy_commits,
    order_number,
    record_of,
    records_of,
)
from tests.projections.read_side import CountingObserver
from tests.seeds import seeds
from tests.virtual_time import run_seeded, run_virtual


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
    run_virtual(few.relay.apply, records_of([happy_commits(order_number(index))[0] for index in range(10)]))
    assert len(few.topic.calls) == 1

    many = World(FaultyTopic())
    run_virtual(many.relay.apply, records_of([c for index in range(50) for c in happy_commits(order_number(index))]))
    sizes = [len(call) for call in many.topic.calls]
    assert max(sizes) == 10
    assert len(sizes) <= sum(sizes) / 10 + 4


def test_only_the_entries_that_failed_are_sent_again() -> None:
    """Two of the batch fail, and one of those again: each of the others is handed over once."""
    world = World(FaultyTopic(frozenset({1, 3}), frozenset({0})))
    log = [happy_commits(order_number(index))[0] for index in range(6)]
    expected = public(log)

    run_virtual(world.relay.apply, records_of(log))

    assert world.topic.calls[0] == expected
    assert sorted(ids(world.topic)) == sorted(expected)
    assert world.observer.counts["publish failed InternalError"] == 3


def test_a_time_out_that_did_publish_repeats_the_same_ids() -> None:
    """Nobody knows whether it was published: it is published again, and subscribers know it by its id."""
    world = World(FaultyTopic("published, but the answer was lost"))
    log = happy_commits()[:2]

    run_virtual(world.relay.apply, records_of(log))

    first, *others = public(log)
    assert ids(world.topic) == [first, first, *others]
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
    """The sender's own fault: told with the event's id and its order's, and never skipped."""
    world = World(FaultyTopic(Failed(0, "InvalidParameter", sender_fault=True)))
    log = happy_commits()
    with pytest.raises(PublishRefused, match=public(log)[0]) as refused:
        run_virtual(world.relay.apply, records_of(log))
    assert len(world.topic.calls) == 1
    assert refused.value.streams == {log[0].stream}


def test_an_order_that_is_refused_or_not_understood_holds_up_no_other() -> None:
    """One order's second event is refused, one's third commit is of a build to come: all that may go has gone when it is told."""
    logs = [happy_commits(order_number(index)) for index in range(30)]
    refused = public(logs[3])[1]
    strange = seal(stream=logs[5][2].stream, number=3, recorded_at_ms=START_MS, body=b"?", previous=logs[5][1])
    logs[5] = [*logs[5][:2], strange, *logs[5][3:]]

    class Choosy(MemoryPublisher):
        async def publish(self, batch: Sequence[PublicEvent]) -> tuple[Failed, ...]:
            await super().publish([event for event in batch if event.event_id != refused])
            return tuple(
                Failed(place, "InvalidParameter", sender_fault=True)
                for place, event in enumerate(batch)
                if event.event_id == refused
            )

    world = World(Choosy())
    with pytest.raises(PublishRefused) as told:
        run_virtual(world.relay.apply, records_of([commit for log in logs for commit in log]))

    assert told.value.streams == {logs[3][0].stream}
    whole = [log for index, log in enumerate(logs) if index not in {3, 5}]
    assert sorted(ids(world.topic)) == sorted(
        [one for log in whole for one in public(log)] + public(logs[3])[:1] + public(logs[5][:2])
    )
    with pytest.raises(CodecError):
        run_virtual(World().relay.apply, records_of(logs[5]))


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


def batches(*sizes: int) -> list[int]:
    """How many events go in each batch, when each is of another order."""
    outbox = Outbox(
        Outgoing(PublicEvent("e", "o", b"x" * (size - event_bytes(PublicEvent("e", "o", b"", {}))), {}), f"s{place}", 0)
        for place, size in enumerate(sizes)
    )
    counts = []
    while batch := outbox.take(0):
        counts.append(len(batch))
    return counts


def test_a_batch_passes_neither_limit() -> None:
    """Ten entries, or 256 KiB with everything; exactly at the limit still fits, and what is larger is alone."""
    assert batches(*[100] * 25) == [10, 10, 5]
    assert batches(*[60_000] * 9) == [4, 4, 1]
    assert batches(*[BATCH_BYTES_MAX // 2] * 4) == [2, 2]
    assert batches(*[BATCH_BYTES_MAX // 2 + 1] * 2) == [1, 1]
    assert batches(100, BATCH_BYTES_MAX + 1, 100) == [1, 1, 1]


def test_attributes_count_against_the_limit() -> None:
    """Names, values and types are bytes too."""
    event = PublicEvent("e", "o", b"12345", {"name": "välue"})
    assert event_bytes(event) == 5 + 4 + 6 + 6


@pytest.mark.parametrize("seed", seeds(8, range(20)))
def test_a_commit_that_the_stream_brings_too_early_waits_for_those_in_front_of_it(seed: int) -> None:
    """Records overtake each other, within a page and between pages, and come again: each is published first in its order's order."""
    print(f"seed {seed}")  # noqa: T201 - a run that failed can be run again
    random = Random(seed)

    async def scenario() -> None:
        faults = random.choices([None, "unavailable", frozenset({0})], k=40) if seed % 2 else ()
        world = World(FaultyTopic(*faults))
        logs = [happy_commits(order_number(index)) for index in range(6)]
        await stored(world, *logs)
        places = {commit: place + random.uniform(0, 4) for log in logs for place, commit in enumerate(log)}
        arriving = sorted(places, key=lambda commit: 0 if commit.number == 1 else places[commit])
        while arriving:
            page, arriving = arriving[: (size := random.randint(1, 7))], arriving[size:]
            if random.random() < 0.3:
                page = [*page, *random.choices(page, k=2)]
            try:
                await world.relay.apply(records_of(page))
            except PublishUnavailable:
                arriving = [*page, *arriving]
            await anyio.sleep(random.choice([0, 0.2, 1]))

        for log in logs:
            mine = [event.event_id for event in world.topic.published if event.order_id == order_of(log[0].stream)[1]]
            assert list(dict.fromkeys(mine)) == public(log)
            if not faults:  # else a commit of two events may have been cut between them, and is sent whole
                assert mine == public(log), "nothing is published twice by a process that has just published it"
        assert world.observer.counts["missing relay"] > 0

    run_seeded(seed, scenario)


def test_a_hole_that_cannot_be_filled_holds_up_nobody() -> None:
    """What is missing is refused: its own record is on its way, and the order is to be parked at that one; the others go."""

    class Choosy(MemoryPublisher):
        async def publish(self, batch: Sequence[PublicEvent]) -> tuple[Failed, ...]:
            bad = [place for place, event in enumerate(batch) if event.event_id == refused]
            await super().publish([event for event in batch if event.event_id != refused] or [batch[0]])
            return tuple(Failed(place, "InvalidParameter", sender_fault=True) for place in bad)

    log, other = happy_commits(), happy_commits(order_number(1))
    refused = public(log[1:2])[0]

    async def scenario() -> None:
        world = World(Choosy())
        await stored(world, log, other)
        await world.relay.apply(records_of([log[0]]))
        await world.relay.apply(records_of([log[2], *other]))
        assert set(public([log[2], *other])) <= set(ids(world.topic))
        with pytest.raises(PublishRefused) as told:
            await world.relay.apply(records_of([log[1]]))
        assert told.value.streams == {log[0].stream}

    run_virtual(scenario)


def test_a_hole_is_filled_with_what_is_missing_and_no_more() -> None:
    """The log's pages go on behind it: what comes later has records of its own."""

    async def scenario() -> None:
        world = World()
        log = happy_commits()
        await stored(world, log)

        async def pages(stream: str, *, after: int = 0, first_commits_max: int | None = None):
            yield Page(tuple(log[after : after + 1]), more=True)
            yield Page(tuple(log[after + 1 :]), more=False)

        world.store.pages = pages
        await world.relay.apply(records_of(log[:1]))
        await world.relay.apply(records_of([log[4]]))
        assert ids(world.topic) == public(log[:5])

    run_virtual(scenario)


def test_what_was_published_a_while_ago_is_taken_as_it_comes() -> None:
    """By then somebody else may have decided about the commits between: a parked order that a person took up, or passed over."""

    async def scenario() -> None:
        world = World()
        log = happy_commits()
        await stored(world, log)
        await world.relay.apply(records_of(log[:2]))
        await anyio.sleep(REMEMBERED_S + 1)
        await world.relay.apply(records_of([log[4]]))
        assert ids(world.topic) == public([*log[:2], log[4]])

    run_virtual(scenario)


def test_after_a_refusal_an_order_is_taken_as_it_comes() -> None:
    """Its next record may be one behind a commit that somebody set aside: that is not to be published after all."""
    log = happy_commits()

    class Once(MemoryPublisher):
        refused = 0

        async def publish(self, batch: Sequence[PublicEvent]) -> tuple[Failed, ...]:
            if public(log[2:3])[0] in [event.event_id for event in batch]:
                self.refused += 1
                return (Failed(0, "InvalidParameter", sender_fault=True),)
            return await super().publish(batch)

    async def scenario() -> None:
        world = World(Once())
        await stored(world, log)
        await world.relay.apply(records_of(log[:2]))
        with pytest.raises(PublishRefused):
            await world.relay.apply(records_of(log[2:4]))
        await world.relay.apply(records_of(log[3:]))
        assert (world.topic.refused, ids(world.topic)) == (1, public([*log[:2], *log[3:]]))

    run_virtual(scenario)


async def stored(world: World, *logs: Sequence[Commit]) -> None:
    for log in logs:
        for commit in log:
            await world.store.append(commit)


def test_a_resumed_order_goes_on_with_the_commit_that_is_named() -> None:
    """What a quarantine held comes from the log, in order, that commit included, page by page; nothing of before comes again."""

    async def scenario() -> None:
        world = World()
        log, other = happy_commits(), happy_commits(order_number(1))
        await stored(world, log, other)

        await world.relay.resume(log[0].stream, first=record_of(log[2]).keys)

        assert ids(world.topic) == public(log[2:])

    run_virtual(scenario)


def test_a_resumed_order_needs_the_memory_of_a_page() -> None:
    """However long the order is: a page is read when the one before it is published."""

    async def scenario() -> None:
        world = World()
        log = happy_commits()
        await stored(world, log)
        seen: list[int] = []
        pages_of_the_store = world.store.pages

        async def pages(stream: str, *, after: int = 0, first_commits_max: int | None = None):
            assert (after, first_commits_max) == (1, None)
            for commit in log[after:]:
                seen.append(len(world.topic.published))
                yield Page((commit,), more=True)

        world.store.pages = pages
        await world.relay.resume(log[0].stream, first=record_of(log[1]).keys)
        world.store.pages = pages_of_the_store

        assert seen == [len(public(log[1:place])) for place in range(1, len(log))]

    run_virtual(scenario)


def test_only_the_orders_that_are_named_are_repaired() -> None:
    """A quarantine leaves out those that are parked; the keys are those with something since."""

    async def scenario() -> None:
        world = World()
        logs = [happy_commits(order_number(index)) for index in range(3)]
        old = happy_commits(order_number(9), start_ms=START_MS - 3_600_000)
        await stored(world, *logs, old)

        keys = [key async for key in world.relay.keys(START_MS)]
        await world.relay.repair([logs[0][0].stream, logs[2][0].stream], since_ms=START_MS + 3_000)

        assert sorted(set(keys)) == sorted(log[0].stream for log in logs)
        assert sorted(ids(world.topic)) == sorted(public(logs[0][2:]) + public(logs[2][2:]))

    run_virtual(scenario)


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


def test_a_back_fill_that_begins_anew_tells_nothing_twice_that_it_has_just_told() -> None:
    """Nor what the stream brought in the same moment; after a minute it does, for then somebody else may have had the order."""
    world = World()
    log = happy_commits()

    async def scenario() -> None:
        for commit in log:
            await world.store.append(commit)
        await world.relay.apply(records_of(log[:2]))
        for _ in range(3):
            await world.relay.repair([log[0].stream], since_ms=0)
        assert ids(world.topic) == public(log)
        await anyio.sleep(REMEMBERED_S + 1)
        await world.relay.repair([log[0].stream], since_ms=0)
        assert ids(world.topic) == public(log) * 2

    run_virtual(scenario)
