"""What a FIFO queue promises of its groups, on memory, moto's server and the embedded environment."""

import itertools
import json
from contextlib import asynccontextmanager

import pytest
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session

from tests.contract.test_queue_contract import BACKENDS, RECEIVE_COUNT_MAX, gap, moto_endpoint, now_ms, take
from workers.runtime.memory_groups import MemoryFifoQueue
from workers.runtime.sqs import SqsQueue

__all__ = ["moto_endpoint"]
_numbers = itertools.count(1)


@asynccontextmanager
async def sqs_fifo_queues(endpoint_url, account):
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
        fifo = {"FifoQueue": "true", "ContentBasedDeduplication": "true"}
        dead_url = (await client.create_queue(QueueName=f"lane-{number}-dlq.fifo", Attributes=fifo))["QueueUrl"]
        found = await client.get_queue_attributes(QueueUrl=dead_url, AttributeNames=["QueueArn"])
        redrive = {"deadLetterTargetArn": found["Attributes"]["QueueArn"], "maxReceiveCount": RECEIVE_COUNT_MAX}
        made = await client.create_queue(
            QueueName=f"lane-{number}.fifo", Attributes={**fifo, "RedrivePolicy": json.dumps(redrive)}
        )
        yield (
            SqsQueue(client, name="lane", url=made["QueueUrl"], dead_letter_url=dead_url),
            SqsQueue(client, name="lane-dlq", url=dead_url, dead_letter_url=dead_url),
        )


@pytest.fixture(params=BACKENDS)
async def world(request):
    if request.param == "memory":
        dead = MemoryFifoQueue("lane-dlq", now_ms=now_ms)
        yield (
            MemoryFifoQueue("lane", now_ms=now_ms, dead_letters=dead, receive_count_max=RECEIVE_COUNT_MAX),
            dead,
        )
    elif request.param == "moto":
        async with sqs_fifo_queues(request.getfixturevalue("moto_endpoint"), "testing") as made:
            yield made
    else:
        emulator = request.getfixturevalue("emulator")
        async with sqs_fifo_queues(emulator.endpoint_url, "310000000002") as made:
            yield made


async def now(queue, *, count=10):
    return await queue.receive(max_messages=count, wait_s=0, visibility_timeout_s=60)


async def test_a_message_tells_its_group(world):
    """The loop orders by it."""
    queue, _ = world
    await queue.send("a1", group="a")
    (message,) = await take(queue)
    assert (message.body, message.group) == ("a1", "a")


async def test_nothing_of_a_group_comes_while_a_part_of_it_is_held(world):
    """The next of the group waits until the first is deleted or given back; another group does not."""
    queue, _ = world
    await queue.send("a1", group="a")
    await queue.send("a2", group="a")
    (first,) = await take(queue)
    await queue.send("b1", group="b")
    assert [message.body for message in await now(queue)] == ["b1"]
    await queue.delete([first])
    assert [message.body for message in await now(queue)] == ["a2"]


async def test_what_is_given_back_comes_again_before_those_behind_it(world):
    """Three of a group are received; the first is hidden for a while and the others given back: the group waits, then comes in order."""
    queue, _ = world
    for body in ("a1", "a2", "a3"):
        await queue.send(body, group="a")
    first, second, third = await take(queue, count=3)
    assert [message.body for message in (first, second, third)] == ["a1", "a2", "a3"]
    await queue.change_visibility([(second, 0), (third, 0), (first, 1)])
    assert await now(queue) == []
    again = await take(queue, count=3)
    assert [(message.body, message.receive_count) for message in again] == [("a1", 2), ("a2", 2), ("a3", 2)]


async def test_a_dead_letter_put_twice_is_one_and_keeps_its_group(world, request):
    """De-duplicated by the first message's id (SQS alone: in memory nothing is)."""
    gap(request, "memory", "the queue in memory de-duplicates nothing, and says so")
    queue, dead = world
    await queue.send("a1", group="a")
    (message,) = await take(queue)
    for _ in range(2):
        await queue.dead_letter(message, "undecodable")
    assert [(letter.body, letter.group) for letter in await now(dead)] == [("a1", "a")]
