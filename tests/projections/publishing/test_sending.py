"""Whatever a topic does to a batch, entry by entry: of one order, nothing is handed over before what is in front of it is there."""

from collections import defaultdict
from collections.abc import Sequence
from random import Random

import anyio
import pytest

from orderstore.contract import PublicEvent
from orderstore.store.trouble import Backoff
from projections.observe import SilentObserver
from projections.publishing.publisher import (
    BATCH_BYTES_MAX,
    ENTRIES_MAX,
    Failed,
    PublishRefused,
    PublishUnavailable,
    event_bytes,
)
from projections.publishing.send_queue import Outgoing
from projections.publishing.sending import CALLS_AT_ONCE, Sender
from tests.seeds import seeds
from tests.virtual_time import run_seeded, run_virtual


def event(order: int, place: int, size: int = 10) -> Outgoing:
    return Outgoing(PublicEvent(f"{order}-{place}", f"o{order}", b"x" * size, {}), f"s{order}", 0)


class MoodyTopic:
    """Fails calls and entries at random, takes what it says it did not, takes its time, refuses some events for good; and is watchful."""

    def __init__(self, random: Random, *, refused: frozenset[str] = frozenset(), trouble: float = 0.5) -> None:
        self.random = random
        self.refused = refused
        self.trouble = trouble
        self.there: dict[str, list[str]] = defaultdict(list)  # by order, first publications only
        self.under_way: set[str] = set()
        self.calls_at_once = 0
        self.calls_at_once_max = 0

    async def publish(self, batch: Sequence[PublicEvent]) -> tuple[Failed, ...]:
        self._watch(batch)
        orders = {one.order_id for one in batch}
        self.under_way |= orders
        self.calls_at_once += 1
        self.calls_at_once_max = max(self.calls_at_once, self.calls_at_once_max)
        try:
            await anyio.sleep(self.random.uniform(0, 0.2))
            return self._answer(batch)
        finally:
            self.under_way -= orders
            self.calls_at_once -= 1

    def _watch(self, batch: Sequence[PublicEvent]) -> None:
        orders = [one.order_id for one in batch]
        assert 1 <= len(batch) <= ENTRIES_MAX
        assert sum(map(event_bytes, batch)) <= BATCH_BYTES_MAX
        assert len(set(orders)) == len(orders), "two of one order in one call"
        assert not self.under_way & set(orders), "two of one order in two calls at once"
        for one in batch:
            place = int(one.event_id.partition("-")[2])
            assert len(self.there[one.order_id]) >= place, f"{one.event_id} before the one in front of it"

    def _take(self, one: PublicEvent) -> None:
        if one.event_id not in self.there[one.order_id]:
            self.there[one.order_id].append(one.event_id)

    def _answer(self, batch: Sequence[PublicEvent]) -> tuple[Failed, ...]:
        if self.random.random() < self.trouble / 3:
            for one in batch:  # time-out: nobody knows
                if one.event_id not in self.refused and self.random.random() < 0.5:
                    self._take(one)
            raise PublishUnavailable("no answer")
        failed = []
        for place, one in enumerate(batch):
            if one.event_id in self.refused:
                failed.append(Failed(place, "InvalidParameter", sender_fault=True))
            elif self.random.random() < self.trouble:
                failed.append(Failed(place, "InternalError", sender_fault=False))
                if self.random.random() < 0.3:
                    self._take(one)
            else:
                self._take(one)
        return tuple(failed)


def sender(topic: object, random: Random, *, tries_max: int = 8) -> Sender:
    return Sender(
        topic,
        now_ms=lambda: 0,
        random=random,
        observer=SilentObserver(),
        backoff=Backoff(tries_max=tries_max),
    )


@pytest.mark.parametrize("seed", seeds(10, range(30)))
def test_order_by_order_whatever_fails(seed: int) -> None:
    """Given again as a reader does, without the orders that were refused, all the others are there, and nothing of those behind it."""
    print(f"seed {seed}")  # noqa: T201 - a run that failed can be run again
    random = Random(seed)
    lengths = [random.randint(1, 7) for _ in range(random.randint(1, 60))]
    events = [
        event(order, place, random.choice([10, 10, 10, 100_000]))
        for order, length in enumerate(lengths)
        for place in range(length)
    ]
    poison = frozenset(one.event.event_id for one in events if random.random() < 0.03)
    topic = MoodyTopic(random, refused=poison, trouble=random.choice([0, 0.2, 0.6]))

    async def scenario() -> None:
        parked: set[str] = set()
        for _ in range(100):
            rest = [one for one in events if one.stream not in parked]
            try:
                await sender(topic, random, tries_max=20).send(rest)
            except PublishUnavailable:
                continue
            except PublishRefused as refused:
                parked |= refused.streams
            else:
                return
        raise AssertionError("it does not come to an end")

    run_seeded(seed, scenario)

    for order, length in enumerate(lengths):
        mine = [f"{order}-{place}" for place in range(length)]
        stop = next((place for place, one in enumerate(mine) if one in poison), length)
        assert topic.there[f"o{order}"] == mine[:stop]
    assert topic.calls_at_once_max <= CALLS_AT_ONCE


