"""A message is deleted when, and only when, its work is done; and its work is done once in a process."""

import anyio

from tests.virtual_time import run_virtual
from tests.workers.runtime.harness import Recorder, consuming, full_load, make_loop, make_queues, send_many
from workers.runtime.held import Held
from workers.runtime.outcome import Done, Retry
from workers.runtime.queue import FailedEntry, Message, Unavailable


def test_of_a_batch_of_five_only_the_failed_message_is_received_again():
    """Five messages, one fails: four are deleted after one run each, the fifth runs again."""

    async def scenario():
        queue, clock = make_queues()
        runs = []

        async def handler(message):
            runs.append(message.body)
            return Retry("down") if message.body == "3" and message.receive_count == 1 else Done()

        await send_many(queue, 5)
        async with consuming(make_loop(queue, handler, full_load(batch_size=5), clock=clock)):
            await anyio.sleep(300)
        assert sorted(runs) == ["0", "1", "2", "3", "3", "4"]  # E067 E068 D39
        assert sorted(message.body for message in queue.deleted) == ["0", "1", "2", "3", "4"]
        depths = await queue.depths()
        assert (depths.visible, depths.in_flight, depths.dead_letters) == (0, 0, 0)

    run_virtual(scenario)


def test_a_message_that_always_fails_is_received_exactly_three_times_and_then_dead_lettered():
    """The queue's own redrive moves it, with its body and attributes, while the others go on."""

    async def scenario():
        queue, clock = make_queues(receive_count_max=3)
        counts = []

        async def handler(message):
            if message.body == "bad":
                counts.append(message.receive_count)
                raise ConnectionError("provider down")
            return Done()

        await queue.inner.send("bad", attributes={"eventType": "OrderCreated"})
        await send_many(queue, 20)
        async with consuming(make_loop(queue, handler, clock=clock)):
            await anyio.sleep(1_000)
        assert counts == [1, 2, 3]  # E061
        (letter,) = await queue.dead.receive(max_messages=10, wait_s=0, visibility_timeout_s=30)
        assert (letter.body, dict(letter.attributes)) == ("bad", {"eventType": "OrderCreated"})
        assert (await queue.depths()).visible == 0

    run_virtual(scenario)


def test_nothing_is_deleted_before_its_work_is_done_and_deletions_equal_successes():
    """Deletions are exactly the successes, each after its handler returned."""

    async def scenario():
        queue, clock = make_queues()
        succeeded = set()

        async def handler(message):
            await anyio.sleep(1)
            assert message.id not in {deleted.id for deleted in queue.deleted}
            if int(message.body) % 3 == 0 and message.receive_count == 1:
                raise ConnectionError
            succeeded.add(message.id)
            return Done()

        ids = await send_many(queue, 30)
        observer = Recorder()
        async with consuming(make_loop(queue, handler, observer=observer, clock=clock)):
            await anyio.sleep(600)
        assert succeeded == set(ids)
        assert sorted(message.id for message in queue.deleted) == sorted(ids)  # A15 E069
        assert sum(detail.count for detail in observer.of("deleted")) == 30
        assert len(observer.of("retried")) == 10

    run_virtual(scenario)


def test_acknowledgements_go_by_tens():
    """Fifty quick messages cost five deletions."""

    async def scenario():
        queue, clock = make_queues()

        async def handler(message):
            return Done()

        await send_many(queue, 50)
        async with consuming(make_loop(queue, handler, clock=clock)):
            await anyio.sleep(60)
        assert len([1 for method, _ in queue.calls if method == "delete"]) == 5
        assert len(queue.deleted) == 50

    run_virtual(scenario)


def test_two_receipts_of_one_message_in_one_batch_run_it_once_and_are_both_deleted():
    """A standard queue may deliver a message twice in one answer; the entries' ids must not collide."""

    async def scenario():
        queue, clock = make_queues()
        queue.duplicate_within_batch = True
        runs = []

        async def handler(message):
            runs.append(message.id)
            return Done()

        ids = await send_many(queue, 4)
        observer = Recorder()
        async with consuming(make_loop(queue, handler, observer=observer, clock=clock)):
            await anyio.sleep(60)
        assert sorted(runs) == sorted(ids)  # E070, fault 5
        assert len({message.receipt for message in queue.deleted}) == 8
        assert [detail.cause for detail in observer.of("duplicate_dropped")] == ["held"] * 4
        assert (await queue.depths()).in_flight == 0

    run_virtual(scenario)


