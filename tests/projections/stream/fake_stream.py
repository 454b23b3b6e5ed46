"""A table and its stream, in memory and on the running event loop's clock, that misbehave as DynamoDB Streams does.

Shards roll over, split and merge; children are listed late or before their parents; iterators expire; records are trimmed;
calls are throttled, fail, or come back empty though more follows. Faults are either made by the test at a moment of its
choosing, or drawn from a seeded generator with the probabilities in `Faults`.
"""

from dataclasses import dataclass, field
from random import Random

import anyio

from projections.stream import (
    After,
    IteratorExpired,
    Listing,
    Page,
    Position,
    PositionTrimmed,
    Record,
    Shard,
    ShardGone,
    StreamThrottled,
    StreamUnavailable,
)

EPOCH_MS = 1_800_000_000_000
ITERATOR_LIFE_S = 15 * 60


def wall_ms() -> int:
    """The fake's wall clock: the virtual clock from a fixed day on."""
    return EPOCH_MS + round(anyio.current_time() * 1_000)


@dataclass(kw_only=True)
class Faults:
    """How likely each call is to go wrong."""

    throttle: float = 0.0
    unavailable: float = 0.0
    lost_answer: float = 0.0  # the call worked, its answer did not arrive
    expire: float = 0.0
    empty_page: float = 0.0  # of a read that has records to return; at most twice in a row for a shard
    listing_failure: float = 0.0
    late_child_s: float = 0.0  # a child appears in the listing only after up to so long
    late_parent: float = 0.0  # a listing leaves out a parent whose child it shows


@dataclass
class FakeShard:
    id: str
    parents: tuple[str, ...]
    buckets: frozenset[int]
    starting_sequence: str
    listed_from_s: float = 0.0
    closed: bool = False
    records: list[Record] = field(default_factory=list)
    trimmed: int = 0  # so many of the oldest are gone
    empty_run: int = 0


