"""What every `Queue` promises, on memory, moto's server and the embedded environment.

No test sleeps: a message that is hidden for a second is awaited by a long poll.
"""

import itertools
import json
import time
from contextlib import asynccontextmanager

import anyio
import pytest
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session

from workers.runtime.deadletter import ORIGINAL_ID, REASON
from workers.runtime.memory import MemoryQueue
from workers.runtime.queue import Message, QueueMissing
from workers.runtime.sqs import SqsQueue

RECEIVE_COUNT_MAX = 3
_numbers = itertools.count(1)


class MemoryWorld:
    """A queue in memory, its producer's side and its dead-letter queue."""

    def __init__(self):
        self.dead = MemoryQueue("work-dlq", now_ms=now_ms)
        self.queue = MemoryQueue("work", now_ms=now_ms, dead_letters=self.dead, receive_count_max=RECEIVE_COUNT_MAX)

    async def send(self, body, **attributes):
        return await self.queue.send(body, attributes=attributes)


class SqsWorld:
    """A fresh queue of an SQS endpoint, its producer's side and its dead-letter queue."""

    def __init__(self, client, url, dead_url):
        self.client = client
        self.url = url
        self.queue = SqsQueue(client, name="work", url=url, dead_letter_url=dead_url)
        self.dead = SqsQueue(client, name="work-dlq", url=dead_url, dead_letter_url=dead_url)

    async def send(self, body, **attributes):
        sent = await self.client.send_message(
            QueueUrl=self.url,
            MessageBody=body,
            MessageAttributes={
                name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
            },
        )
        return sent["MessageId"]


def now_ms():
    return int(time.time() * 1000)


@asynccontextmanager
async def sqs_world(endpoint_url, account):
    config = AioConfig(read_timeout=30, retries={"total_max_attempts": 1})
    async with get_session().create_client(
        "sqs",
        endpoint_url=endpoint_url,
        region_name="us-east-1",
        aws_access_key_id=account,
        aws_secret_access_key="test",
        config=config,
    ) as client:
        number = next(_numbers)
        dead_url = (await client.create_queue(QueueName=f"work-{number}-dlq"))["QueueUrl"]
        found = await client.get_queue_attributes(QueueUrl=dead_url, AttributeNames=["QueueArn"])
        redrive = {"deadLetterTargetArn": found["Attributes"]["QueueArn"], "maxReceiveCount": RECEIVE_COUNT_MAX}
        made = await client.create_queue(
            QueueName=f"work-{number}", Attributes={"RedrivePolicy": json.dumps(redrive), "VisibilityTimeout": "120"}
        )
        yield SqsWorld(client, made["QueueUrl"], dead_url)


@pytest.fixture(scope="module")
def moto_endpoint():
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


BACKENDS = [
    "memory",
    pytest.param("moto", marks=pytest.mark.moto),
    pytest.param("emulator", marks=pytest.mark.emulator),
]


@pytest.fixture(params=BACKENDS)
async def world(request):
    if request.param == "memory":
        yield MemoryWorld()
    elif request.param == "moto":
        async with sqs_world(request.getfixturevalue("moto_endpoint"), "testing") as made:
            yield made
    else:
        emulator = request.getfixturevalue("emulator")
        async with sqs_world(emulator.endpoint_url, "310000000001") as made:
            yield made


def gap(request, backend, reason):
    """Mark the running test as one that an emulator is known to fail."""
    if request.node.callspec.params["world"] == backend:
        request.applymarker(pytest.mark.xfail(strict=True, reason=reason))


async def take(queue, *, count=1, wait_s=5, visibility_timeout_s=60):
    """Receive until `count` messages are there (SQS may answer with fewer than there are)."""
    messages: list[Message] = []
    while len(messages) < count:
        more = await queue.receive(
            max_messages=min(10, count - len(messages)), wait_s=wait_s, visibility_timeout_s=visibility_timeout_s
        )
        assert more, f"{len(messages)} of {count} messages came"
        messages.extend(more)
    return messages