def test_an_order_that_fails_without_end_ends_alone() -> None:
    """Its events are tried a bounded number of times, the second never before the first; the others are there when it is told."""

    class Stubborn(MoodyTopic):
        tries = 0

        def _answer(self, batch: Sequence[PublicEvent]) -> tuple[Failed, ...]:
            places = [place for place, one in enumerate(batch) if one.order_id == "o3"]
            self.tries += len(places)
            for one in batch:
                if one.order_id != "o3":
                    self._take(one)
            return tuple(Failed(place, "InternalError", sender_fault=False) for place in places)

    topic = Stubborn(Random(1))
    events = [event(order, place) for order in range(30) for place in range(3)]

    with pytest.raises(PublishUnavailable):
        run_virtual(sender(topic, Random(1), tries_max=4).send, events)

    assert topic.tries == 4
    assert sum(len(mine) for mine in topic.there.values()) == 87


def test_a_topic_that_is_away_is_told_at_once() -> None:
    """Not after every batch has failed in its turn: a page of a thousand is given back after the tries of a few calls."""

    class Away:
        calls = 0

        async def publish(self, batch: Sequence[PublicEvent]) -> tuple[Failed, ...]:
            self.calls += 1
            await anyio.lowlevel.checkpoint()
            raise PublishUnavailable("nobody there")

    topic = Away()
    with pytest.raises(PublishUnavailable):
        run_virtual(sender(topic, Random(1), tries_max=4).send, [event(order, 0) for order in range(1_000)])
    assert topic.calls <= 4 * CALLS_AT_ONCE


def test_a_topic_that_takes_nothing_of_anybody_blames_no_order() -> None:
    """No rights, no topic: no order is to be parked for that."""

    class Closed:
        async def publish(self, batch: Sequence[PublicEvent]) -> tuple[Failed, ...]:
            await anyio.lowlevel.checkpoint()
            raise PublishRefused("AuthorizationError")

    with pytest.raises(PublishRefused) as refused:
        run_virtual(sender(Closed(), Random(1)).send, [event(order, 0) for order in range(50)])
    assert refused.value.streams == frozenset()


def test_an_event_that_no_batch_can_hold_is_refused_without_a_call() -> None:
    """It ends its own order: what is in front of it goes, what is behind it does not, and the others go."""
    topic = MoodyTopic(Random(1), trouble=0)
    events = [event(0, 0), event(0, 1, BATCH_BYTES_MAX + 1), event(0, 2), event(1, 0), event(1, 1)]

    with pytest.raises(PublishRefused, match="0-1") as refused:
        run_virtual(sender(topic, Random(1)).send, events)

    assert refused.value.streams == {"s0"}
    assert topic.there == {"o0": ["0-0"], "o1": ["1-0", "1-1"]}


def test_a_failing_order_does_not_slow_the_others() -> None:
    """While one order waits for its next try, the long histories of the others go on."""

    class Slow(MoodyTopic):
        def _answer(self, batch: Sequence[PublicEvent]) -> tuple[Failed, ...]:
            failed = []
            for place, one in enumerate(batch):
                if one.event_id == "0-0" and len(self.there["o1"]) < 20:
                    failed.append(Failed(place, "InternalError", sender_fault=False))
                else:
                    self._take(one)
            return tuple(failed)

    topic = Slow(Random(1))
    events = [event(0, 0), *[event(1, place) for place in range(20)]]
    run_virtual(sender(topic, Random(1), tries_max=100).send, events)
    assert topic.there == {"o0": ["0-0"], "o1": [f"1-{place}" for place in range(20)]}


def test_a_topic_that_fails_now_and_then_is_not_away() -> None:
    """Only failures in a row count: every second call fails, and a long page arrives all the same."""

    class NowAndThen(MoodyTopic):
        calls = 0

        def _answer(self, batch: Sequence[PublicEvent]) -> tuple[Failed, ...]:
            self.calls += 1
            if self.calls % 2:
                raise PublishUnavailable("no answer")
            return super()._answer(batch)

    topic = NowAndThen(Random(1), trouble=0)
    events = [event(0, place) for place in range(30)]
    run_virtual(sender(topic, Random(1), tries_max=3).send, events)
    assert topic.there == {"o0": [one.event.event_id for one in events]}
