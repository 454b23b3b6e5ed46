"""The queue as the consume loop sees it: a port in the shape of an SQS queue, and what can go wrong with it.

QueueError
├── Throttled            too many requests, or too many messages in flight: wait and ask again
├── Unavailable          time-out, lost connection, 5xx: nothing is known about the request's effect
├── QueueMissing         the queue does not exist (any more): a matter of deployment
├── CredentialsInvalid   expired, wrong or insufficient credentials
└── RequestRefused       the request itself is wrong (too large, malformed): repeating it will not help
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec

# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
BATCH_ENTRIES_MAX = 10
MESSAGE_BYTES_MAX = 1_048_576
MESSAGE_ATTRIBUTES_MAX = 10
WAIT_S_MAX = 20
DELAY_S_MAX = 900
VISIBILITY_S_MAX = 43_200
RECEIPTS_IN_FLIGHT_MAX = 120_000


class QueueError(Exception):
    """A request to the queue failed."""


class Throttled(QueueError):
    """The queue asks for fewer requests, or has too many messages in flight."""


class Unavailable(QueueError):
    """No usable answer: time-out, lost connection or a fault of the service. The request may or may not have had its effect."""


class QueueMissing(QueueError):
    """The queue does not exist."""


class CredentialsInvalid(QueueError):
    """The credentials are expired, wrong, or do not allow this."""


class RequestRefused(QueueError):
    """The request is wrong in itself; the same request will be refused again."""


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One receipt of one message. Another receipt of the same message has the same `id` and another `receipt`."""

    id: str
    receipt: str
    body: str
    attributes: Mapping[str, str]
    """Message attributes as text; binary values are base64."""
    receive_count: int
    """How often it has been received, this time included (approximate, as SQS counts)."""
    sent_at_ms: int
    """When it was sent, wall clock of the queue."""
    group: str | None = None
    """Its MessageGroupId: on a FIFO queue what keeps its sequence, on a standard one the tenant for SQS's fairness."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedEntry:
    """One entry of a batch that was not carried out."""

    message: Message
    reason: str
    gone: bool
    """The receipt has expired or is unknown: repeating is pointless, and the message may be someone else's by now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Depths:
    """How many messages there are, as SQS estimates it. The age of the oldest is no attribute of a queue: it is reported
    from what is received (`observe.Received.oldest_age_s`) and, in production, by CloudWatch."""

    visible: int
    in_flight: int
    delayed: int
    dead_letters: int


class Queue(Protocol):
    """An SQS queue with its dead-letter queue.

    Guarantees and their limits, which every adapter shares (`tests/contract/test_queue_contract.py`):

    - at least once: a message is delivered until it is deleted or dead-lettered, and may be delivered more than once;
    - no order on a standard queue; on a FIFO one each group in its sequence, nothing of a group while a part of it is in flight;
    - a received message is hidden for the visibility timeout; after that, or when the timeout is changed to 0, it is received again;
    - deleting with a stale receipt may answer success and delete nothing: only the caller's own clock tells whether it still
      holds a message;
    - after `receive count max` receives without a deletion the queue itself moves the message to its dead-letter queue.

    Every method may raise any `QueueError`.
    """

    @property
    def name(self) -> str:
        """The name for logs and metrics."""
        ...

    async def receive(self, *, max_messages: int, wait_s: int, visibility_timeout_s: int) -> Sequence[Message]:
        """Up to `max_messages` (1 to 10), waiting up to `wait_s` (0 to 20) for the first; empty when there was none."""
        ...

    async def delete(self, messages: Sequence[Message]) -> Sequence[FailedEntry]:
        """Delete up to 10 messages, duplicates of an id allowed; the entries that failed are returned, in no order."""
        ...

    async def change_visibility(self, changes: Sequence[tuple[Message, int]]) -> Sequence[FailedEntry]:
        """Hide each of up to 10 messages for its own number of seconds (0 to 43,200) from now; 0 gives it back at once."""
        ...

    async def dead_letter(self, message: Message, reason: str) -> None:
        """Put a copy with its cause into the dead-letter queue; the caller deletes the original afterwards.

        A caller that dies in between leaves both: redriving removes duplicates by `deadletter.ORIGINAL_ID`.
        """
        ...

    async def depths(self) -> Depths:
        """The depths of the queue and of its dead-letter queue; approximate."""
        ...