class FakeStream:
    """Implements `StreamSource`; `put` is the table's side."""

    BUCKETS = 256

    def __init__(self, *, seed: int = 0, shards: int = 1, faults: Faults | None = None, page_max: int = 1_000) -> None:
        self.random = Random(seed)
        self.faults = faults or Faults()
        self.page_max = page_max
        self.generation = 1
        self.table: list[Record] = []  # every record ever written, in order: what a back-fill can find
        self.versions: dict[str, int] = {}
        self.shards: dict[str, FakeShard] = {}
        self.reads: list[tuple[float, str]] = []
        self.listings = 0
        self.down = False
        self._sequence = 10**20
        self._shard_number = 0
        share = self.BUCKETS / shards
        for index in range(shards):
            buckets = frozenset(range(round(index * share), round((index + 1) * share)))
            self._open((), buckets)

    # -- the table's side

    @property
    def arn(self) -> str:
        return f"arn:aws:dynamodb:eu-west-1:000000000000:table/events/stream/{self.generation}"

    def put(self, key: str) -> Record:
        """Write the next version of an item; its record appears in the open shard that its key belongs to."""
        version = self.versions.get(key, 0) + 1
        self.versions[key] = version
        record = Record(
            sequence_number=self._next_sequence(),
            event_name="INSERT",
            keys={"key": {"S": key}, "version": {"N": str(version)}},
            image={"key": {"S": key}, "version": {"N": str(version)}, "at": {"N": str(wall_ms())}},
            created_at_ms=wall_ms() // 1_000 * 1_000,
        )
        self.table.append(record)
        self._shard_of(key).records.append(record)
        return record

    def open_shards(self) -> list[FakeShard]:
        return [shard for shard in self.shards.values() if not shard.closed]

    def roll_over(self, shard: FakeShard | None = None) -> None:
        """Close one shard (or all open ones); one child goes on with its keys."""
        for closing in [shard] if shard else self.open_shards():
            closing.closed = True
            self._open((closing.id,), closing.buckets)

    def split(self, shard: FakeShard) -> None:
        shard.closed = True
        buckets = sorted(shard.buckets)
        half = len(buckets) // 2
        for part in (buckets[:half], buckets[half:]):
            self._open((shard.id,), frozenset(part))

    def merge(self, left: FakeShard, right: FakeShard) -> None:
        left.closed = right.closed = True
        self._open((left.id, right.id), left.buckets | right.buckets)

    def trim(self, *, older_than_s: float) -> None:
        """Drop records older than that; closed shards without a record left are forgotten altogether."""
        horizon_ms = wall_ms() - round(older_than_s * 1_000)
        for shard in list(self.shards.values()):
            while shard.trimmed < len(shard.records) and shard.records[shard.trimmed].created_at_ms < horizon_ms:
                shard.trimmed += 1
            if shard.closed and shard.trimmed == len(shard.records):
                del self.shards[shard.id]

    def restart_empty(self) -> None:
        """What a restarted emulator does: same ARN and shard, no records, old iterators still accepted, no start known."""
        for shard in self.open_shards():
            shard.records.clear()
            shard.trimmed = 0
            shard.starting_sequence = ""

    def replace_stream(self) -> None:
        """The stream was disabled and enabled again: another ARN, other shards, nothing of the old one can be found."""
        self.generation += 1
        self.shards.clear()
        self._open((), frozenset(range(self.BUCKETS)))

    # -- the port

    async def listing(self) -> Listing:
        self.listings += 1
        await self._call(self.faults.listing_failure)
        listed = [shard for shard in self.shards.values() if shard.listed_from_s <= anyio.current_time()]
        hidden = {
            parent
            for shard in listed
            for parent in shard.parents
            if self.faults.late_parent and self.random.random() < self.faults.late_parent
        }
        shards = tuple(
            Shard(
                id=shard.id,
                parents=shard.parents,
                starting_sequence=shard.starting_sequence
                or (shard.records[0].sequence_number if shard.records else None),
                ending_sequence=shard.records[-1].sequence_number if shard.closed and shard.records else None,
            )
            for shard in listed
            if shard.id not in hidden
        )
        return Listing(self.arn, shards)

    async def iterator(self, shard: str, position: Position) -> str:
        await self._call(self.faults.unavailable)
        found = self._find(shard)
        index = found.trimmed
        if isinstance(position, After):
            for place, record in enumerate(found.records):
                if record.sequence_number == position.sequence:
                    index = place + 1
                    break
            else:
                raise PositionTrimmed(position.sequence)
            if index <= found.trimmed:
                raise PositionTrimmed(position.sequence)
        return f"{self.generation}|{shard}|{index}|{anyio.current_time()}"

    async def read(self, iterator: str, limit: int) -> Page:
        generation, shard_id, index_text, issued_text = iterator.split("|")
        self.reads.append((anyio.current_time(), shard_id))
        await self._call(self.faults.unavailable)
        if self.random.random() < self.faults.throttle:
            raise StreamThrottled(shard_id)
        expired = anyio.current_time() - float(issued_text) >= ITERATOR_LIFE_S
        if expired or self.random.random() < self.faults.expire:
            raise IteratorExpired(shard_id)
        if int(generation) != self.generation:
            raise ShardGone(shard_id)
        shard = self._find(shard_id)
        index = int(index_text)
        if index < shard.trimmed:
            raise PositionTrimmed(shard_id)
        records = tuple(shard.records[index : index + min(limit, self.page_max)])
        if records and shard.empty_run < 2 and self.random.random() < self.faults.empty_page:
            records = ()
        shard.empty_run = 0 if records else shard.empty_run + 1
        following = index + len(records)
        ended = shard.closed and following >= len(shard.records)
        if self.random.random() < self.faults.lost_answer:
            raise StreamUnavailable("the answer was lost")
        return Page(records, None if ended else f"{generation}|{shard_id}|{following}|{anyio.current_time()}")

    # -- inside

    async def _call(self, failure: float) -> None:
        await anyio.sleep(0.005)
        if self.down or self.random.random() < failure:
            raise StreamUnavailable("internal server error")

    def _find(self, shard: str) -> FakeShard:
        if shard not in self.shards:
            raise ShardGone(shard)
        return self.shards[shard]

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