async def is_empty(queue):
    return not await queue.receive(max_messages=10, wait_s=0, visibility_timeout_s=60)


async def test_a_message_arrives_with_body_attributes_count_and_time(world):
    """What was sent is what is received."""
    before = now_ms()
    message_id = await world.send("häuser 😀", eventType="OrderCreated", tenant="t1")
    (message,) = await take(world.queue)
    assert (message.id, message.body, message.receive_count) == (message_id, "häuser 😀", 1)
    assert message.attributes == {"eventType": "OrderCreated", "tenant": "t1"}
    assert before - 1_000 <= message.sent_at_ms <= now_ms() + 1_000


async def test_an_empty_queue_answers_with_nothing(world):
    """And at once when it is not asked to wait."""
    assert await is_empty(world.queue)


async def test_a_long_poll_answers_when_a_message_comes(world):
    """It does not have to be asked again."""
    received = []

    async def poll():
        received.extend(await world.queue.receive(max_messages=10, wait_s=20, visibility_timeout_s=60))

    with anyio.fail_after(15):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(poll)
            await world.send("late")
    assert [message.body for message in received] == ["late"]  # E081


async def test_a_received_message_is_hidden_and_a_deleted_one_is_gone(world):
    """Hidden from others while held; deleted for good."""
    await world.send("a")
    messages = await take(world.queue)
    assert await is_empty(world.queue)  # E075
    assert list(await world.queue.delete(messages)) == []
    depths = await world.queue.depths()
    assert (depths.visible, depths.in_flight, depths.delayed) == (0, 0, 0)


async def test_a_message_that_is_not_deleted_comes_back_with_another_receipt(world):
    """After its visibility timeout, counted as a second receive."""
    await world.send("a")
    (first,) = await take(world.queue, visibility_timeout_s=1)
    (second,) = await take(world.queue)
    assert (second.id, second.receive_count) == (first.id, 2)  # E075
    assert second.receipt != first.receipt


async def test_visibility_zero_gives_a_message_back_at_once(world):
    """Nobody has to wait for the timeout."""
    await world.send("a")
    (message,) = await take(world.queue)
    assert list(await world.queue.change_visibility([(message, 0)])) == []
    (again,) = await take(world.queue, wait_s=0)
    assert again.id == message.id


async def test_each_message_of_a_batch_gets_its_own_visibility(world):
    """One is extended, one is given back."""
    await world.send("a")
    await world.send("b")
    first, second = await take(world.queue, count=2)
    assert list(await world.queue.change_visibility([(first, 100), (second, 0)])) == []
    assert [message.id for message in await take(world.queue)] == [second.id]
    assert await is_empty(world.queue)


async def test_an_extended_message_stays_hidden_beyond_its_first_timeout(world):
    """Extended from 1 s to 60 s: a poll of 2 s finds nothing."""
    await world.send("a")
    (message,) = await take(world.queue, visibility_timeout_s=1)
    assert list(await world.queue.change_visibility([(message, 60)])) == []
    assert not await world.queue.receive(max_messages=1, wait_s=2, visibility_timeout_s=60)


async def test_a_stale_receipt_does_not_take_the_message_from_its_new_holder(world, request):
    """It may be answered with success or as gone, but the message stays."""
    gap(request, "moto", "moto deletes a message by any receipt that it ever had")
    await world.send("a")
    (stale,) = await take(world.queue, visibility_timeout_s=1)
    (held,) = await take(world.queue)
    assert all(entry.gone for entry in await world.queue.delete([stale]))
    assert list(await world.queue.change_visibility([(held, 0)])) == []
    assert [message.id for message in await take(world.queue)] == [held.id]


async def test_deleting_twice_is_harmless(world):
    """The second time may be answered with success or as gone."""
    await world.send("a")
    messages = await take(world.queue)
    await world.queue.delete(messages)
    assert all(entry.gone for entry in await world.queue.delete(messages))


