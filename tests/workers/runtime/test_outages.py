"""While what a handler stands on is down, its messages wait: no receive is burnt, nothing is dead-lettered, all is done afterwards."""

import random
from itertools import pairwise

import anyio
import pytest

from tests.virtual_time import run_virtual
from tests.workers.runtime.harness import SEED, Recorder, consuming, full_load, make_loop, make_queues, send_many
from workers.runtime.breaker import BreakerSettings, Guarded
from workers.runtime.outcome import Defer, Done, Poison
from workers.runtime.queue import Message


class Down(Exception):
    """What a port raises while its service is down."""


class Downstream:
    """A service that is down between two moments; `hangs` says how: by refusing, or by never answering."""

    def __init__(self, *, from_s=0.0, until_s=0.0, hangs=False, always_fails=()):
        self.from_s = from_s
        self.until_s = until_s
        self.hangs = hangs
        self.always_fails = set(always_fails)
        self.calls = []
        self.done = []

    async def __call__(self, message):
        now = anyio.current_time()
        self.calls.append((now, message.body))
        await anyio.sleep(0.05)
        if self.from_s <= now < self.until_s:
            if self.hangs:
                await anyio.sleep_forever()
            raise Down
        if message.body in self.always_fails:
            raise Down
        self.done.append(message.body)
        return Done()


class Facts:
    """A breaker's observer that counts."""

    def __init__(self):
        self.open_now = False
        self.counts = {"opened": 0, "closed": 0, "held": 0, "own_fault": 0}

    def opened(self, *, error):
        self.counts["opened"] += 1
        assert not self.open_now, "opened twice"
        self.open_now = True

    def closed(self, *, after_s):
        assert self.open_now
        assert after_s >= 0
        self.counts["closed"] += 1
        self.open_now = False

    def held(self):
        self.counts["held"] += 1

    def own_fault(self, *, error):
        self.counts["own_fault"] += 1


def guarded(downstream, facts=None, **settings):
    return Guarded(
        downstream,
        is_outage=lambda error: isinstance(error, Down | TimeoutError),
        source=random.Random(SEED),
        settings=BreakerSettings(**settings),
        observer=facts,
    )


LONG_HOLD = {"defer_hold_s_max": 36_000.0}
TWENTY_MINUTES_S = 1_200.0


@pytest.mark.parametrize(
    ("hangs", "down_s"),
    [
        pytest.param(False, 200.0, id="refuses for three minutes"),
        pytest.param(False, TWENTY_MINUTES_S, id="refuses for twenty", marks=pytest.mark.thorough),
        pytest.param(True, 120.0, id="never answers for two", marks=pytest.mark.thorough),
        pytest.param(True, TWENTY_MINUTES_S, id="never answers for twenty", marks=pytest.mark.thorough),
    ],
)
def test_minutes_without_the_downstream_dead_letter_nothing_and_lose_nothing(hangs, down_s):  # D12
    """Messages keep coming at one a second; each is received once, held, and done soon after the downstream is back."""

    async def scenario():
        queue, clock = make_queues(receive_count_max=3)
        downstream = Downstream(from_s=30.0, until_s=30.0 + down_s, hangs=hangs)
        facts, observer = Facts(), Recorder()
        loop = make_loop(
            queue, guarded(downstream, facts), full_load(concurrency=20, **LONG_HOLD), observer=observer, clock=clock
        )
        sent = 0
        async with consuming(loop):
            while anyio.current_time() < 30.0 + down_s:
                await queue.inner.send(str(sent))
                sent += 1
                await anyio.sleep(1.0)
            await anyio.sleep(120.0)
        assert sorted(map(int, downstream.done)) == list(range(sent))
        assert (await queue.depths()).dead_letters == 0
        assert all(started.receive_count == 1 for started in observer.of("started"))
        assert facts.counts["opened"] >= 1
        assert not facts.open_now

    run_virtual(scenario)


def test_the_only_message_there_is_survives_an_outage():
    """Nothing else is done meanwhile, so nothing says that the fault is its own."""

    async def scenario():
        queue, clock = make_queues(receive_count_max=3)
        downstream = Downstream(until_s=TWENTY_MINUTES_S)
        await queue.inner.send("alone")
        async with consuming(make_loop(queue, guarded(downstream), full_load(**LONG_HOLD), clock=clock)):
            await anyio.sleep(TWENTY_MINUTES_S + 60)
        assert downstream.done == ["alone"]
        assert (await queue.depths()).dead_letters == 0

    run_virtual(scenario)


