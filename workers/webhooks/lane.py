"""What one process does for one endpoint: so many attempts at once, a few known to be due, and when to look for more."""

from collections import deque
from random import Random
from typing import Final

from workers.webhooks.breaker import EndpointBreaker
from workers.webhooks.deliveries import Due
from workers.webhooks.delivery import is_test

AT_ONCE_MAX: Final = 4
"""Attempts at once to one endpoint, of one process."""
WAITING_MAX: Final = 200
LOOK_LIMIT: Final = 50
LOOK_EVERY_S: Final = 15.0
"""Another process may have died with work in hand: what falls due is found after so long at the latest."""
# An index shows a write some moments later.
SLACK_S: Final = 0.05


class Lane:
    """Times are monotonic, in seconds."""

    def __init__(self, endpoint: str, random: Random, *, look_every_s: float) -> None:
        self.endpoint = endpoint
        self.breaker = EndpointBreaker(random)
        self.running: set[str] = set()
        self.look_at = 0.0
        self.looking = False
        self.oldest_due_at_ms: int | None = None
        self._random = random
        self._look_every_s = look_every_s
        self.test_look_at = 0.0
        self._waiting: deque[str] = deque()
        self._tests: deque[str] = deque()

    def offer(self, delivery: str) -> None:
        """A delivery that is due. With many waiting it is left to the next look."""
        waiting = self._tests if is_test(delivery) else self._waiting
        if delivery not in self.running and delivery not in waiting and len(waiting) < WAITING_MAX:
            waiting.append(delivery)

    def next(self, now: float) -> str | None:
        """The delivery to attempt now, if one may be attempted: it counts as running.

        Somebody waits for what becomes of a test: it goes first, and the breaker does not hold it.
        """
        if len(self.running) >= AT_ONCE_MAX:
            return None
        if self._tests:
            delivery = self._tests.popleft()
            self.running.add(delivery)
            return delivery
        if not self._waiting or not self.breaker.may_send(now):
            return None
        delivery = self._waiting.popleft()
        self.running.add(delivery)
        self.breaker.begin()
        return delivery

    def wants_to_look(self, now: float) -> bool:
        """Whether the due index should be asked now."""
        return not self.looking and not self._waiting and now >= self.look_at and self.breaker.may_send(now)

    def wants_to_look_for_tests(self, now: float) -> bool:
        """Whether the due index should be asked for tests, because nothing else may be sent."""
        return not self.looking and now >= self.test_look_at and not self.breaker.may_send(now)

    def next_at(self, now: float) -> float | None:
        """When there is something to do here that nobody tells of; None while something is under way whose end will be told."""
        if not self.breaker.may_send(now):
            times = [self.breaker.until] if self.breaker.until > now else []
            return min(times if self.looking else [*times, self.test_look_at], default=None)
        return None if self.looking or self._waiting else self.look_at

    def looked(self, found: tuple[Due, ...], *, now: float, now_ms: int) -> None:
        """Take in what the index shows, and know when to look again."""
        due = [row for row in found if row.due_at_ms <= now_ms]
        later = [row for row in found if row.due_at_ms > now_ms]
        self.oldest_due_at_ms = due[0].due_at_ms if due else None
        for row in due:
            self.offer(row.id)
        if len(due) == len(found) == LOOK_LIMIT:
            self.look_at = now  # there may be more, as soon as these are gone
            return
        # Others look at the same time otherwise.
        self.look_at = now + self._look_every_s * self._random.uniform(0.8, 1)
        if later:
            self.soon((later[0].due_at_ms - now_ms) / 1000, now)

    def looked_for_tests(self, found: tuple[Due, ...], *, now: float) -> None:
        """Take in the tests among what is due while the endpoint is held; the rest stays in the index."""
        for row in found:
            if is_test(row.id):
                self.offer(row.id)
        self.test_look_at = now + self._look_every_s * self._random.uniform(0.8, 1)

    def hold(self) -> None:
        """Nothing is sent for a while: forget what waits, the index knows it."""
        self._waiting.clear()
        self.look_at = 0.0

    def soon(self, due_in_s: float, now: float) -> None:
        """Something will be due: look then."""
        self.look_at = min(self.look_at, now + due_in_s + SLACK_S)
