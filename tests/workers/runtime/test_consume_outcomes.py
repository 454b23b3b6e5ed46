"""Each outcome, and each way for a handler to fail, has its own end."""

import anyio
import pytest
import trio

from tests.virtual_time import run_virtual
from tests.workers.runtime.harness import Recorder, consuming, full_load, make_loop, make_queues, send_many
from workers.runtime.deadletter import ORIGINAL_ID, REASON, RECEIVE_COUNT
from workers.runtime.outcome import Defer, Done, Poison, Retry, classify_unknown
from workers.runtime.queue import RequestRefused, Unavailable
from workers.runtime.settings import ConsumeSettings


async def letters_of(dead):
    return [*(await dead.receive(max_messages=10, wait_s=0, visibility_timeout_s=600))]


def test_poison_goes_straight_to_the_dead_letters_with_its_cause():
    """One receive, then the dead-letter queue with body, attributes, original id, reason and receive count."""

    async def scenario():
        queue, clock = make_queues()

        async def handler(message):
            return Done() if message.body == "good" else Poison("unknown schema version 9")

        bad = await queue.inner.send("bad", attributes={"eventType": "OrderCreated", "tenant": "t1"})
        await queue.inner.send("good")
        observer = Recorder()
        async with consuming(make_loop(queue, handler, observer=observer, clock=clock)):
            await anyio.sleep(5)
        (letter,) = await letters_of(queue.dead)
        assert letter.body == "bad"
        assert letter.attributes == {
            "eventType": "OrderCreated",
            "tenant": "t1",
            ORIGINAL_ID: bad,
            REASON: "unknown schema version 9",
            RECEIVE_COUNT: "1",
        }
        assert len(observer.of("poisoned")) == 1
        depths = await queue.depths()
        assert (depths.visible, depths.in_flight) == (0, 0)

    run_virtual(scenario)


@pytest.mark.parametrize(
    ("body", "attributes"),
    [
        ("{not json", {}),
        ("x" * 1_048_576, {}),
        ("x" * (1_048_576 - 50), {"eventType": "OrderCreated"}),
        ("ok", {f"a{n}": str(n) for n in range(10)}),
    ],
    ids=["undecodable", "1 MiB", "nearly 1 MiB", "ten attributes"],
)
def test_poison_of_any_shape_leaves_the_worker_alive(body, attributes):
    """The letter keeps the body whole, and the next message is handled."""

    async def scenario():
        queue, clock = make_queues()

        async def handler(message):
            return Done() if message.body == "next" else Poison("undecodable\x00 \ud800 body")

        await queue.inner.send(body, attributes=attributes)
        await queue.inner.send("next")
        async with consuming(make_loop(queue, handler, clock=clock)):
            await anyio.sleep(5)
        (letter,) = await letters_of(queue.dead)
        assert letter.body == body  # fault 9
        assert [message.body for message in queue.deleted if message.body == "next"] == ["next"]
        assert len(queue.deleted) == 2

    run_virtual(scenario)


def test_a_dead_letter_queue_that_is_down_for_a_moment_loses_nothing():
    """Sending is tried again; the original is deleted only after the copy is safe."""

    async def scenario():
        queue, clock = make_queues()
        queue.failing["dead_letter"] = 3
        queue.error = Unavailable("down")

        async def handler(message):
            return Poison("bad")

        await send_many(queue, 1)
        async with consuming(make_loop(queue, handler, clock=clock)):
            await anyio.sleep(2)
            assert queue.deleted == []
            await anyio.sleep(60)
        assert len(await letters_of(queue.dead)) == 1
        assert len(queue.deleted) == 1

    run_virtual(scenario)


def test_poison_that_the_dead_letter_queue_refuses_ends_there_by_the_queues_own_redrive():
    """The way that is left: three receives, then the redrive policy."""

    async def scenario():
        queue, clock = make_queues()
        queue.error = RequestRefused("too large")
        queue.failing["dead_letter"] = 10_000
        runs = []

        async def handler(message):
            runs.append(message.receive_count)
            return Poison("bad")

        await send_many(queue, 1)
        observer = Recorder()
        async with consuming(make_loop(queue, handler, observer=observer, clock=clock)):
            await anyio.sleep(500)
        assert runs == [1, 2, 3]
        assert len(await letters_of(queue.dead)) == 1
        assert queue.deleted == []
        assert "dead-lettering failed" in observer.of("retried")[0].reason

    run_virtual(scenario)


