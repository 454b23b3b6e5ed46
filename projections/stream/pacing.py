"""Waiting: jittered back-off after failures, a growing pause when there is nothing to read, and a floor between two reads."""

from random import Random
from typing import Final

import anyio

SLOWED_MAX: Final = 8.0  # of the rate: from 4 reads a second to one in 2 seconds
RECOVERED_BY: Final = 0.8


class Backoff:
    """Exponential back-off with full jitter (https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/)."""

    def __init__(self, *, initial_s: float, maximum_s: float, random: Random) -> None:
        self._initial_s = initial_s
        self._maximum_s = maximum_s
        self._random = random
        self._failures = 0

    def reset(self) -> None:
        """Something went well."""
        self._failures = 0

    def next_s(self) -> float:
        """How long to wait after one more failure: between half a step and a whole one, each step twice the last."""
        ceiling_s: float = min(self._maximum_s, self._initial_s * 2.0 ** min(self._failures, 32))
        self._failures += 1
        return ceiling_s * self._random.uniform(0.5, 1.0)

    async def pause(self) -> None:
        """Wait so long."""
        await anyio.sleep(self.next_s())


class ReadPace:
    """At most so many reads a second of one shard, longer pauses while the reads come back empty, and fewer while the service throttles.

    Each throttled read halves the rate, each good one brings a fifth of the way back: two subscriptions that share a shard's
    limit settle side by side below it, where a fixed rate would be refused again and again.
    """

    def __init__(self, *, per_second_max: float, idle_initial_s: float, idle_maximum_s: float) -> None:
        self._floor_s = 1.0 / per_second_max
        self._idle_initial_s = idle_initial_s
        self._idle_maximum_s = idle_maximum_s
        self._idle_s = 0.0
        self._slowed = 1.0  # so many times slower than the most
        self._last_read_at_s: float | None = None

    def was_empty(self) -> None:
        """The last read found nothing."""
        self._idle_s = min(self._idle_maximum_s, self._idle_s * 2 if self._idle_s else self._idle_initial_s)
        self._recover()

    def found_records(self) -> None:
        """The last read found something: more may follow at once."""
        self._idle_s = 0.0
        self._recover()

    def was_throttled(self) -> None:
        """The last read was refused for its rate."""
        self._slowed = min(SLOWED_MAX, self._slowed * 2)

    async def next_read(self) -> None:
        """Wait until the next read may begin, and count it as begun."""
        if self._last_read_at_s is not None:
            pause_s = max(self._floor_s * self._slowed, self._idle_s)
            await anyio.sleep_until(self._last_read_at_s + pause_s)
        self._last_read_at_s = anyio.current_time()

    def _recover(self) -> None:
        self._slowed = max(1.0, self._slowed * RECOVERED_BY)
