"""Everything that outlives a process: the log and its stream, tables, views, leases, queues, the topic, the mail service, the providers."""

import hashlib
from collections.abc import Sequence
from random import Random
from typing import TYPE_CHECKING

import anyio

from orderstore import codec
from orderstore.archive.positions import MemoryPositions
from orderstore.contract import PublicEvent
from orderstore.objects import MemoryObjectStore
from orderstore.registry import CONSUMERS, HEARS_ALL_PUBLIC, HEARS_EVERYTHING, consumed_by
from orderstore.store import items
from orderstore.store.memory import MemoryEventStore
from orderstore.store.port import Commit
from projections.publishing.publisher import Failed
from projections.stream import Listing, Page, Position, Shard
from projections.stream.leases import Lease, is_ahead
from projections.stream.memory_leases import MemoryLeaseStore
from projections.stream.parking.memory import MemoryParkingLot
from projections.view_store.memory import MemoryViewStore
from tests.ordering import PlainVault
from tests.projections.stream.fake_stream import FakeStream, wall_ms
from tests.simulation.outsiders import Bus, Mailbox, Subscriber
from workers.inbox.memory import MemoryInboxTable
from workers.runtime.memory import MemoryQueue
from workers.tables.memory import MemoryTable
from workers.webhooks.endpoints import Endpoints
from workers.webhooks.secrets import Secrets

if TYPE_CHECKING:
    from tests.simulation.run import Run

INTAKE = "intake"
TABLES = ("payments", "inventory", "notifications", "suppressions", "sandbox")


class Outside:
    """Made anew for each run."""

    def __init__(self, run: "Run") -> None:
        self.run = run
        self.random = Random(f"outside {run.seed}")
        self.stream = FakeStream(
            seed=run.seed,
            shards=self.random.randint(1, 3),
            faults=run.faults.stream,
            page_max=self.random.choice((1, 3, 50)),
        )
        self.log = MemoryEventStore(on_append=[self._appended])
        self.views = MemoryViewStore()
        self.leases = WatchedLeases()
        self.lot = MemoryParkingLot()
        self.tables = {name: MemoryTable() for name in TABLES}
        self.objects = MemoryObjectStore()
        self.locked = MemoryObjectStore()
        self.positions = MemoryPositions()
        self.vault = PlainVault()
        self.inboxes = MemoryInboxTable()
        self.endpoints, self.deliveries = MemoryTable(), MemoryTable()
        self.secrets = Secrets(self.vault, random_bytes=Random(run.seed).randbytes, now_ms=wall_ms)
        self.bus = Bus(self)
        self.subscriber = Subscriber(self)
        names = [*(name for name in CONSUMERS if run.webhooks or name != HEARS_ALL_PUBLIC), INTAKE]
        self.dead = {
            name: MemoryQueue(f"{name}-dlq", now_ms=wall_ms, retention_s=14 * 86_400, receive_count_max=1_000_000)
            for name in names
        }
        self.queues = {
            name: MemoryQueue(name, now_ms=wall_ms, dead_letters=self.dead[name], receive_count_max=run.receives_max)
            for name in names
        }
        self.topic = Topic(self)
        self.mailbox = Mailbox(self)

    async def open(self, tenant: str) -> None:
        """What somebody set up before the first order."""
        if HEARS_ALL_PUBLIC in self.queues:
            await self.subscriber.subscribe(Endpoints(self.endpoints), self.secrets, tenant)

    def _appended(self, commit: Commit) -> None:
        image = items.encode(commit).item
        keys = {"stream": image["stream"], "commit": image["commit"]}
        if self.stream.holds_back(commit.stream):
            self.run.swapped.add(commit.stream)  # this one may be there before the one that is held back
        self.stream.put_item(commit.stream, keys=keys, image=image)
        names = ", ".join(recorded.name for recorded in codec.decode(commit))
        self.run.note("log", f"{commit.stream[-4:]} {commit.number}: {names} {commit.hash.hex()[:8]}")


class WatchedLeases(MemoryLeaseStore):
    """The lease table, and somebody who looks whether any checkpoint ever moves back: only the owner's own may be stored."""

    def __init__(self) -> None:
        super().__init__()
        self.problems: list[str] = []

    async def replace(self, current: Lease, updated: Lease) -> None:
        """See `LeaseStore`."""
        key = (current.subscription, current.shard)
        before = self._rows.get(key)
        await super().replace(current, updated)
        if before is None or before == updated or updated.gap is not None or before.gap is not None:
            return
        if updated.counter <= before.counter or is_ahead(before.checkpoint, updated.checkpoint):
            self.problems.append(f"the row of {key} went back from {before} to {updated}")


class Source:
    """The stream as one reader sees it: production's adapter over the service's API, with both parents of a merge."""

    def __init__(self, stream: FakeStream, reader: str) -> None:
        self._stream = stream
        self._source = stream.source(reader)

    async def listing(self) -> Listing:
        """See `projections.stream.source.StreamSource`."""
        return self._stream.with_second_parents(await self._source.listing())

    async def children(self, shard: str) -> tuple[Shard, ...]:
        """See `projections.stream.source.StreamSource`."""
        found = Listing(self._stream.arn, await self._source.children(shard))
        return self._stream.with_second_parents(found).shards

    async def iterator(self, shard: str, position: Position) -> str:
        """See `projections.stream.source.StreamSource`."""
        return await self._source.iterator(shard, position)

    async def read(self, iterator: str, limit: int) -> Page:
        """See `projections.stream.source.StreamSource`."""
        return await self._source.read(iterator, limit)


class Topic:
    """SNS with its subscriptions: at least once to each queue that asks for the event, sooner or later."""

    def __init__(self, outside: Outside) -> None:
        self._outside = outside
        self._wanted = {name: frozenset(consumed_by(name)) for name in outside.queues if name != INTAKE}
        self.published: list[PublicEvent] = []

    async def publish(self, batch: Sequence[PublicEvent]) -> tuple[Failed, ...]:
        """See `projections.publishing.publisher.Publisher`."""
        await anyio.lowlevel.checkpoint()
        random, faults = self._outside.random, self._outside.run.faults
        failed = []
        for position, event in enumerate(batch):
            if faults.refused_entry and random.random() < faults.refused_entry:
                failed.append(Failed(position, "InternalError", sender_fault=False))
                continue
            self.published.append(event)
            self._outside.run.note("topic", f"{event.order_id[-4:]} {event.attributes['eventType']}")
            for name, wanted in self._wanted.items():
                if name == HEARS_EVERYTHING or event.attributes["eventType"] in wanted:
                    await self._deliver(name, event)
        return tuple(failed)

    async def _deliver(self, name: str, event: PublicEvent) -> None:
        random, faults = self._outside.random, self._outside.run.faults
        for _ in range(2 if faults.duplicate and random.random() < faults.duplicate else 1):
            late = faults.late and random.random() < faults.late
            await self._outside.queues[name].send(
                event.body.decode(),
                attributes=event.attributes,
                delay_s=random.uniform(0, faults.late_s) if late else 0,
            )


def digest_of(lines: Sequence[str]) -> str:
    """Of a trace: equal for equal runs."""
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