def test_poison_whose_deletion_fails_is_not_dead_lettered_twice_by_this_process():
    """Its id is remembered like that of finished work."""

    async def scenario():
        queue, clock = make_queues()
        queue.failing["delete"] = 250

        async def handler(message):
            return Poison("bad")

        settings = full_load(
            visibility_timeout_s=30,
            handler_deadline_s=5,
            heartbeat_interval_s=10,
            heartbeat_cap_s=30,
            wait_s=5,
            poll_grace_s=5,
        )
        await send_many(queue, 1)
        async with consuming(make_loop(queue, handler, settings, clock=clock)):
            await anyio.sleep(400)
        assert len([1 for method, _ in queue.calls if method == "dead_letter"]) == 1

    run_virtual(scenario)


@pytest.mark.thorough
def test_a_retry_waits_a_random_time_below_a_bound_that_doubles():
    """Full jitter by receive count, through the message's visibility."""

    async def scenario():
        queue, clock = make_queues(receive_count_max=12)

        async def handler(message):
            return Retry("down")

        await send_many(queue, 40)
        settings = full_load(receive_count_max=12, retry_base_s=4, retry_cap_s=60, concurrency=40)
        observer = Recorder()
        async with consuming(make_loop(queue, handler, settings, observer=observer, clock=clock)):
            await anyio.sleep(2_000)
        waits = {}
        for detail in observer.of("retried"):
            waits.setdefault(detail.work.receive_count, []).append(detail.after_s)
        for count, seen in waits.items():
            assert max(seen) <= min(60, 4 * 2 ** (count - 1))
        assert max(waits[6]) > 30 > min(waits[6])
        assert len(set(waits[6])) > 10

    run_virtual(scenario)


def test_a_retry_with_its_own_delay_waits_that_long():
    """The message comes back after exactly the asked seconds."""

    async def scenario():
        queue, clock = make_queues()
        started = []

        async def handler(message):
            started.append(anyio.current_time())
            return Done() if message.receive_count > 1 else Retry("rate limited", after_s=37)

        await send_many(queue, 1)
        async with consuming(make_loop(queue, handler, clock=clock)):
            await anyio.sleep(100)
        assert started[1] - started[0] == pytest.approx(37, abs=0.2)

    run_virtual(scenario)


def test_a_handler_over_its_deadline_is_cancelled_and_retried():
    """At 15 s it is cancelled; the message is tried again and then succeeds."""

    async def scenario():
        queue, clock = make_queues()
        cancelled_at = []

        async def handler(message):
            if message.receive_count == 1:
                try:
                    await anyio.sleep(600)
                except trio.Cancelled:
                    cancelled_at.append(anyio.current_time())
                    raise
            return Done()

        await send_many(queue, 1)
        observer = Recorder()
        async with consuming(make_loop(queue, handler, observer=observer, clock=clock)):
            await anyio.sleep(60)
        assert cancelled_at == [15]  # E077
        assert [detail.reason for detail in observer.of("retried")] == ["handler deadline of 15 s"]
        assert len(queue.deleted) == 1

    run_virtual(scenario)


def test_exceptions_are_classified_by_the_composers_table():
    """The table turns one exception into poison; the default calls every unknown one a retry."""

    async def scenario():
        queue, clock = make_queues()

        async def handler(message):
            raise UnicodeError if message.body == "0" else LookupError

        def classify(error):
            return Poison("undecodable") if isinstance(error, UnicodeError) else classify_unknown(error)

        await send_many(queue, 2)
        observer = Recorder()
        async with consuming(make_loop(queue, handler, observer=observer, clock=clock, classify=classify)):
            await anyio.sleep(1)
        assert isinstance(observer.of("poisoned")[0].error, UnicodeError)
        assert observer.of("retried")[0].reason == "builtins.LookupError"

    run_virtual(scenario)