@pytest.mark.thorough
def test_a_message_that_fails_while_others_are_done_ends_in_the_dead_letters():
    """It looks like an outage and is none: the others prove it, and hold nothing up."""

    async def scenario():
        queue, clock = make_queues(receive_count_max=3)
        downstream = Downstream(always_fails={"7"})
        facts = Facts()
        async with consuming(
            make_loop(
                queue,
                guarded(downstream, facts, own_fault_after_s=60),
                full_load(retry_cap_s=5, **LONG_HOLD),
                clock=clock,
            )
        ):
            for number in range(600):
                await queue.inner.send(str(number))
                await anyio.sleep(1.0)
            await anyio.sleep(60)
        assert sorted(map(int, downstream.done)) == [number for number in range(600) if number != 7]
        assert (await queue.depths()).dead_letters == 1
        assert facts.counts["own_fault"] == 3, "once for each of its receives"
        assert facts.counts["opened"] == 0

    run_virtual(scenario)


@pytest.mark.thorough
def test_while_it_is_open_only_probes_reach_the_downstream():
    """500 messages wait; at most one call is under way, and the calls come at the probes' pace."""

    async def scenario():
        queue, clock = make_queues()
        downstream = Downstream(until_s=TWENTY_MINUTES_S)
        await send_many(queue, 500)
        loop = make_loop(queue, guarded(downstream), full_load(concurrency=100, **LONG_HOLD), clock=clock)
        async with consuming(loop):
            await anyio.sleep(TWENTY_MINUTES_S)
            late = [at for at, _ in downstream.calls if at > 60]
            assert len(late) <= TWENTY_MINUTES_S / 7.5, "a probe waits 7.5 to 15 s"
            assert len(late) >= TWENTY_MINUTES_S / 60, "and yet the recovery is looked for"
            assert all(after - before > 1 for before, after in pairwise(late))
            await anyio.sleep(120)
        assert len(downstream.done) == 500

    run_virtual(scenario)


def test_errors_that_are_no_outage_go_their_own_way():
    """They are raised as they are, prove that the downstream answers, and open nothing."""

    async def scenario():
        facts = Facts()

        async def broken(message):
            raise KeyError(message.body)

        guard = guarded(broken, facts)
        for number in range(50):
            with pytest.raises(KeyError):
                await guard(message(str(number)))
        assert facts.counts == {"opened": 0, "closed": 0, "held": 0, "own_fault": 0}

        async def poison(_message):
            return Poison("no")

        assert await guarded(poison)(message("1")) == Poison("no")

    run_virtual(scenario)


def test_a_cancelled_probe_lets_the_next_one_through():
    """A worker that loses a message's visibility cancels its handler: the breaker must not wait for that probe for ever."""

    async def scenario():
        downstream = Downstream(until_s=1_000.0, hangs=True)
        guard = guarded(downstream, failures_to_open=1, answer_within_s=5.0, probe_max_s=2.0)
        assert isinstance(await guard(message("first")), Defer)
        assert guard.is_open
        await anyio.sleep(10)
        with anyio.move_on_after(1):
            await guard(message("probe"))
        calls = len(downstream.calls)
        assert isinstance(await guard(message("next probe")), Defer)
        assert len(downstream.calls) == calls + 1

    run_virtual(scenario)


def test_failing_messages_are_remembered_within_a_bound():
    """However many fail, the memory for them ends somewhere."""

    async def scenario():
        downstream = Downstream(until_s=1e9)
        guard = guarded(downstream, failures_to_open=10_000, remembered_max=100)
        for number in range(1_000):
            await guard(message(str(number)))
        assert len(guard._failing) == 100

    run_virtual(scenario)


@pytest.mark.parametrize(
    "wrong",
    [{"failures_to_open": 0}, {"probe_initial_s": 5.0, "probe_max_s": 1.0}, {"answer_within_s": 0.0}],
)
def test_numbers_that_make_no_breaker_are_refused(wrong):
    """At construction, not in the first outage."""
    with pytest.raises(ValueError, match=r"must be|probe_initial_s"):
        BreakerSettings(**wrong)


def message(body):
    return Message(id=body, receipt=body, body=body, attributes={}, receive_count=1, sent_at_ms=0)
