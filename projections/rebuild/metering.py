"""What a rebuild consumes: counted in capacity units, and held below what it was given. Times are those of the monotonic clock.

Scans are counted as the table tells; the rest as AWS says it is counted ("Read and write operations"), from the sizes.
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


class UnitLimiter:
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

    reads: UnitLimiter = field(default_factory=lambda: UnitLimiter(None))
    writes: UnitLimiter = field(default_factory=lambda: UnitLimiter(None))
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
    """A view store whose reads and writes are counted, and wait for the limit."""

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
        """See `ViewStore.keys`: a scan, counted as the table tells."""
        walk = self.views.keys(prefix, consumed=self.meter.reads.spend)
        async with aclosing(walk) as keys:  # type: ignore[type-var]  # every store's are generators
            async for key in keys:
                yield key

    async def totals(self, sum_keys: Sequence[str]) -> Mapping[str, Mapping[str, int]]:
        """See `ViewStore.totals`: a unit for each row that they may be spread over."""
        found = await self.views.totals(sum_keys)
        await self.meter.reads.spend(float(sum(len(view_items.total_keys(name)) for name in sum_keys)))
        return found

    async def sum_keys(self, prefix: str) -> AsyncIterator[str]:
        """See `ViewStore.sum_keys`: counted as `keys`."""
        walk = self.views.sum_keys(prefix, consumed=self.meter.reads.spend)
        async with aclosing(walk) as names:  # type: ignore[type-var]  # every store's are generators
            async for name in names:
                yield name


def read_units(size_bytes: int) -> float:
    """Of a consistent read."""
    return float(max(1, math.ceil(size_bytes / READ_UNIT_BYTES)))


def write_units(write: Write) -> float:
    """The item, again in the index where it is listed; in a transaction each counts twice, and so does each of the totals."""
    units = math.ceil(item_bytes(view_items.item_of(write)) / WRITE_UNIT_BYTES)
    if write.list_key is not None:
        units *= 2
    return float(2 * (units + len(write.additions)) if write.additions else units)
