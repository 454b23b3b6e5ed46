"""The queues: found by name, checked against the settings before anything is consumed, watched for the metrics.

QueueMismatch   what stands in AWS and what the settings say contradict each other; nothing was consumed
"""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from random import Random
from typing import TYPE_CHECKING, Any, Final

import anyio
import structlog
from anyio.abc import TaskStatus

from workers.metrics.queues import QueueMetrics
from workers.metrics.table import Metrics
from workers.runtime.consume import ConsumeLoop
from workers.runtime.outcome import Classify, Handler
from workers.runtime.queue import Queue, QueueError
from workers.runtime.settings import ConsumeSettings
from workers.runtime.sqs import SqsQueue, queue_url
from workers.settings import Settings, SettingsError

if TYPE_CHECKING:
    from types_aiobotocore_sqs import SQSClient

WATCH_EVERY_S: Final = 15.0
# How many messages one receive asks for: what SQS gives at most, and less where each is slow (E050, E053).
BATCH_SIZE: Final = 10
SMALL_BATCHES: Final[Mapping[str, int]] = {"payment": 5, "inventory": 5}
# Nobody waits for these: what comes within a second comes with one request.
GATHER_S: Final[Mapping[str, float]] = {"archive": 1.0, "webhooks": 1.0}
FLUSH_BUDGET_S: Final = 5.0
# An outage may last; SQS lets nobody hold a message for more than 12 hours, and each holding burns one receive.
DEFER_HOLD_S_MAX: Final = 10 * 3_600.0
POLL_FAILURES_MAX: Final = 3

_log: Final = structlog.get_logger("workers.queues")


class QueueMismatch(Exception):
    """A queue is not configured as this service needs it."""


class Queues:
    """Opens queues of the data plane by name."""

    def __init__(self, client: "SQSClient", settings: Settings) -> None:
        self._client = client
        self._settings = settings

    async def open(self, name: str) -> tuple[SqsQueue, ConsumeSettings]:
        """The queue, and the numbers of its consumer, checked against what AWS says. Raises QueueMismatch, SettingsError."""
        full_name = self._settings.queue(name)
        url = await self._url(full_name)
        dead_letter_url = await self._url(f"{full_name}-dlq")
        attributes = await self._attributes(url)
        dead_letters = await self._attributes(dead_letter_url)
        problems = mismatches(self._settings, attributes, dead_letters)
        if problems:
            raise QueueMismatch(f"queue {full_name}: {'; '.join(problems)}")
        settings = consume_settings(
            self._settings,
            name,
            retention_s=int(attributes["MessageRetentionPeriod"]),
            dead_letter_retention_s=int(dead_letters["MessageRetentionPeriod"]),
        )
        return SqsQueue(self._client, name=name, url=url, dead_letter_url=dead_letter_url), settings

    async def with_dead_letters(self, name: str) -> tuple[SqsQueue, SqsQueue]:
        """The queue, and its dead letters as a queue of their own; nothing is checked. Raises QueueError."""
        full_name = self._settings.queue(name)
        url = await queue_url(self._client, full_name)
        dead_url = await queue_url(self._client, f"{full_name}-dlq")
        return (
            SqsQueue(self._client, name=name, url=url, dead_letter_url=dead_url),
            SqsQueue(self._client, name=f"{name}-dlq", url=dead_url, dead_letter_url=dead_url),
        )

    async def _url(self, full_name: str) -> str:
        try:
            return (await self._client.get_queue_url(QueueName=full_name))["QueueUrl"]
        except self._client.exceptions.QueueDoesNotExist as error:
            raise QueueMismatch(
                f"there is no queue {full_name}: deploy what makes it (deploy/README.md), or correct ORDERSTORE_RESOURCE_PREFIX"
            ) from error

    async def _attributes(self, url: str) -> Mapping[str, str]:
        answer = await self._client.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
        return {str(key): value for key, value in answer["Attributes"].items()}


