"""Hints: messages that make a worker look at an order once more. A hint decides nothing, so too many of them, or a late one, are harmless.

Two kinds:

    an order's first message    the worker reads the order, and takes its next step
    a notice                    the provider told something of a payment that does not name its order (a dispute): for the payment worker,
                                which asks the provider what it was, and whose

`HintNotTaken`   the queue did not take it: whoever gives hints is asked again, or asks again
"""

import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from orderstore import contract
from orderstore.history import History

if TYPE_CHECKING:
    from types_aiobotocore_sqs import SQSClient

DELAY_S_MAX: Final = 900
"""Source: SQS SendMessage, DelaySeconds."""
NOTICE: Final = "paymentNotice"
REFERENCE_CHARACTERS_MAX: Final = 255

Send = Callable[[str], Awaitable[None]]
"""Puts a body on the payment queue. Raises HintNotTaken."""


class HintNotTaken(ConnectionError):
    """The hint could not be handed on; Stripe sends its webhook again, for three days."""


class Hint(Protocol):
    """Makes a worker look at an order."""

    async def __call__(self, queue: str, history: History, *, delay_s: int = 0) -> None:
        """The worker of this queue looks, after `delay_s` at the earliest (at most `DELAY_S_MAX`). Raises HintNotTaken."""
        ...


def hint_body(history: History) -> str:
    """The order's first message."""
    first = contract.publish(history.events[0])
    assert first is not None, "an order begins with a published event"
    return first.body.decode()


def notice_body(reference: str) -> str:
    """Something was told of the payment with this reference."""
    return json.dumps({NOTICE: {"reference": reference}})


def notice_in(body: str) -> str | None:
    """The payment that a message tells something of; None for a message that is no notice."""
    if NOTICE not in body:
        return None
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    told = document.get(NOTICE) if isinstance(document, dict) else None
    reference = told.get("reference") if isinstance(told, dict) else None
    if not isinstance(reference, str) or not 1 <= len(reference) <= REFERENCE_CHARACTERS_MAX:
        return None
    return reference if reference.isprintable() else None


def queue_sender(client: "SQSClient", queue_name: str) -> Send:
    """Sends to the queue of that name."""

    async def send(body: str) -> None:
        await _send(client, queue_name, body, delay_s=0)

    return send


def queue_hint(client: "SQSClient", name_of: Callable[[str], str]) -> Hint:
    """Hints to the queues of the data plane; `name_of` gives their full names."""

    async def hint(queue: str, history: History, *, delay_s: int = 0) -> None:
        await _send(client, name_of(queue), hint_body(history), delay_s=delay_s)

    return hint


async def _send(client: "SQSClient", queue_name: str, body: str, *, delay_s: int) -> None:
    try:
        url = (await client.get_queue_url(QueueName=queue_name))["QueueUrl"]
        if delay_s:
            await client.send_message(QueueUrl=url, MessageBody=body, DelaySeconds=min(delay_s, DELAY_S_MAX))
        else:
            await client.send_message(QueueUrl=url, MessageBody=body)
    except (ClientError, BotoCoreError) as error:
        raise HintNotTaken(type(error).__name__) from error