async def test_changing_the_visibility_of_what_was_deleted_is_answered_as_gone(world):
    """This is how a worker learns that it lost a message."""
    await world.send("a")
    (message,) = await take(world.queue)
    await world.queue.delete([message])
    (failed,) = await world.queue.change_visibility([(message, 60)])
    assert (failed.message, failed.gone) == (message, True)


async def test_changing_the_visibility_with_a_receipt_that_has_run_out_is_answered_as_gone(world, request):
    """The message is visible again: nobody holds it."""
    gap(request, "moto", "moto changes the visibility of a message that is no longer in flight")
    gap(request, "emulator", "MiniStack changes the visibility of a message that is no longer in flight")
    await world.send("a")
    (message,) = await take(world.queue, visibility_timeout_s=60)
    await world.queue.change_visibility([(message, 0)])
    (failed,) = await world.queue.change_visibility([(message, 60)])
    assert failed.gone


async def test_ten_are_received_and_deleted_in_one_call_each(world):
    """The largest batch, with an entry for each."""
    sent = {await world.send(str(number)) for number in range(10)}
    messages = await take(world.queue, count=10)
    assert {message.id for message in messages} == sent
    assert list(await world.queue.delete(messages)) == []
    assert await is_empty(world.queue)


async def test_the_queue_itself_dead_letters_after_three_receives(world):
    """Body and attributes arrive unchanged in the dead-letter queue."""
    await world.send("bad", eventType="OrderCreated")
    for count in range(1, RECEIVE_COUNT_MAX + 1):
        (message,) = await take(world.queue)
        assert message.receive_count == count
        await world.queue.change_visibility([(message, 0)])
    assert await is_empty(world.queue)  # E061
    (letter,) = await take(world.dead)
    assert (letter.body, letter.attributes) == ("bad", {"eventType": "OrderCreated"})


async def test_a_dead_letter_carries_its_cause_and_leaves_the_original(world):
    """The caller deletes the original when the copy is safe."""
    message_id = await world.send("bad", eventType="OrderCreated")
    (message,) = await take(world.queue)
    await world.queue.dead_letter(message, "unknown schema")
    (letter,) = await take(world.dead)
    assert letter.body == "bad"
    assert letter.attributes["eventType"] == "OrderCreated"
    assert (letter.attributes[ORIGINAL_ID], letter.attributes[REASON]) == (message_id, "unknown schema")
    assert (await world.queue.depths()).in_flight == 1


async def test_a_dead_letter_of_ten_attributes_is_accepted(world):
    """The cause does not push it past SQS's ten."""
    await world.send("bad", **{f"a{number}": str(number) for number in range(10)})
    (message,) = await take(world.queue)
    await world.queue.dead_letter(message, "why")
    (letter,) = await take(world.dead)
    assert len(letter.attributes) == 10


async def test_depths_count_what_is_visible_in_flight_and_dead(world):
    """The figures behind four of the six metrics."""
    for number in range(3):
        await world.send(str(number))
    held, poison = await take(world.queue, count=2)
    await world.queue.dead_letter(poison, "why")
    await world.queue.delete([poison])
    depths = await world.queue.depths()
    assert (depths.visible, depths.in_flight, depths.delayed, depths.dead_letters) == (1, 1, 0, 1)  # E109
    assert held.receive_count == 1


@pytest.mark.emulator
async def test_a_queue_that_does_not_exist_is_named_as_missing(emulator):
    """A matter of deployment, not of waiting."""
    async with sqs_world(emulator.endpoint_url, "310000000001") as made:
        url = made.url.replace("work-", "nowhere-")
        missing = SqsQueue(made.client, name="nowhere", url=url, dead_letter_url=url)
        with pytest.raises(QueueMissing):
            await missing.receive(max_messages=1, wait_s=0, visibility_timeout_s=60)