def mismatches(settings: Settings, queue: Mapping[str, str], dead_letters: Mapping[str, str]) -> list[str]:
    """What contradicts itself between the settings, the queue and its dead-letter queue."""
    found = []
    visibility_timeout_s = int(queue["VisibilityTimeout"])
    if visibility_timeout_s != settings.visibility_timeout_s:
        found.append(
            f"its VisibilityTimeout is {visibility_timeout_s} s, ORDERSTORE_VISIBILITY_TIMEOUT_S says {settings.visibility_timeout_s}"
        )
    redrive: dict[str, Any] = json.loads(queue.get("RedrivePolicy", "{}"))
    receives = redrive.get("maxReceiveCount")
    if receives is None or int(receives) != settings.max_receive_count:
        found.append(
            f"its maxReceiveCount is {receives}, ORDERSTORE_MAX_RECEIVE_COUNT says {settings.max_receive_count}"
        )
    if int(dead_letters["MessageRetentionPeriod"]) <= int(queue["MessageRetentionPeriod"]):
        found.append("its dead letters must be kept longer than its messages: they keep the age that they had (E063)")
    return found


def consume_settings(
    settings: Settings, name: str, *, retention_s: int, dead_letter_retention_s: int
) -> ConsumeSettings:
    """The numbers of one consumer. Raises SettingsError when they contradict each other."""
    concurrency = settings.concurrency(name)
    try:
        return ConsumeSettings(
            visibility_timeout_s=settings.visibility_timeout_s,
            receive_count_max=settings.max_receive_count,
            retention_s=retention_s,
            dead_letter_retention_s=dead_letter_retention_s,
            wait_s=settings.queue_wait_s,
            batch_size=min(SMALL_BATCHES.get(name, BATCH_SIZE), concurrency),
            gather_s=GATHER_S.get(name, 0.0),
            concurrency=concurrency,
            handler_deadline_s=settings.handler_deadline_s,
            retry_base_s=settings.retry_base_s,
            retry_cap_s=settings.retry_max_s,
            heartbeat_interval_s=settings.visibility_timeout_s / 6,
            heartbeat_cap_s=max(300, settings.visibility_timeout_s),
            defer_hold_s_max=DEFER_HOLD_S_MAX,
            poll_grace_s=min(settings.queue_wait_s, settings.drain_budget_s),
            drain_budget_s=settings.drain_budget_s,
            flush_budget_s=FLUSH_BUDGET_S,
            stop_timeout_s=settings.stop_timeout_s,
        )
    except ValueError as error:
        raise SettingsError([f"queue {name}: {error}"]) from error


class Consumer:
    """One queue's consume loop, as a part of the service."""

    def __init__(
        self,
        queue: SqsQueue,
        handler: Handler,
        settings: ConsumeSettings,
        *,
        classify: Classify,
        metrics: Metrics,
        now_ms: Callable[[], int],
        random: Random,
        through: Callable[[Queue], Queue] = lambda queue: queue,
    ) -> None:
        """`through` puts the queue into what tells of the calls to it."""
        self.name = queue.name
        self.queue = queue
        observer = QueueMetrics(metrics)
        self._loop = ConsumeLoop(
            through(queue), handler, settings, now_ms=now_ms, source=random, observer=observer, classify=classify
        )

    @property
    def able(self) -> bool:
        """Whether the queue answers: a few failed polls in a row are more than a passing fault."""
        return self._loop.poll_failures_in_a_row < POLL_FAILURES_MAX

    def oldest_running_s(self) -> float:
        """How long its oldest handler has been at work; 0 while none is."""
        return self._loop.oldest_running_s

    async def run(self, *, task_status: TaskStatus[None]) -> None:
        """Consume until stopped."""
        await self._loop.run(task_status=task_status)

    def stop(self) -> None:
        """Drain."""
        self._loop.stop()

    def stop_now(self) -> None:
        """Give everything back."""
        self._loop.stop_now()


def watching(queues: Sequence[SqsQueue], metrics: Metrics) -> Callable[..., Awaitable[None]]:
    """A task that keeps the gauges of E109 up to date."""

    async def watch(*, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        task_status.started()
        while True:
            for queue in queues:
                try:
                    depths = await queue.depths()
                except QueueError as error:
                    _log.warning("queue not measured", queue=queue.name, error=repr(error))
                    continue
                labels = {"queue": queue.name}
                metrics.set("orderstore_queue_visible", labels, depths.visible)
                metrics.set("orderstore_queue_in_flight", labels, depths.in_flight)
                metrics.set("orderstore_queue_dead_letters", labels, depths.dead_letters)
            await anyio.sleep(WATCH_EVERY_S)

    return watch
