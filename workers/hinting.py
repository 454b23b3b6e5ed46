"""Waking a department for an order: it is sent a message that it has had before, and reads the order anew. A message is only a hint, so
one more does no harm."""

from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from orderstore import contract
from orderstore.history import History
from orderstore.registry import BY_NAME
from workers.sweeping.ports import HintNotTaken

if TYPE_CHECKING:
    from collections.abc import Callable

    from types_aiobotocore_sqs import SQSClient


class QueueHints:
    """Sends to the departments' queues. `queue` makes the full name of one."""

    def __init__(self, client: "SQSClient", queue: "Callable[[str], str]") -> None:
        self._client = client
        self._queue = queue
        self._urls: dict[str, str] = {}

    async def hint(self, department: str, history: History) -> None:
        """See `workers.sweeping.ports.Hints`."""
        body = message_for(department, history)
        try:
            if department not in self._urls:
                found = await self._client.get_queue_url(QueueName=self._queue(department))
                self._urls[department] = found["QueueUrl"]
            await self._client.send_message(QueueUrl=self._urls[department], MessageBody=body)
        except (ClientError, BotoCoreError) as error:
            raise HintNotTaken(f"{department}: {type(error).__name__}") from error


def message_for(department: str, history: History) -> str:
    """The last event of the order that this department hears of; the first of all where there is none."""
    for recorded in reversed(history.events):
        entry = BY_NAME[recorded.name]
        if entry.published and department in entry.consumers:
            public = contract.publish(recorded)
            if public is not None:
                return public.body.decode()
    first = contract.publish(history.events[0])
    assert first is not None, "an order begins with a published event"
    return first.body.decode()
