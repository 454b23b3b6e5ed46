"""Waiting for something to be so by looking at it again and again: whoever waits for the same thing shares the looks."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from random import Random
from typing import Final, Generic, TypeVar

import anyio

T = TypeVar("T")

PAUSE_FIRST_S: Final = 0.02
PAUSE_MAX_S: Final = 0.2
PAUSE_GROWTH: Final = 1.6
WAITERS_MAX: Final = 256


@dataclass(slots=True)
class _Watch(Generic[T]):
    """One thing that is waited for. Who holds the lock is the one who looks next; the others wait for the lock."""

    look_at_s: float
    pause_s: float = PAUSE_FIRST_S
    lock: anyio.Lock = field(default_factory=anyio.Lock)
    looks: int = 0
    seen: T | None = None
    waiters: int = 0


class SharedLooks(Generic[T]):
    """Bounded waiting. A thing is looked at with growing pauses, by one of those who wait for it and for all of them; when that one
    gives up, another takes its place. `random` keeps the looks of many processes apart."""

    def __init__(self, *, random: Random, waiters_max: int = WAITERS_MAX) -> None:
        self._random = random
        self._waiters_max = waiters_max
        self._waiters = 0
        self._watches: dict[str, _Watch[T]] = {}

    @property
    def waiters(self) -> int:
        """How many wait now, for whatever it is."""
        return self._waiters

    async def until(
        self, key: str, look: Callable[[], Awaitable[T]], enough: Callable[[T], bool], *, wait_s: float
    ) -> T | None:
        """What was seen at `key` once it is enough; None when it was not within `wait_s`, or when too many wait already.

        Raises what `look` raises, to the one whose look it was.
        """
        if wait_s <= 0 or self._waiters >= self._waiters_max:
            return None
        watch = self._watches.get(key)
        if watch is None:
            watch = self._watches[key] = _Watch(anyio.current_time() + self._jittered(PAUSE_FIRST_S))
        watch.waiters += 1
        self._waiters += 1
        try:
            with anyio.move_on_after(wait_s):
                return await self._watched(watch, look, enough)
            return None
        finally:
            self._waiters -= 1
            watch.waiters -= 1
            if not watch.waiters:
                del self._watches[key]

    async def _watched(self, watch: _Watch[T], look: Callable[[], Awaitable[T]], enough: Callable[[T], bool]) -> T:
        known = watch.looks
        while True:
            async with watch.lock:
                if watch.looks == known:  # nobody looked since: it is this one's turn
                    await anyio.sleep_until(watch.look_at_s)
                    watch.pause_s = min(PAUSE_MAX_S, watch.pause_s * PAUSE_GROWTH)
                    watch.look_at_s = anyio.current_time() + self._jittered(watch.pause_s)
                    watch.seen = await look()
                    watch.looks += 1
                known, seen = watch.looks, watch.seen
            if seen is not None and enough(seen):
                return seen

    def _jittered(self, pause_s: float) -> float:
        return pause_s * self._random.uniform(0.5, 1.0)
