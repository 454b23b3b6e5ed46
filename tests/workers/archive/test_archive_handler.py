"""The archive's queue: hints in any form, one segment for many, and no message deleted before its commit is archived."""

from random import Random

import anyio
import orjson
import pytest

from orderstore.store.errors import Unavailable
from tests.orderstore.archive.archives import World, stream_of
from tests.virtual_time import run_virtual
from tests.workers.runtime.harness import Recorder, consuming, full_load, make_loop, make_queues
from workers.archive.batcher import Batcher
from workers.archive.handler import ArchiveHandler
from workers.archive.hint import Hint, hint_of
from workers.classify import classify
from workers.envelope import MalformedMessage
from workers.runtime.queue import Message

LINGER_S = 5.0


def message(body: object, **attributes: str) -> Message:
    text = body if isinstance(body, str) else orjson.dumps(body).decode()
    return Message(id="m", receipt="r", body=text, attributes=attributes, receive_count=1, sent_at_ms=7)


def test_every_kind_of_message_is_a_hint() -> None:
    """An event of today, one of a future build, a bare notice: the order and the commit are all that is read."""
    today = {"orderId": "1", "tenant": "main", "eventType": "OrderCreated", "eventVersion": "1.0", "data": {"a": 1}}
    assert hint_of(message(today, commit="3", eventType="OrderCreated")) == Hint(stream_of(1), 3, 7)
    assert hint_of(
        message({"orderId": "1", "tenant": "main", "eventType": "NeverHeardOf", "eventVersion": "9.9"})
    ) == Hint(stream_of(1), None, 7)


@pytest.mark.parametrize(
    ("body", "attributes"),
    [
        ("not JSON, ada@example.com", {}),
        ({"orderId": "1"}, {}),
        ({"orderId": "", "tenant": "main"}, {}),
        ({"orderId": "1", "tenant": "main"}, {"commit": "zero"}),
        ({"orderId": "1", "tenant": "main"}, {"commit": "0"}),
        ({"orderId": "1", "tenant": "main"}, {"commit": "9" * 30}),
        ({"orderId": "1", "tenant": "main"}, {"commit": "²"}),
    ],
)
def test_what_is_no_hint_is_told_without_its_content(body: object, attributes: dict[str, str]) -> None:
    """No retry can help; and what a stranger wrote is not repeated in a log."""
    with pytest.raises(MalformedMessage) as malformed:
        hint_of(message(body, **attributes))
    assert "ada@" not in str(malformed.value)


class Shop:
    """A world whose commits are announced on a queue, each twice, and workers that archive them."""

    def __init__(self) -> None:
        self.world = World()
        self.queue, self.clock = make_queues(receive_count_max=20)
        self.recorder = Recorder()

    def worker(self, **settings):
        batcher = Batcher(
            self.world.archiver(slow=Random(3)).archive,
            linger_s=LINGER_S,
            messages_max=50,
            now_ms=self.clock,
            observer=self.world.reports,
        )
        loop_settings = full_load(concurrency=100, receive_count_max=20, **settings)
        return make_loop(
            self.queue,
            ArchiveHandler(batcher),
            loop_settings,
            observer=self.recorder,
            clock=self.clock,
            classify=classify,
        )

    async def announce(self, order: int, times: int = 2) -> None:
        commit = await self.world.grow(order)
        body = orjson.dumps({"orderId": str(order), "tenant": "main"}).decode()
        for _ in range(times):
            await self.queue.inner.send(body, attributes={"commit": str(commit.number)})

    async def left(self) -> int:
        depths = await self.queue.depths()
        return depths.visible + depths.in_flight + depths.dead_letters


@pytest.mark.thorough
def test_two_workers_empty_the_queue_into_the_archive() -> None:
    """Every message is deleted, every commit is there once, in far fewer segments than there were messages."""  # A08, A15

    async def scenario() -> None:
        shop = Shop()
        async with consuming(shop.worker(), shop.worker()):
            for number in range(120):
                await shop.announce(number % 9)
                await anyio.sleep(0.1)
            await anyio.sleep(60)
            assert await shop.left() == 0
        assert len({deleted.id for deleted in shop.queue.deleted}) == 240
        assert await shop.world.archived() == await shop.world.history()
        assert await shop.world.manifests() < 60

    run_virtual(scenario)


def test_a_bucket_that_is_away_costs_no_message() -> None:
    """Every message is given back, none is deleted, and when the bucket is there again all of it is archived."""

    async def scenario() -> None:
        shop = Shop()
        put_new = shop.world.objects.put_new

        async def away(key: str, content: bytes) -> bool:
            raise Unavailable("PutObject", tries=8, ambiguous=True)

        shop.world.objects.put_new = away  # type: ignore[method-assign]
        async with consuming(shop.worker()):
            for number in range(10):
                await shop.announce(number)
            await anyio.sleep(60)
            assert shop.queue.deleted == []
            assert await shop.left() == 20
            assert max(shop.world.reports.lags_ms) > 30_000
            shop.world.objects.put_new = put_new  # type: ignore[method-assign]
            await anyio.sleep(600)
            assert await shop.left() == 0
        assert {retried.reason for retried in shop.recorder.of("retried")} == {"workers.archive.batcher.FlushFailed"}
        assert await shop.world.archived() == await shop.world.history()
        assert shop.world.reports.lags_ms[-1] == 0

    run_virtual(scenario)


def test_a_worker_that_stops_finishes_what_it_holds() -> None:
    """In the middle of the linger: the batch is written within the drain, and its messages are deleted, not given back."""  # A09

    async def scenario() -> None:
        shop = Shop()
        for number in range(6):
            await shop.announce(number, times=1)
        async with consuming(shop.worker()):
            await anyio.sleep(1)
        assert await shop.left() == 0
        assert await shop.world.archived() == await shop.world.history()
        assert shop.recorder.of("given_back") == []

    run_virtual(scenario)


def test_a_message_for_an_order_that_is_not_there_ends_in_the_dead_letters() -> None:
    """It is tried again, as the log may be late for a reader; then a person looks. The others are not held up."""

    async def scenario() -> None:
        shop = Shop()
        shop.queue, shop.clock = make_queues(receive_count_max=3)
        await shop.announce(1, times=1)
        await shop.queue.inner.send('{"orderId": "unknown", "tenant": "main"}', attributes={"commit": "1"})
        async with consuming(shop.worker()):
            await anyio.sleep(1_200)
        depths = await shop.queue.depths()
        assert (depths.visible, depths.in_flight, depths.dead_letters) == (0, 0, 1)
        assert shop.world.reports.counts["LogBehindHint"] >= 3
        assert await shop.world.archived() == await shop.world.history()

    run_virtual(scenario)


def test_poison_goes_straight_to_the_dead_letters() -> None:
    """What is no hint is not tried again."""

    async def scenario() -> None:
        shop = Shop()
        await shop.queue.inner.send("noise")
        async with consuming(shop.worker()):
            await anyio.sleep(30)
        assert len(shop.recorder.of("poisoned")) == 1
        assert (await shop.queue.depths()).dead_letters == 1

    run_virtual(scenario)
