"""An intake in memory: the log, a queue with its consume loop, files, their table and results, and what was reported."""

import json
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final
from uuid import uuid4

import anyio

from orderstore.objects import MemoryObjectStore
from orderstore.orders import Orders
from orderstore.store.memory import MemoryEventStore
from tests.ordering import PlainVault, TickingClock, orders_over
from tests.workers.world import Faults
from workers.classify import classify
from workers.intake.bulk.ending import Ending
from workers.intake.bulk.files import FileName, MemoryFiles
from workers.intake.bulk.ranges import RangeHandler, RangeSettings
from workers.intake.bulk.records import Records
from workers.intake.bulk.results import Results
from workers.intake.bulk.uploads import UploadHandler
from workers.intake.handler import ORDER_REQUEST, IntakeHandler
from workers.intake.placing import Placing
from workers.intake.queue.requests import RequestHandler
from workers.intake.reports import MemoryReports, Report
from workers.runtime.consume import ConsumeLoop
from workers.runtime.memory import MemoryQueue
from workers.runtime.outcome import Outcome
from workers.runtime.queue import Message
from workers.runtime.settings import ConsumeSettings
from workers.tables.memory import MemoryTable

BUCKET: Final = "shop-intake"
SHOP: Final = "shop.example"
TEA: Final[Mapping[str, Any]] = {"items": [{"sku": "TEA", "quantity": 2, "price": "12.50"}], "currency": "EUR"}
RANGES: Final = RangeSettings(work_s=7.5, range_bytes=200)


class Facts:
    """An IntakeObserver that counts."""

    def __init__(self) -> None:
        self.counts: dict[tuple[str, str], int] = {}

    def request(self, *, result: str) -> None:
        self._count("request", result)

    def file(self, *, result: str) -> None:
        self._count("file", result)

    def lines(self, *, result: str, count: int) -> None:
        self._count("lines", result, count)

    def _count(self, what: str, result: str, by: int = 1) -> None:
        self.counts[what, result] = self.counts.get((what, result), 0) + by


class IntakeWorld:
    """Everything that the intake meets. `faults` stand before and behind each call to the log, table, results, reports and queue."""

    def __init__(self, *, ranges: RangeSettings = RANGES, faults: Faults | None = None, hooks: bool = True) -> None:
        self.clock = TickingClock()
        self.store = MemoryEventStore()
        self.vault = PlainVault()
        self.files = MemoryFiles()
        self.objects = MemoryObjectStore()
        self.table = MemoryTable()
        self.reports = MemoryReports()
        self.facts = Facts()
        self.dead = MemoryQueue("intake-dlq", now_ms=self.clock)
        self.queue = MemoryQueue("intake", now_ms=self.clock, dead_letters=self.dead)
        faults = faults or Faults()
        self.orders: Orders = orders_over(
            faults.wrap("log", self.store), hooks_allowed=hooks, now_ms=self.clock, vault=self.vault
        )
        records = Records(faults.wrap("table", self.table), now_ms=self.clock, random=random.Random(1))
        results = Results(faults.wrap("results", self.objects))
        reports = faults.wrap("reports", self.reports)
        send = faults.wrap("queue", self.queue).send
        placing = Placing(self.orders)
        ending = Ending(records, results=results, reports=reports, observer=self.facts)
        self.records = Records(self.table, now_ms=self.clock, random=random.Random(1))
        self.handler = IntakeHandler(
            requests=RequestHandler(placing, reports=reports, observer=self.facts),
            uploads=UploadHandler(bucket=BUCKET, files=self.files, records=records, ending=ending, send=send),
            ranges=RangeHandler(
                placing,
                files=self.files,
                records=records,
                results=results,
                ending=ending,
                send=send,
                settings=ranges,
                observer=self.facts,
            ),
        )

    async def handle(self, body: str, **attributes: str) -> Outcome:
        """One delivery, without a queue."""
        message = Message(id="1", receipt="r", body=body, attributes=attributes, receive_count=1, sent_at_ms=0)
        return await self.handler(message)

    async def drain(self, *, copies: int = 1) -> None:
        """Hand out everything that was sent, each `copies` times, until nothing is left."""
        while messages := await self.queue.receive(max_messages=10, wait_s=0, visibility_timeout_s=600):
            for message in messages:
                for _ in range(copies):
                    await self.handler(message)
            await self.queue.delete(messages)

    @asynccontextmanager
    async def working(self, **settings: Any) -> AsyncIterator[None]:
        """The real consume loop, at work."""
        loop = ConsumeLoop(
            self.queue,
            self.handler,
            ConsumeSettings(**settings),
            now_ms=self.clock,
            source=random.Random(1),
            classify=classify,
        )
        async with anyio.create_task_group() as group:
            await group.start(loop.run)
            yield
            loop.stop()

    async def upload(self, content: bytes, *, name: str = "monday.ndjson", version: str = "v1") -> FileName:
        """Put a file, and let S3 tell of it."""
        file = FileName(bucket=BUCKET, key=f"intake/{name}", version=version, etag="e")
        self.files.contents[file.key, version] = content
        await self.queue.send(created(file))
        return file

    async def report_of(self, file: FileName) -> dict[str, Any]:
        """What was written about a file."""
        found = await Results(self.objects).read(file)
        assert found is not None, "no report was written"
        return found

    async def rejected_of(self, file: FileName) -> list[dict[str, Any]]:
        """Every refused line that was written."""
        key = (await self.report_of(file))["rejectedKey"]
        return [] if key is None else [json.loads(line) for line in (await self.objects.get(key) or b"").splitlines()]

    def told(self) -> list[Report]:
        """The reports, each once, as whoever listens keeps them: by their ids."""
        return list({report.detail["reportId"]: report for report in self.reports.sent}.values())

    async def orders_placed(self) -> int:
        """How many orders the log holds."""
        return len([stream async for stream in self.store.streams()])


def event(detail: object, *, id: str | None = None, source: str = SHOP, kind: str = ORDER_REQUEST, **more: Any) -> str:  # noqa: A002 - the envelope's own name
    """As EventBridge delivers it."""
    envelope = {
        "version": "0",
        "id": id or str(uuid4()),
        "detail-type": kind,
        "source": source,
        "account": "111122223333",
        "time": "2026-11-21T12:00:00Z",
        "region": "eu-west-1",
        "resources": [],
        "detail": detail,
        **more,
    }
    return json.dumps(envelope)


def created(file: FileName, **detail: Any) -> str:
    """As S3 tells EventBridge of an object."""
    found = {"key": file.key, "size": 1, "etag": file.etag, "version-id": file.version, "sequencer": "00"}
    told = {"version": "0", "bucket": {"name": file.bucket}, "object": found, "reason": "PutObject", **detail}
    return event(told, source="aws.s3", kind="Object Created")


def line(number: int, **changes: Any) -> bytes:
    """A request for an order of its own."""
    return json.dumps({**TEA, "reference": f"line-{number}", **changes}).encode()