def test_only_the_entries_that_failed_are_deleted_again():
    """Three of ten deletions fail: the second call carries three."""

    async def scenario():
        queue, clock = make_queues()

        async def handler(message):
            return Done()

        ids = await send_many(queue, 10)
        queue.refuse = ids[:3]
        sizes = []
        delete = queue.delete

        async def counting(messages):
            sizes.append(len(messages))
            return await delete(messages)

        queue.delete = counting
        observer = Recorder()
        async with consuming(make_loop(queue, handler, observer=observer, clock=clock)):
            await anyio.sleep(60)
        assert sizes == [10, 3]  # fault 8
        assert [detail.reason for detail in observer.of("ack_failed")] == ["InternalError"] * 3
        assert len(observer.of("started")) == 10

    run_virtual(scenario)


def test_a_message_whose_deletion_did_nothing_is_deleted_again_without_running_it():
    """Deleting answers success but does nothing (a stale receipt): the redelivery is dropped, and deleted."""

    async def scenario():
        queue, clock = make_queues()
        runs = []

        async def handler(message):
            runs.append(message.id)
            return Done()

        real = queue.inner.delete
        lies = []

        async def lying(messages):
            if not lies:
                lies.extend(messages)
                return ()
            return await real(messages)

        queue.inner.delete = lying
        (message_id,) = await send_many(queue, 1)
        observer = Recorder()
        async with consuming(make_loop(queue, handler, observer=observer, clock=clock)):
            await anyio.sleep(300)
        assert runs == [message_id]  # E070, fault 7
        assert [detail.cause for detail in observer.of("duplicate_dropped")] == ["settled"]
        assert (await queue.depths()).in_flight == 0

    run_virtual(scenario)


def test_a_receipt_that_is_gone_is_not_deleted_again_and_again():
    """`gone` ends the deletion; nothing is counted as deleted and nothing crashes."""

    async def scenario():
        queue, clock = make_queues()

        async def handler(message):
            return Done()

        async def gone(messages):
            queue.calls.append(("gone", anyio.current_time()))
            return [FailedEntry(message=m, reason="ReceiptHandleIsInvalid", gone=True) for m in messages]

        queue.delete = gone
        await send_many(queue, 3)
        observer = Recorder()
        async with consuming(make_loop(queue, handler, observer=observer, clock=clock)):
            await anyio.sleep(60)
        assert [method for method, _ in queue.calls].count("gone") == 1
        assert observer.of("deleted") == []

    run_virtual(scenario)


def test_a_deletion_that_fails_for_a_minute_gets_through_and_runs_nothing_twice():
    """Deletions are unavailable for 60 s: retried within the visibility, no redelivery, no dead letter."""

    async def scenario():
        queue, clock = make_queues()
        queue.failing["delete"] = 60
        queue.error = Unavailable("connection pool is full")
        runs = []

        async def handler(message):
            runs.append(message.id)
            return Done()

        ids = await send_many(queue, 12)
        async with consuming(make_loop(queue, handler, clock=clock)):
            await anyio.sleep(400)
        assert sorted(runs) == sorted(ids)  # fault 13
        assert (await queue.depths()).dead_letters == 0
        assert {message.id for message in queue.deleted} == set(ids)

    run_virtual(scenario)


def test_the_memory_of_settled_messages_is_bounded():
    """Only the newest ids are remembered."""

    async def scenario():
        queue, clock = make_queues()

        async def handler(message):
            return Done()

        ids = await send_many(queue, 50)
        loop = make_loop(queue, handler, full_load(remembered_ids_max=20), clock=clock)
        async with consuming(loop):
            await anyio.sleep(60)
        assert sum(loop._acks.is_settled(message_id) for message_id in ids) == 20
        assert loop._acks.is_settled(ids[-1])

    run_virtual(scenario)


def test_who_is_settled_again_is_the_newest():
    """A message that keeps coming back is not forgotten for those that came once."""

    async def scenario():
        queue, clock = make_queues()
        acks = make_loop(queue, None, full_load(remembered_ids_max=2), clock=clock)._acks
        for message_id in ("a", "b", "a", "c"):
            acks.remember(message_id)
        assert [acks.is_settled(message_id) for message_id in "abc"] == [True, False, True]

    run_virtual(scenario)


def test_a_receipt_that_came_twice_is_deleted_once():
    """As a receive that was repeated below us may bring it."""

    async def scenario():
        queue, clock = make_queues()
        asked = []

        async def delete(messages):
            asked.append([message.receipt for message in messages])
            return []

        queue.delete = delete
        acks = make_loop(queue, None, full_load(), clock=clock)._acks
        first, second = (
            Message(id="m", receipt=receipt, body="", attributes={}, receive_count=1, sent_at_ms=0) for receipt in "xy"
        )
        held = Held(first, received_at=0, visible_at=100, hold_until=100)
        for copy in (first, second, first):
            held.adopt(copy, visible_at=100)
        assert await acks._delete([held]) == ([], [])
        assert asked == [["x", "y"]]

    run_virtual(scenario)
