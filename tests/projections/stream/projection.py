"""The durable effect of a subscription, and what its reader reports."""

from collections.abc import Callable, Sequence

import anyio

from projections.stream import GapCause, Record, SilentObserver
from tests.projections.stream.fake_stream import FakeStream


class Projection:
    """The durable effect of a subscription, guarded by version as every view is."""

    def __init__(self, stream: FakeStream) -> None:
        self.stream = stream
        self.seen: dict[str, set[int]] = {}
        self.last: dict[str, int] = {}
        self.deliveries = 0
        self.duplicates = 0
        self.holes: list[str] = []
        self.backfills: list[int] = []
        self.fail_applies = 0  # so many calls raise before doing anything
        self.fail_after_effect = 0  # so many calls raise though their effect is durable
        self.fail_backfills = 0
        self.apply_s = 0.0
        self.backfill_s = 0.0
        self.before_backfill_ends: Callable[[], None] | None = None
        self._arrived = 0  # so many records from the first one on have arrived, and need not be looked at again
        self.heals = True  # False: back-fills find nothing, so that what arrives has come through the stream

    async def apply(self, records: Sequence[Record]) -> None:
        if self.fail_applies:
            self.fail_applies -= 1
            raise RuntimeError("the table is throttled")
        await anyio.sleep(self.apply_s)
        for record in records:
            key, version = record.keys["key"]["S"], int(record.keys["version"]["N"])
            last = self.last.get(key, 0)
            self.deliveries += 1
            if version > last + 1:
                self.holes.append(f"{key}: {version} came after {last}")
            if version <= last:
                self.duplicates += 1
            self._note(key, version)
        if self.fail_after_effect:
            self.fail_after_effect -= 1
            raise RuntimeError("the answer was lost")

    async def backfill(self, since_ms: int) -> None:
        self.backfills.append(since_ms)
        found = [
            record for record in self.stream.table if self.heals and int((record.image or {})["at"]["N"]) >= since_ms
        ]
        if self.fail_backfills:
            self.fail_backfills -= 1
            raise RuntimeError("the scan was throttled")
        await anyio.sleep(self.backfill_s)
        for record in found:
            self._note(record.keys["key"]["S"], int(record.keys["version"]["N"]))
        if self.before_backfill_ends is not None:
            self.before_backfill_ends()

    def missing(self) -> list[str]:
        """What was written and never arrived, by either way."""
        table = self.stream.table
        while self._arrived < len(table) and self._has(table[self._arrived]):
            self._arrived += 1
        return [
            f"{record.keys['key']['S']}: {record.keys['version']['N']}"
            for record in table[self._arrived :]
            if not self._has(record)
        ]

    def _has(self, record: Record) -> bool:
        return int(record.keys["version"]["N"]) in self.seen.get(record.keys["key"]["S"], ())

    def _note(self, key: str, version: int) -> None:
        self.seen.setdefault(key, set()).add(version)
        self.last[key] = max(version, self.last.get(key, 0))


class Watch(SilentObserver):
    """Counts what the reader reports."""

    def __init__(self) -> None:
        self.gaps: list[tuple[GapCause, int]] = []
        self.bootstraps = 0
        self.counts: dict[str, int] = {}
        self.owned = 0
        self.taken: list[str] = []
        self.records_read_count = 0
        self.waited_ms: list[int] = []
        self.behind_ms: list[tuple[int, int]] = []

    def _count(self, name: str) -> None:
        self.counts[name] = self.counts.get(name, 0) + 1

    def records_read(self, *, shard: str, count: int) -> None:
        self.records_read_count += count

    def waiting(self, *, shard: str, lag_ms: int) -> None:
        self.waited_ms.append(lag_ms)

    def behind(self, *, lag_ms: int, left_ms: int) -> None:
        self.behind_ms.append((lag_ms, left_ms))

    def gap(self, *, shard: str, cause: GapCause, since_ms: int) -> None:
        self.gaps.append((cause, since_ms))

    def bootstrap(self, *, shard: str) -> None:
        self.bootstraps += 1

    def apply_failed(self, *, shard: str, count: int, error: Exception) -> None:
        self._count("apply_failed")

    def backfill_failed(self, *, since_ms: int, error: Exception) -> None:
        self._count("backfill_failed")

    def lease_taken(self, *, shard: str) -> None:
        self._count("lease_taken")
        self.taken.append(shard)

    def lease_lost(self, *, shard: str) -> None:
        self._count("lease_lost")

    def lease_released(self, *, shard: str) -> None:
        self._count("lease_released")

    def shards_owned(self, *, count: int) -> None:
        self.owned = count

    def shard_finished(self, *, shard: str) -> None:
        self._count("shard_finished")

    def throttled(self, *, shard: str) -> None:
        self._count("throttled")

    def iterator_expired(self, *, shard: str) -> None:
        self._count("iterator_expired")

    def unavailable(self, *, operation: str, error: Exception) -> None:
        self._count(f"unavailable {operation}")
