"""Queues on an emulator of their own, filled before the clock starts, and a client whose requests are counted."""

import json
import os
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import anyio

from deploy.local import process
from deploy.local.environment import START_WAIT_S, STOP_WAIT_S
from deploy.local.state_dir import StateDir
from workers.aws import open_clients
from workers.runtime.sqs import SqsQueue
from workers.settings import Settings, from_environment

BATCH: Final = 10
SENDS_AT_ONCE: Final = 4
RECEIVE_COUNT_MAX: Final = 1_000
CONNECTIONS: Final = 64
# What a service needs to be told, and what of it a queue needs: the address and the credentials of the emulator.
NOTHING_BUT_QUEUES: Final = {
    "ORDERSTORE_RESOURCE_PREFIX": "benchmark",
    "ORDERSTORE_TOPIC_ARN": "arn:aws:sns:eu-west-1:210000000001:benchmark",
    "ORDERSTORE_BLOBS_BUCKET": "benchmark",
    "ORDERSTORE_KMS_KEY_ID": "alias/benchmark",
    "ORDERSTORE_AUDIT_BUCKET": "benchmark",
    "ORDERSTORE_SIGNING_KEY_ID": "alias/benchmark",
    "ORDERSTORE_PROVIDERS": "sandbox",
    "ORDERSTORE_AWS_ACCESS_KEY_ID": "210000000001",
    "ORDERSTORE_AWS_SECRET_ACCESS_KEY": "test",
}
BODY: Final = json.dumps(
    {"eventId": "0" * 36, "eventType": "OrderCreated", "orderId": "0" * 36, "data": {"items": ["x" * 40] * 10}}
)
"""As large as a message of an ordinary order."""


class Counted:
    """Counts every request of a client, by its name."""

    def __init__(self, client: Any) -> None:
        self.requests: Counter[str] = Counter()
        client.meta.events.register("before-send.sqs", self._sent)

    def _sent(self, request: Any, event_name: str, **_more: object) -> None:
        self.requests[event_name.rpartition(".")[2]] += 1

    def since(self, before: Mapping[str, int]) -> Counter[str]:
        """What has come on top of it."""
        return Counter({name: count - before.get(name, 0) for name, count in self.requests.items()})


@dataclass(frozen=True, slots=True)
class QueueBackend:
    """The service's own client, the library's as it comes, and where the emulator is."""

    client: Any
    stock: Any
    counted: Counted
    settings: Settings

    @asynccontextmanager
    async def apart(self) -> AsyncIterator["QueueBackend"]:
        """The same emulator through another client, whose requests are counted apart."""
        async with open_clients(self.settings, connections=CONNECTIONS) as clients:
            yield QueueBackend(clients.sqs, self.stock, Counted(clients.sqs), self.settings)

    async def make(self, name: str) -> SqsQueue:
        """A new queue with its dead letters."""
        dead_url = (await self.client.create_queue(QueueName=f"{name}-dlq"))["QueueUrl"]
        found = await self.client.get_queue_attributes(QueueUrl=dead_url, AttributeNames=["QueueArn"])
        redrive = {"deadLetterTargetArn": found["Attributes"]["QueueArn"], "maxReceiveCount": RECEIVE_COUNT_MAX}
        made = await self.client.create_queue(QueueName=name, Attributes={"RedrivePolicy": json.dumps(redrive)})
        return SqsQueue(self.client, name=name, url=made["QueueUrl"], dead_letter_url=dead_url)

    async def fill(self, url: str, count: int) -> None:
        """Send so many messages."""
        firsts = iter(range(0, count, BATCH))

        async def send() -> None:
            for first in firsts:
                entries = [
                    {
                        "Id": str(number),
                        "MessageBody": BODY,
                        "MessageAttributes": {"eventType": {"DataType": "String", "StringValue": "OrderCreated"}},
                    }
                    for number in range(min(BATCH, count - first))
                ]
                answer = await self.client.send_message_batch(QueueUrl=url, Entries=entries)
                assert not answer.get("Failed"), "the emulator takes whole batches"

        async with anyio.create_task_group() as group:
            for number in range(SENDS_AT_ONCE):
                group.start_soon(send, name=f"sender {number}")


def url_of(queue: SqsQueue) -> str:
    """Where it is."""
    return queue._url


@asynccontextmanager
async def queue_backend() -> AsyncIterator[QueueBackend]:
    """An emulator of its own without a data plane, ended when the context is left."""
    with tempfile.TemporaryDirectory(prefix="orderstore-benchmark-") as folder:
        state = StateDir.open_or_create(Path(folder) / "state")
        emulator = process.launch(
            state,
            interpreter=process.default_interpreter(),
            preferred_port=None,
            wait_s=START_WAIT_S,
            end_with=os.getpid(),
        )
        try:
            settings = from_environment({**NOTHING_BUT_QUEUES, "ORDERSTORE_AWS_ENDPOINT_URL": emulator.endpoint_url})
            async with (
                open_clients(settings, connections=CONNECTIONS) as clients,
                open_clients(settings, connections=CONNECTIONS, changes=()) as stock,
            ):
                yield QueueBackend(clients.sqs, stock.sqs, Counted(clients.sqs), settings)
        finally:
            process.kill(state, emulator, wait_s=STOP_WAIT_S)
