"""Order within a group: of the held messages of one message group only the first may run, the others wait behind it.

A FIFO queue hands out nothing of a group while somebody holds a part of it (AWS, "Using the message group ID with Amazon SQS FIFO
Queues"), but one receive may bring several of its messages; who runs those side by side has lost the order that the queue kept.
"""

from collections import deque
from collections.abc import Iterator

from workers.runtime.held import Held


class Lanes:
    """A lane for each group of which something is held. A message without a group is nobody's successor."""

    def __init__(self, *, ordered: bool) -> None:
        """`ordered` False is a standard queue: a group there is only a tenant for SQS's fairness, and orders nothing."""
        self._ordered = ordered
        self._lanes: dict[str, deque[Held]] = {}

    def join(self, held: Held) -> bool:
        """Put it at the end of its lane; whether nothing is in front of it."""
        group = held.message.group
        if not self._ordered or group is None:
            return True
        lane = self._lanes.setdefault(group, deque())
        lane.append(held)
        return len(lane) == 1

    def is_waiting(self, held: Held) -> bool:
        """Whether another message is in front of it."""
        lane = self._lane(held)
        return lane is not None and lane[0] is not held

    def leave(self, held: Held) -> Held | None:
        """It has come to its end and the next may go on: that next one, if there is any."""
        lane = self._lane(held)
        if lane is None or lane[0] is not held:
            return None
        lane.popleft()
        if lane:
            return lane[0]
        del self._lanes[self._group(held)]
        return None

    def cut(self, held: Held) -> tuple[Held, ...]:
        """It goes back to the queue, so what is behind it must not run before it: those, which are in no lane any more."""
        lane = self._lane(held)
        if lane is None:
            return ()
        place = lane.index(held)
        behind = tuple(lane)[place + 1 :]
        for _ in range(len(behind) + 1):
            lane.pop()
        if not lane:
            del self._lanes[self._group(held)]
        return behind

    def waiting(self) -> Iterator[Held]:
        """All that wait behind another, each lane in its order."""
        for lane in tuple(self._lanes.values()):
            yield from tuple(lane)[1:]

    def _lane(self, held: Held) -> deque[Held] | None:
        """The lane that it is in."""
        lane = self._lanes.get(held.message.group) if held.message.group is not None else None
        return lane if lane is not None and held in lane else None

    @staticmethod
    def _group(held: Held) -> str:
        group = held.message.group
        assert group is not None, "only what has a group is in a lane"
        return group
