"""What waits to be published, order by order: the next event of an order is taken only once the one before it is with the topic. Pure.

A topic may take the later entry of a batch and fail the earlier one. So no batch holds two of one order, and while one of an order is
under way, or waits for its next try, the others of that order wait behind it. Other orders go on.
"""

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from heapq import heappop, heappush

from orderstore.contract import PublicEvent
from projections.publishing.publisher import BATCH_BYTES_MAX, ENTRIES_MAX, event_bytes


@dataclass(frozen=True, slots=True)
class Outgoing:
    """An event on its way; `stream` names its order as the log does. `ends_commit`: with it, all of that commit is published."""

    event: PublicEvent
    stream: str
    recorded_at_ms: int
    ends_commit: int | None = None


@dataclass(slots=True)
class _Order:
    waiting: deque[Outgoing] = field(default_factory=deque)
    failures: int = 0  # of the first that waits


class Outbox:
    """Events in the order in which they are put in, each smaller than a batch may be. Times are seconds of the caller's own clock."""

    def __init__(self, outgoing: Iterable[Outgoing]) -> None:
        self._orders: dict[str, _Order] = {}
        for one in outgoing:
            self._orders.setdefault(one.stream, _Order()).waiting.append(one)
        self._ready: deque[str] = deque(self._orders)  # neither under way nor waiting for another try
        self._later: list[tuple[float, str]] = []

    @property
    def empty(self) -> bool:
        """Nothing waits, nothing is under way."""
        return not self._orders

    @property
    def orders(self) -> int:
        """Of how many orders something waits or is under way."""
        return len(self._orders)

    def take(self, now_s: float) -> tuple[Outgoing, ...]:
        """A batch within both of the topic's limits, with one event of an order at most; it is under way from now on.

        Each of it has to be answered for by `sent`, `failed` or `withdraw`. Empty when everything is under way or has to wait.
        """
        while self._later and self._later[0][0] <= now_s:
            self._ready.append(heappop(self._later)[1])
        batch: list[Outgoing] = []
        bytes_left = BATCH_BYTES_MAX
        while self._ready and len(batch) < ENTRIES_MAX:
            first = self._orders[self._ready[0]].waiting[0]
            bytes_left -= event_bytes(first.event)
            if batch and bytes_left < 0:
                break
            self._ready.popleft()
            batch.append(first)
        return tuple(batch)

    def sent(self, outgoing: Outgoing) -> None:
        """It is with the topic; its order's next may be taken."""
        order = self._orders[outgoing.stream]
        order.waiting.popleft()
        order.failures = 0
        if order.waiting:
            self._ready.append(outgoing.stream)
        else:
            del self._orders[outgoing.stream]

    def failed(self, outgoing: Outgoing) -> int:
        """It is not with the topic. Returns how often in a row that was so; `again` or `withdraw` must follow."""
        order = self._orders[outgoing.stream]
        order.failures += 1
        return order.failures

    def again(self, outgoing: Outgoing, *, not_before_s: float) -> None:
        """It may be taken again from that time on, before any other of its order."""
        heappush(self._later, (not_before_s, outgoing.stream))

    def withdraw(self, outgoing: Outgoing) -> None:
        """Neither it nor what waits behind it in its order is to be sent."""
        del self._orders[outgoing.stream]

    def wait_s(self, now_s: float) -> float:
        """How long until something that waits for its next try may be taken; infinity when nothing does."""
        return max(0.0, self._later[0][0] - now_s) if self._later else math.inf
