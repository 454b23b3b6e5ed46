"""The port to the topic on which the world hears of orders, and one in memory.

PublishError
├── PublishUnavailable   throttled, failing or unreachable: try again; some of it may have been published
└── PublishRefused       permissions, a missing topic, a malformed or too large entry: trying again does not help;
                         `streams` names the orders at which it lies
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import anyio.lowlevel

from orderstore.contract import PublicEvent

# AWS SNS, "PublishBatch": at most 10 entries and, all together, 256 KiB with names, types and values of the attributes.
ENTRIES_MAX: Final = 10
BATCH_BYTES_MAX: Final = 256 * 1024


class PublishError(Exception):
    """The topic did not take the events."""


class PublishUnavailable(PublishError):
    """Not now, or nobody knows: publish the same again, it is harmless."""


class PublishRefused(PublishError):
    """Not as it stands: some orders' events, or nothing of anybody."""

    def __init__(self, reason: str, *, streams: Iterable[str] = ()) -> None:
        """Name the orders (streams of the log) that the topic will not hear of; none when it lies at the topic itself."""
        super().__init__(reason)
        self.streams = frozenset(streams)


@dataclass(frozen=True, slots=True)
class Failed:
    """An entry that was not published; `position` is its place in the batch. `sender_fault`: the same again will fail again."""

    position: int
    code: str
    sender_fault: bool


class Publisher(Protocol):
    """A topic. Delivers at least once; subscribers know an event by its id."""

    async def publish(self, batch: Sequence[PublicEvent]) -> tuple[Failed, ...]:
        """Publish a batch within both limits; the entries that are not named as failed are durable with the topic.

        Raises PublishError when nothing is known of the whole batch.
        """
        ...


def event_bytes(event: PublicEvent) -> int:
    """What an event counts against `BATCH_BYTES_MAX`."""
    attributes = event.attributes.items()
    return len(event.body) + sum(len(name.encode()) + len("String") + len(value.encode()) for name, value in attributes)


class MemoryPublisher:
    """Keeps what is published, in order; `on_publish` is called with each event, once per publication."""

    def __init__(self, *, on_publish: Callable[[PublicEvent], None] | None = None) -> None:
        self.published: list[PublicEvent] = []
        self._on_publish = on_publish

    async def publish(self, batch: Sequence[PublicEvent]) -> tuple[Failed, ...]:
        """See `Publisher`. Raises PublishRefused for a batch past a limit."""
        if not 1 <= len(batch) <= ENTRIES_MAX or sum(map(event_bytes, batch)) > BATCH_BYTES_MAX:
            raise PublishRefused("a batch has 1 to 10 entries and at most 256 KiB")
        await anyio.lowlevel.checkpoint()
        for event in batch:
            self.published.append(event)
            if self._on_publish is not None:
                self._on_publish(event)
        return ()
