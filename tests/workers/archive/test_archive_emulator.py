"""From the table to the bucket over the real services: stream, relay, topic, queue without a filter, worker, S3."""

from contextlib import aclosing
from random import Random

import anyio
import pytest

from orderstore.archive.reader import read
from orderstore.schemas.envelopes import NOTICE
from orderstore.store.port import Commit
from projections.publishing.relay import Relay
from projections.publishing.sns import SnsPublisher
from tests.e2e.emulated import Emulated
from tests.projections.histories import happy_commits, order_number
from workers.archive.batcher import Batcher
from workers.archive.handler import ArchiveHandler
from workers.archive.opening import archiver_of
from workers.classify import classify
from workers.core import Core, now_ms, open_core
from workers.metrics.archive import ArchiveMetrics
from workers.metrics.table import Metrics
from workers.runtime.consume import ConsumeLoop
from workers.runtime.sqs import SqsQueue
from workers.settings import from_environment
from workers.subscriptions import reader

pytestmark = pytest.mark.emulator

QUICK = {
    "ORDERSTORE_QUEUE_WAIT_S": "1",
    "ORDERSTORE_STREAM_IDLE_S": "0.1",
    "ORDERSTORE_ARCHIVE_LINGER_S": "0.3",
    "ORDERSTORE_ARCHIVE_CONCURRENCY": "60",
}
ORDERS = 12


async def _archived(core: Core) -> dict[str, list[Commit]]:
    found: dict[str, list[Commit]] = {}
    async with aclosing(read(core.objects)) as archived:
        async for _, _, commits in archived:
            for commit in commits:
                found.setdefault(commit.stream, []).append(commit)
    return found


async def _until_archived_and_empty(core: Core, queue: SqsQueue, logs: dict[str, list[Commit]]) -> None:
    while True:
        depths = await queue.depths()
        assert depths.dead_letters == 0
        if not depths.visible + depths.in_flight and await _archived(core) == logs:
            return
        await anyio.sleep(0.3)


async def test_every_commit_of_the_table_is_in_the_bucket_once(environment: dict[str, str]) -> None:
    """Internal commits too, which nobody else hears of; the queue is empty afterwards, and the others got no notice."""  # A08
    logs = {commits[0].stream: commits for commits in (happy_commits(order_number(index)) for index in range(ORDERS))}
    async with open_core(from_environment({**environment, **QUICK}), Metrics(), connections=160) as core:
        relay = Relay(
            core.store,
            SnsPublisher(core.clients.sns, topic_arn=core.settings.topic_arn),
            now_ms=now_ms,
            random=Random(1),
        )
        queue, settings = await core.queues.open("archive")
        observer = ArchiveMetrics(core.metrics)
        batcher = Batcher(
            archiver_of(core).archive,
            linger_s=core.settings.archive_linger_s,
            messages_max=core.settings.archive_concurrency // 2,
            now_ms=now_ms,
            observer=observer,
        )
        loop = ConsumeLoop(queue, ArchiveHandler(batcher), settings, now_ms=now_ms, source=Random(1), classify=classify)
        with anyio.fail_after(90):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(reader(core, "relay", relay).run)
                await tasks.start(loop.run)
                for place in range(8):
                    for commits in logs.values():
                        await core.store.append(commits[place])
                await _until_archived_and_empty(core, queue, logs)
                tasks.cancel_scope.cancel()
        commits = sum(map(len, logs.values()))
        assert core.metrics.total("orderstore_archive_commits") == commits
        assert core.metrics.total("orderstore_archive_segments") < commits / 2
    others = [message for message in Emulated(environment).queued() if not message.queue.endswith("-archive")]
    assert others
    assert not any(NOTICE in message.body for message in others)
