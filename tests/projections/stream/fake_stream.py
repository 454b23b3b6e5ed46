"""A table with a stream that misbehaves as DynamoDB's do, on the running event loop's clock.

`put` is the table's side. Faults are made by the test at a moment of its choosing (`roll_over`, `split`, `trim` …), or drawn by
one seeded generator with the probabilities in `Faults`. `source` gives a reader its way in: the real adapter over the service's API.
"""

from collections.abc import Mapping
from random import Random
from typing import Any

import anyio

from projections.stream import Listing, Record
from projections.stream.dynamo_source import DynamoStreamSource
from tests.projections.stream.faults import Faults
from tests.projections.stream.stream_state import EPOCH_MS, FakeShard, StreamOfTable, wall_ms
from tests.projections.stream.streams_api import ITERATOR_LIFE_S, StreamsApi

__all__ = ["EPOCH_MS", "ITERATOR_LIFE_S", "FakeShard", "FakeStream", "Faults", "wall_ms"]

HELD_BACK_S = 0.5


class FakeStream:
    """The table, and what a test may do to its stream."""

    BUCKETS = 256

    def __init__(self, *, seed: int = 0, shards: int = 1, faults: Faults | None = None, page_max: int = 1_000) -> None:
        self.seed = seed
        self.random = Random(seed)
        self.api = StreamsApi(self.random, page_max=page_max)
        self.faults = faults or Faults()
        self.api.before_call = self._let_go
        self.generation = 1
        self.table: list[Record] = []  # every record ever written, in order: what a back-fill can find
        self.versions: dict[str, int] = {}
        self.enabled = True
        self._sequence = 10**20
        self._shard_number = 0
        self._held_back: list[tuple[float, str, Record]] = []
        self._enable()
        share = self.BUCKETS / shards
        for index in range(shards):
            buckets = frozenset(range(round(index * share), round((index + 1) * share)))
            self._open((), buckets)

    @property
    def faults(self) -> Faults:
        return self.api.faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        self.api.faults = faults

    @property
    def down(self) -> bool:
        return self.api.down

    @down.setter
    def down(self, down: bool) -> None:
        self.api.down = down

    @property
    def reads(self) -> list[tuple[float, str]]:
        return self.api.reads

    @property
    def listings(self) -> int:
        return self.api.calls["describe_stream"]

    @property
    def arn(self) -> str:
        return self.api.streams[-1].arn

    @property
    def shards(self) -> dict[str, FakeShard]:
        """Those of the newest stream."""
        return self.api.streams[-1].shards

    @shards.setter
    def shards(self, shards: dict[str, FakeShard]) -> None:
        self.api.streams[-1].shards = shards

    def source(self, reader: str) -> DynamoStreamSource:
        """A reader's way to the stream: the adapter that production uses, over this service."""
        return DynamoStreamSource(self.api.client(reader), self.api.table_name)

    def with_second_parents(self, listing: Listing) -> Listing:
        """DescribeStream names one parent of a shard; this adds the other of a merge, which the reader would heed as well."""
        parents = {shard.id: shard.parents for shard in self.shards.values()}
        return Listing(
            listing.stream,
            tuple(
                type(shard)(
                    id=shard.id,
                    parents=parents.get(shard.id, shard.parents),
                    starting_sequence=shard.starting_sequence,
                    ending_sequence=shard.ending_sequence,
                )
                for shard in listing.shards
            ),
        )

    # -- the table's side

    def put(self, key: str) -> Record:
        """Write the next version of an item; its record appears in the open shard that its key belongs to."""
        version = self.versions.get(key, 0) + 1
        self.versions[key] = version
        keys = {"key": {"S": key}, "version": {"N": str(version)}}
        return self.put_item(key, keys=keys, image={**keys, "at": {"N": str(wall_ms())}})

    def put_item(self, key: str, *, keys: Mapping[str, Any], image: Mapping[str, Any]) -> Record:
        """Write any item; `key` decides its shard. Its record may be held back for a moment, while others are written."""
        record = Record(
            sequence_number="",
            event_name="INSERT",
            keys=keys,
            image=image,
            created_at_ms=wall_ms() // 1_000 * 1_000,
        )
        self._let_go()
        if self.enabled and self.faults.reorder and self.random.random() < self.faults.reorder:
            self._held_back.append((anyio.current_time() + HELD_BACK_S, key, record))
        else:
            record = self._append(key, record)
        self.table.append(record)
        return record

    def holds_back(self, key: str) -> bool:
        """Whether a record of the item is still to appear, which others may overtake."""
        return any(held == key for _, held, _ in self._held_back)

    # -- what happens to the stream

    def open_shards(self) -> list[FakeShard]:
        return [shard for shard in self.shards.values() if not shard.closed]

    def roll_over(self, shard: FakeShard | None = None) -> None:
        """Close one shard (or all open ones); one child goes on with its keys."""
        for closing in [shard] if shard else self.open_shards():
            self._close(closing)
            self._open((closing.id,), closing.buckets)

    def split(self, shard: FakeShard) -> None:
        self._close(shard)
        buckets = sorted(shard.buckets)
        half = len(buckets) // 2
        for part in (buckets[:half], buckets[half:]):
            self._open((shard.id,), frozenset(part))

    def merge(self, left: FakeShard, right: FakeShard) -> None:
        self._close(left)
        self._close(right)
        self._open((left.id, right.id), left.buckets | right.buckets)

    def trim(self, *, older_than_s: float) -> None:
        """Drop records older than that; closed shards without a record left are forgotten altogether."""
        self.api.trim(older_than_s)

    def restart_empty(self) -> None:
        """What a restarted emulator does: same ARN and shard, no records, old iterators still accepted, no start known."""
        self._let_go(at_once=True)
        for shard in self.open_shards():
            shard.records.clear()
            shard.trimmed = 0
            shard.starting_sequence = ""

    def disable(self) -> None:
        """The stream ends: its shards are closed and stay readable for a day; what is written now is in no stream."""
        self._let_go(at_once=True)
        self.enabled = self.api.streams[-1].enabled = False
        for shard in self.open_shards():
            self._close(shard)

    def enable(self) -> None:
        """The table has a stream again: another ARN, other shards, no parents."""
        self.generation += 1
        self.enabled = True
        self._enable()
        self._open((), frozenset(range(self.BUCKETS)))

    def replace_stream(self) -> None:
        """Disabled and enabled again, and nothing of the old stream can be found."""
        self.disable()
        self.api.streams[-1].found = False
        self.enable()

    async def unrest(self) -> None:
        """Roll over, split, merge, trim, disable and enable by itself, as the faults say, until cancelled."""
        faults, random = self.faults, self.random
        while True:
            await anyio.sleep(random.uniform(0.5, 1.5) * faults.roll_over_every_s)
            shards, fate = self.open_shards(), random.random()
            if fate < faults.split and len(shards) < faults.open_shards_max:
                self.split(random.choice(shards))
            elif faults.split <= fate < faults.split + faults.merge and len(shards) > 1:
                self.merge(*random.sample(shards, 2))
            else:
                self.roll_over(random.choice(shards))
            if random.random() < faults.trim:
                self.trim(older_than_s=faults.trim_older_than_s)
            if random.random() < faults.replace:
                self.disable()
                await anyio.sleep(faults.disabled_s)
                self.enable()

    # -- inside

    def _enable(self) -> None:
        # Labels are the moments at which streams were enabled: in order, and no two alike.
        label = f"2027-01-15T08:00:00.{self.generation:03d}"
        arn = f"arn:aws:dynamodb:eu-west-1:000000000000:table/events/stream/{label}"
        self.api.streams.append(StreamOfTable(arn, label))

    def _append(self, key: str, record: Record) -> Record:
        if not self.enabled:
            return record
        numbered = Record(
            sequence_number=self._next_sequence(),
            event_name=record.event_name,
            keys=record.keys,
            image=record.image,
            created_at_ms=record.created_at_ms,
        )
        self._shard_of(key).records.append(numbered)
        return numbered

    def _let_go(self, *, at_once: bool = False) -> None:
        now_s = anyio.current_time() if self._held_back else 0.0
        due = [entry for entry in self._held_back if at_once or entry[0] <= now_s]
        self._held_back = [entry for entry in self._held_back if entry not in due]
        for _, key, record in due:
            self._append(key, record)

    def _close(self, shard: FakeShard) -> None:
        self._let_go(at_once=True)
        shard.closed = True
        shard.closed_at_s = anyio.current_time()

    def _open(self, parents: tuple[str, ...], buckets: frozenset[int]) -> None:
        self._shard_number += 1
        name = f"shardId-{self._shard_number:020d}-{self.random.getrandbits(32):08x}"
        late_s = self.random.uniform(0, self.faults.late_child_s) if parents and self.faults.late_child_s else 0.0
        listed_from_s = anyio.current_time() + late_s if late_s else 0.0
        self.shards[name] = FakeShard(name, parents, buckets, self._next_sequence(), listed_from_s)

    def _shard_of(self, key: str) -> FakeShard:
        bucket = Random(key).randrange(self.BUCKETS)
        return next(shard for shard in self.open_shards() if bucket in shard.buckets)

    def _next_sequence(self) -> str:
        self._sequence += 1
        return str(self._sequence)
