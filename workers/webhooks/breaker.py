"""A breaker for each endpoint: one that fails on and on is given peace, and tried with one delivery before it gets all of them again.

It spends no attempt of any delivery: what is held back stays due. It is each process's own, in memory; the schedule of every delivery and
the five days after which an endpoint is disabled stand in the tables. Tests pass it by: it learns of one that was taken, of no other.
"""

from random import Random
from typing import Final

FAILURES_MAX: Final = 5
PAUSE_S: Final = 30.0
PAUSE_S_MAX: Final = 600.0
DOUBLINGS_MAX: Final = 10


class EndpointBreaker:
    """Times are monotonic, in seconds."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._failures = 0
        self._opened = 0
        self._until = float("-inf")
        self._probing = False

    @property
    def is_closed(self) -> bool:
        """Whether the endpoint is all right, as far as this process knows."""
        return not self._opened

    @property
    def until(self) -> float:
        """When the pause ends, or ended."""
        return self._until

    def may_send(self, now: float) -> bool:
        """Whether an attempt may begin now: if it does, tell `begin`."""
        return now >= self._until and not (self._opened and self._probing)

    def begin(self) -> None:
        """An attempt begins."""
        if self._opened:
            self._probing = True

    def nothing_sent(self) -> None:
        """The attempt told nothing about the endpoint."""
        self._probing = False

    def succeeded(self) -> None:
        """The endpoint answers well: everything may go."""
        self._failures = self._opened = 0
        self._probing = False
        self._until = float("-inf")

    def failed(self, now: float, *, pause_s: float | None) -> float | None:
        """The endpoint failed; `pause_s`: it asked for peace. The pause that begins, or None."""
        self._failures += 1
        if not self._probing and self._opened and now < self._until:
            return None  # one of those that were under way when it opened
        if pause_s is None and self._failures < FAILURES_MAX and not self._probing:
            return None
        self._probing = False
        doubled = PAUSE_S * 2.0 ** min(self._opened, DOUBLINGS_MAX)
        self._opened += 1
        length_s = min(max(doubled, pause_s or 0.0), PAUSE_S_MAX) * (1 - self._random.uniform(0, 0.2))
        self._until = now + length_s
        return length_s
