"""What a rebuild consumes: counted in capacity units, and held below what it was given. Times are those of the monotonic clock.

Reads of the log are counted as the table tells; the others as AWS says they are counted ("Read and write operations"), from the sizes.
"""

import math
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Final

import anyio

from orderstore.store.items import WRITE_UNIT_BYTES, item_bytes
from orderstore.store.port import Commit, EventStore
from orderstore.store.scanning import READ_UNIT_BYTES
from projections.view_store import Stored, ViewStore, Write, WriteResult, Written
from projections.view_store import items as view_items

BURST_S: Final = 1.0
COMMIT_BYTES_BESIDE: Final = 250  # of an item, beside its body: names, hashes, the key


class Bucket:
    """So many units a second. Who spends waits until what was spent before is paid for, and may then go into debt: a page is one read."""

    def __init__(self, per_s: float | None) -> None:
        """None: no limit, only counted. Raises ValueError for a limit that lets nothing through."""
        if per_s is not None and not per_s > 0:
            raise ValueError(f"a limit in units a second is more than 0, not {per_s}")
        self.per_s = per_s
        self.spent = 0.0
        self._level = (per_s or 0.0) * BURST_S
        self._at_s: float | None = None
        self._lock = anyio.Lock()

    async def spend(self, units: float) -> None:
        """Take so many, when it is time."""
        async with self._lock:
            if self.per_s is not None:
                self._refill(self.per_s)
                if self._level < 0:
                    await anyio.sleep(-self._level / self.per_s)
                    self._refill(self.per_s)
                    self._level = max(
                        self._level, 0.0
                    )  # what rounding leaves is no debt: a sleep that short moves no clock
                self._level -= units
        self.spent += units

    def _refill(self, per_s: float) -> None:
        now_s = anyio.current_time()
        if self._at_s is not None:
            self._level = min(per_s * BURST_S, self._level + (now_s - self._at_s) * per_s)
        self._at_s = now_s


@dataclass(slots=True)
class Meter:
    """The units of one run, and how many documents it wrote."""

    reads: Bucket = field(default_factory=lambda: Bucket(None))
    writes: Bucket = field(default_factory=lambda: Bucket(None))
    documents: int = 0


@dataclass(frozen=True, slots=True)
class MeteredLog:
    """The one thing of a log that bringing up needs: to read an order."""

    log: EventStore
    meter: Meter

    async def read(self, stream: str, *, after: int = 0) -> tuple[Commit, ...]:
        """See `EventStore.read`."""
        commits = await self.log.read(stream, after=after)
        await self.meter.reads.spend(read_units(sum(len(commit.body) + COMMIT_BYTES_BESIDE for commit in commits)))
        return commits


@dataclass(frozen=True, slots=True)
class MeteredViews:
    """Documents by their keys, which is what bringing up needs."""

    views: ViewStore
    meter: Meter

    async def get(self, keys: Sequence[str]) -> Mapping[str, Stored]:
        """See `ViewStore.get`."""
        found = await self.views.get(keys)
        absent = len(keys) - len(found)
        await self.meter.reads.spend(absent + sum(read_units(len(stored.document)) for stored in found.values()))
        return found

    async def write(self, writes: Sequence[Write]) -> tuple[WriteResult, ...]:
        """See `ViewStore.write`. What is refused by its condition costs as much."""
        await self.meter.writes.spend(sum(map(write_units, writes)))
        results = await self.views.write(writes)
        self.meter.documents += sum(isinstance(result, Written) for result in results)
        return results

    async def keys(self, prefix: str) -> AsyncIterator[str]:
        """See `ViewStore.keys`: a scan, counted as one unit for each key that it finds."""
        async with aclosing(self.views.keys(prefix)) as keys:  # type: ignore[type-var]  # every store's are generators
            async for key in keys:
                await self.meter.reads.spend(1)
                yield key


def read_units(size_bytes: int) -> float:
    """Of a consistent read."""
    return float(max(1, math.ceil(size_bytes / READ_UNIT_BYTES)))


def write_units(write: Write) -> float:
    """The item, again in the index where it is listed; in a transaction each counts twice, and so does each of the totals."""
    units = math.ceil(item_bytes(view_items.item_of(write)) / WRITE_UNIT_BYTES)
    if write.list_key is not None:
        units *= 2
    return float(2 * (units + len(write.additions)) if write.additions else units)