def test_the_default_reason_holds_no_text_of_the_exception():
    """Texts may hold personal data."""
    assert classify_unknown(ValueError("ann@example.com")) == Retry("builtins.ValueError")


def test_a_short_deferral_calls_the_handler_again_on_the_same_receipt():
    """Deferred for 40 s: same receive, nothing burnt, no handler's place taken meanwhile."""

    async def scenario():
        queue, clock = make_queues()
        calls = []

        async def handler(message):
            calls.append((message.body, message.receive_count, anyio.current_time()))
            return Defer(40) if message.body == "0" and len([c for c in calls if c[0] == "0"]) < 6 else Done()

        await send_many(queue, 1)
        settings = full_load(concurrency=2, wait_s=1, poll_grace_s=1)
        async with consuming(make_loop(queue, handler, settings, clock=clock)):
            await anyio.sleep(1)
            for body in ("a", "b", "c"):
                await queue.inner.send(body)
            await anyio.sleep(300)
        assert [(count, round(at)) for body, count, at in calls if body == "0"] == [(1, 40 * n) for n in range(6)]
        assert all(at < 10 for body, _, at in calls if body != "0")

    run_virtual(scenario)


def test_a_deferral_longer_than_may_be_held_is_given_to_the_queue():
    """Two hours: the queue hides it, at the price of one receive."""

    async def scenario():
        queue, clock = make_queues()
        calls = []

        async def handler(message):
            calls.append((message.receive_count, anyio.current_time()))
            return Done() if message.receive_count > 1 else Defer(7_200)

        await send_many(queue, 1)
        loop = make_loop(queue, handler, clock=clock)
        async with consuming(loop):
            await anyio.sleep(60)
            assert loop.held == 0
            await anyio.sleep(7_300)
        assert [(count, round(at)) for count, at in calls] == [(1, 0), (2, 7_200)]

    run_virtual(scenario)


def test_a_message_given_to_two_workers_at_once_has_its_effect_once():
    """One commits (a conditional write), the other is told that it is already so; both delete, nothing is dead-lettered."""

    async def scenario():
        queue, clock = make_queues()
        effects = {}
        overlapping = []

        async def handler(message):
            overlapping.append(message.id)
            await anyio.sleep(2)
            if message.id in effects:  # the conditional write fails
                return Done()
            effects[message.id] = message.receive_count
            return Done()

        # The first receive's visibility is far too short: the queue delivers again while the handler runs.
        real = queue.inner.receive

        async def short(**arguments):
            return await real(**{**arguments, "visibility_timeout_s": 1 if anyio.current_time() < 1 else 120})

        queue.inner.receive = short
        ids = await send_many(queue, 10)
        loops = [make_loop(queue, handler, clock=clock) for _ in range(2)]
        async with consuming(*loops):
            await anyio.sleep(600)
        assert sorted(effects) == sorted(ids)  # E070 E079, fault 4
        depths = await queue.depths()
        assert (depths.visible, depths.in_flight, depths.dead_letters) == (0, 0, 0)

    run_virtual(scenario)


def test_a_message_that_kills_the_process_ends_in_the_dead_letters_and_takes_nobody_with_it():
    """Each worker dies on it without a word; after three receives it is dead-lettered, and the others are done."""

    async def scenario():
        queue, clock = make_queues()
        done = []

        class OutOfMemory(BaseException):
            pass

        async def handler(message):
            if message.body == "0":
                # SIGKILL: nothing of this process gets through any more.
                for method in ("receive", "delete", "change_visibility"):
                    queue.failing[method] = anyio.current_time() + 20
                raise OutOfMemory
            await anyio.sleep(1)
            done.append(message.body)
            return Done()

        await send_many(queue, 20)
        deaths = 0
        for _ in range(8):
            try:
                with anyio.move_on_after(150):
                    await make_loop(queue, handler, ConsumeSettings(), clock=clock).run()
            except* OutOfMemory:
                deaths += 1
            await anyio.sleep(121)
        assert deaths == 3  # fault 10
        assert [letter.body for letter in await letters_of(queue.dead)] == ["0"]
        assert set(done) == {str(number) for number in range(1, 20)}

    run_virtual(scenario)
