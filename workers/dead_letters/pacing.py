"""How fast letters are sent on: evenly, at most so many a second, and not while the workers are behind."""

from collections.abc import Awaitable, Callable
from typing import Final

import anyio

RATE_DEFAULT: Final = 20.0
# AWS's own redrive task moves at most 500 a second; ours stays well below, with three requests for each letter.
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_StartMessageMoveTask.html
RATE_MAX: Final = 200.0
BACKLOG_DEFAULT: Final = 500
LOOK_AGAIN_S: Final = 1.0


class TokenBucket:
    """At most `rate_per_s` a second over any stretch of time, and at most `burst` at once; on the monotonic clock."""

    def __init__(self, rate_per_s: float, *, burst: int = 1) -> None:
        """Begin full. Raises ValueError: the rate is not above 0 and at most `RATE_MAX`, or the burst is below 1."""
        if not 0 < rate_per_s <= RATE_MAX or burst < 1:
            raise ValueError(f"a rate is above 0 and at most {RATE_MAX:.0f} a second, not {rate_per_s}")
        self._interval_s = 1 / rate_per_s
        self._burst = burst
        self._full_at = -float("inf")

    async def take(self, *, until: float) -> bool:
        """Wait for one token; False at once when there is none before `until` (monotonic), and none is used up.

        First come, first served; a waiter that is cancelled has used its token up.
        """
        now = anyio.current_time()
        full_at = max(self._full_at, now) + self._interval_s
        wait_s = full_at - now - self._burst * self._interval_s
        if not now + wait_s < until:  # also when an interval without end has made it no number
            return False
        self._full_at = full_at
        await anyio.sleep(max(0.0, wait_s))
        return True


class Backlog:
    """Waits while the queue has more than so many visible messages: a redrive gives way to live traffic."""

    def __init__(self, visible: Callable[[], Awaitable[int]], *, backlog_max: int) -> None:
        """`visible` says how many wait at the moment, about. Raises ValueError for a bound below 1."""
        if backlog_max < 1:
            raise ValueError("the backlog's bound is at least 1")
        self._visible = visible
        self._backlog_max = backlog_max

    async def small(self, *, until: float) -> bool:
        """Wait until it is small enough; False when `until` (monotonic) came first."""
        while await self._visible() >= self._backlog_max:
            if anyio.current_time() + LOOK_AGAIN_S >= until:
                return False
            await anyio.sleep(LOOK_AGAIN_S)
        return True
