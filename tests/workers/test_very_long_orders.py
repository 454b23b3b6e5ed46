"""Orders of thousands of commits: followed by snapshots that the archive takes, and read from them by workers that have nothing to do."""

from collections.abc import Mapping
from functools import partial
from random import Random

import orjson
import pytest

from orderstore.archive.positions import MemoryPositions
from orderstore.archive.writer import Archiver, Outcome
from orderstore.domain import events as e
from orderstore.objects import MemoryObjectStore
from orderstore.orders import Orders
from orderstore.snapshots import standing as reading
from orderstore.snapshots.shelf import SnapshotShelf, prefix_of
from orderstore.snapshots.standing import read_standing
from orderstore.store.errors import Unavailable
from orderstore.transact import Transactor
from tests.ordering import PlainVault, TickingClock
from tests.orderstore.snapshots.long_orders import STREAM, Noted, commits_of, penny_refunds, store_of
from tests.virtual_time import run_virtual
from tests.workers.world import Reports
from workers.archive.remembering import remembering
from workers.inventory.handler import InventoryHandler
from workers.runtime.outcome import Done
from workers.runtime.queue import Message

EVENTS = penny_refunds(40)
LONG = commits_of(EVENTS)
ORDER_ID = STREAM.removeprefix("main/order-")


@pytest.fixture(autouse=True)
def everything_is_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """An order of eighty commits counts as a very long one."""
    monkeypatch.setattr(reading, "COMMITS_BEFORE_LOOKING", 5)
    monkeypatch.setattr(reading, "COMMITS_BETWEEN", 20)


class Reads:
    """A log that counts the commits that are read whole."""

    def __init__(self, store) -> None:
        self._store = store
        self.whole = 0

    def __getattr__(self, name: str):
        return getattr(self._store, name)

    async def read(self, stream: str, *, after: int = 0):
        self.whole += 1
        return await self._store.read(stream, after=after)


def hint() -> Message:
    body = {
        "eventId": "1", "eventType": "OrderCreated", "eventVersion": "1.0", "source": "order-service",
        "occurredAt": "2026-11-21T12:00:00.000Z", "orderId": ORDER_ID, "tenant": "main", "version": 1,
        "correlationId": "c", "causationId": "c", "actor": {"type": "customer", "id": "shop"}, "data": {},
    }  # fmt: skip
    return Message(id="m", receipt="r", body=orjson.dumps(body).decode(), attributes={}, receive_count=1, sent_at_ms=0)


def never(*_: object) -> None:
    raise AssertionError("the order wants nothing of inventory")


async def handled(events: tuple[e.Event, ...], *, stock_for) -> tuple[Reads, Noted, Reports]:
    """What an inventory worker reads of the order when a hint comes, after the archive took its snapshots."""
    commits = commits_of(events)
    log, objects, noted, reports = (
        Reads(await store_of(commits, commits_per_page=10)),
        MemoryObjectStore(),
        Noted(),
        Reports(),
    )
    shelf = SnapshotShelf(objects, observer=noted)
    archiver = Archiver(log, objects, MemoryPositions(), now_ms=lambda: 1, random=Random(1))
    await remembering(archiver.archive, log, shelf)({STREAM: len(commits)})
    orders = Orders(
        Transactor(log, now_ms=TickingClock()),
        tenant="main",
        vault=PlainVault(),
        hooks_allowed=False,
        now_ms=TickingClock(),
        look=partial(read_standing, log, shelf),
    )
    log.whole = 0
    handler = InventoryHandler(orders, stock_for=stock_for, now_ms=TickingClock(), sandbox=False, observer=reports)
    assert await handler(hint()) == Done()
    return log, noted, reports


def test_a_worker_without_anything_to_do_reads_a_very_long_order_from_its_snapshot() -> None:
    """Each of its thousands of hints would otherwise read thousands of commits."""

    async def scenario() -> None:
        log, noted, reports = await handled(EVENTS, stock_for=never)
        assert (log.whole, len(noted.not_read)) == (0, 1)
        assert [fact[0] for fact in reports.counts] == ["nothing_to_do"]

    run_virtual(scenario)


def test_an_ordinary_order_is_read_once_and_no_snapshot_is_looked_for() -> None:
    """Its whole history comes with the first page."""

    async def scenario() -> None:
        log, noted, _ = await handled(EVENTS[:4], stock_for=lambda _order: None)
        assert (log.whole, noted.not_read, noted.sizes) == (0, [], [])

    run_virtual(scenario)


def test_a_worker_with_something_to_do_reads_a_very_long_order_whole() -> None:
    """The cause of its outcome stands somewhere in the events."""
    asked = []

    class Nothing:
        async def release(self, order_id: str):
            asked.append(order_id)

    async def scenario() -> None:
        events = (*EVENTS[:3], *EVENTS[3:], e.OrderCancellationRequested(reason="customer"))
        log, noted, _ = await handled(events, stock_for=lambda _order: Nothing())
        assert log.whole >= 1
        assert (asked, len(noted.not_read)) == ([ORDER_ID], 1)

    run_virtual(scenario)


def test_the_archive_takes_a_snapshot_each_time_an_order_has_grown_far() -> None:
    """In whatever strides it archives; and what cannot be taken is reported and keeps nobody from archiving."""

    async def scenario() -> None:
        objects, noted = MemoryObjectStore(), Noted()
        shelf = SnapshotShelf(objects, observer=noted)

        async def archived(wanted: Mapping[str, int | None]) -> Outcome:
            return Outcome(through={stream: number or 0 for stream, number in wanted.items()})

        for number in (10, 19, 26, 31, 45, 47, 83):
            store = await store_of(LONG[:number])
            outcome = await remembering(archived, store, shelf)({STREAM: number})
            assert outcome.through == {STREAM: number}
        assert len([key async for key in objects.keys(prefix_of(STREAM))]) == 3

        class Down:
            def pages(self, stream: str, **_: object):
                raise Unavailable("Query", tries=8, ambiguous=False)

        assert (await remembering(archived, Down(), shelf)({STREAM: 200})).through == {STREAM: 200}
        assert len(noted.reasons) == 1

    run_virtual(scenario)
