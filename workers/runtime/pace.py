"""How many handlers may be at work at once: as many as are set, until they hang; then fewer, until they do not.

What handlers stand on gives each a share. When too many are at work, the shares are so small that nobody is done before the deadline,
everything is begun again, and nothing is ever done, however long it goes on. So who hangs in company halves the number, and each that is
done raises it again, as TCP does it for packets (RFC 5681: slow start below the threshold, one more a round above it).
"""

import math
from typing import Final

HANGS_FROM: Final = 0.85
"""Who takes this share of the deadline and is not done hangs: guards inside a handler give up a little before the deadline."""


class Pace:
    """The number for one queue. Times are monotonic seconds."""

    def __init__(self, most: int, *, deadline_s: float) -> None:
        self._most = most
        self._hangs_after_s = HANGS_FROM * deadline_s
        self._allowed = float(most)
        self._threshold = float(most)
        self._halved_at = -math.inf

    @property
    def allowed(self) -> int:
        """How many may be at work now: 1 to the number that is set."""
        return int(self._allowed)

    def ended(self, *, began_at: float, now: float, done: bool, beside: int) -> None:
        """A handler came to its end. `beside`: how many others were at work then."""
        if done:
            step = 1.0 if self._allowed < self._threshold else 1 / self._allowed
            self._allowed = min(self._most, self._allowed + step)
        elif now - began_at >= self._hangs_after_s and beside > 0 and began_at >= self._halved_at:
            # Those who began before the last halving hang for what was wrong then. One alone hangs on what is down, not on company.
            self._threshold = self._allowed = max(1.0, min(self._allowed, beside + 1) / 2)
            self._halved_at = now
