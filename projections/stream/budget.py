"""How many records a worker keeps in memory over all of its shards: read, and not durable yet.

Nobody waits while holding a part of it. A shard takes its part when it is about to read, without waiting; what it read goes back as the
subscriber makes it durable, which needs no more of the budget. So whatever the subscriber still finishes frees room, and a
shard that has nothing under way reads a little in any case: shards that stand still keep no other from moving.
"""

import anyio


class RecordBudget:
    """At most `most` records of a worker, and `floor` more for each shard that has none of them."""

    def __init__(self, *, most: int, floor: int) -> None:
        self._most = most
        self._floor = min(floor, most)
        self._used = 0
        self._freed = anyio.Event()

    @property
    def used(self) -> int:
        """Records that were read and are not durable, and those that reads under way may bring."""
        return self._used

    def take(self, wanted: int, *, holding: int) -> int:
        """How many records may be read now by a shard that has `holding` of them under way; they count from now on. 0: none yet."""
        room = self._most - self._used
        granted = min(wanted, room)
        if room < self._floor:
            granted = 0 if holding else min(wanted, self._floor)
        self._used += granted
        return granted

    def give_back(self, count: int) -> None:
        """So many are durable, were dropped, or were granted and not read. Fewer than none: a service gave more than was asked for."""
        self._used -= count
        if count > 0:
            self._freed.set()
            self._freed = anyio.Event()

    async def wait(self, *, holding: int, timeout_s: float) -> None:
        """Return when something may be granted, at the latest after `timeout_s`."""
        with anyio.move_on_after(timeout_s):
            while holding and self._most - self._used < self._floor:
                await self._freed.wait()
