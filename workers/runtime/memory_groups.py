"""The two queues in memory for which a message group means something: SQS's FIFO queue, and its fair standard queue.

Both look at every message for each receive: they are for tests, not for a deep queue.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Final

from workers.runtime.memory import MemoryQueue, Stored
from workers.runtime.queue import RequestRefused

# AWS, "How Amazon SQS fair queues work": a tenant is noisy with more than a tenth of what is in flight, and 30 of its own.
NOISY_SHARE: Final = 0.1
NOISY_IN_FLIGHT_MIN: Final = 30


class MemoryFifoQueue(MemoryQueue):
    """Each group in the sequence in which it was sent; nothing of a group while a part of it is in flight.

    One receive may bring several messages of a group (AWS, "FIFO queue delivery logic"). What is sent twice is not recognised here:
    that is between the producer and SQS.
    """

    async def send(
        self, body: str, *, attributes: Mapping[str, str] | None = None, delay_s: float = 0, group: str | None = None
    ) -> str:
        """See `MemoryQueue.send`. Raises `RequestRefused` without a group, and for a delay of a message's own."""
        if group is None or delay_s:
            raise RequestRefused("a FIFO queue takes messages with a group, and without a delay of their own")
        return await super().send(body, attributes=attributes, group=group)

    def _next(self, count: int) -> Sequence[Stored]:
        taken = {stored.group for stored in self._stored.values() if stored.id not in self._visible}
        return tuple(islice((stored for stored in self._stored.values() if stored.group not in taken), count))


class MemoryFairQueue(MemoryQueue):
    """Groups that hold more than their share of what is in flight come after all others; a message without one is a group of its own."""

    def _next(self, count: int) -> Sequence[Stored]:
        hidden = [stored for stored in self._stored.values() if stored.id not in self._visible and not stored.delayed]
        in_flight = Counter(stored.group for stored in hidden if stored.group is not None)

        def noise(stored: Stored) -> int:
            own = in_flight[stored.group] if stored.group is not None else 0
            return own if own >= NOISY_IN_FLIGHT_MIN and own > NOISY_SHARE * len(hidden) else 0

        return tuple(sorted(self._visible.values(), key=noise)[:count])
