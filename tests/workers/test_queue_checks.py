"""Queues are checked before anything is consumed, and watched while it is."""

import json
from types import SimpleNamespace
from typing import Any

import anyio
import pytest

from orderstore.registry import CONSUMERS
from tests.virtual_time import run_virtual
from tests.workers.log_lines import log_lines
from tests.workers.test_process_settings import REQUIRED
from workers.metrics.table import Metrics
from workers.queues import (
    WATCH_EVERY_S,
    QueueMismatch,
    Queues,
    consume_settings,
    mismatches,
    watching,
)
from workers.runtime.queue import Depths, Unavailable
from workers.settings import Settings, SettingsError, from_environment

DAY_S = 86_400
QUEUE = {
    "VisibilityTimeout": "120",
    "MessageRetentionPeriod": str(4 * DAY_S),
    "RedrivePolicy": json.dumps({"maxReceiveCount": 3, "deadLetterTargetArn": "arn"}),
}
DEAD_LETTERS = {"MessageRetentionPeriod": str(14 * DAY_S)}


def settings(**changes: str) -> Settings:
    return from_environment({**REQUIRED, **changes})


def test_a_queue_as_the_template_makes_it_agrees_with_the_defaults() -> None:
    """Nothing to set, nothing to contradict."""
    assert mismatches(settings(), QUEUE, DEAD_LETTERS) == []


@pytest.mark.parametrize(
    ("queue", "dead_letters", "names"),
    [
        ({"VisibilityTimeout": "119"}, {}, "VisibilityTimeout is 119 s"),  # E076
        ({"RedrivePolicy": '{"maxReceiveCount": 4}'}, {}, "maxReceiveCount is 4"),  # E061
        ({"RedrivePolicy": "{}"}, {}, "maxReceiveCount is None"),
        ({}, {"MessageRetentionPeriod": str(4 * DAY_S)}, "dead letters must be kept longer"),  # E063
    ],
)
def test_what_contradicts_the_settings_is_named(queue: dict, dead_letters: dict, names: str) -> None:
    """One finding, and it says what stands in AWS."""
    (found,) = mismatches(settings(), {**QUEUE, **queue}, {**DEAD_LETTERS, **dead_letters})

    assert names in found


def test_a_queue_without_a_redrive_policy_is_a_mismatch() -> None:
    """Its poison would come back for ever."""
    queue = {name: value for name, value in QUEUE.items() if name != "RedrivePolicy"}

    assert len(mismatches(settings(), queue, DEAD_LETTERS)) == 1


@pytest.mark.parametrize("name", CONSUMERS)
def test_the_defaults_suit_every_consumer(name: str) -> None:
    """The numbers of production pass the consume loop's own rules: five at a time where work is slow or dear, ten where it is not."""
    found = consume_settings(settings(), name, retention_s=4 * DAY_S, dead_letter_retention_s=14 * DAY_S)

    assert found.batch_size == (5 if name in ("payment", "inventory") else 10)  # E050, E053
    assert (found.visibility_timeout_s, found.handler_deadline_s, found.receive_count_max) == (120, 15, 3)


def test_a_receive_never_asks_for_more_than_may_run() -> None:
    """With one handler at a time, what came along would only burn receives."""
    one = settings(ORDERSTORE_PAYMENT_CONCURRENCY="1")

    assert consume_settings(one, "payment", retention_s=DAY_S, dead_letter_retention_s=2 * DAY_S).batch_size == 1


def test_numbers_that_the_loop_refuses_are_settings_errors() -> None:
    """Each variable is good by itself, the loop's rule is not kept: said in words at the start, not as a trace."""
    hasty = settings(ORDERSTORE_DRAIN_BUDGET_S="10")  # a handler may take 15 s

    with pytest.raises(SettingsError, match="queue payment: drain_budget_s"):
        consume_settings(hasty, "payment", retention_s=DAY_S, dead_letter_retention_s=2 * DAY_S)


class Sqs:
    """The two calls that opening makes, over queues by name."""

    def __init__(self, queues: dict[str, dict[str, str]]) -> None:
        self._queues = queues
        self.exceptions = SimpleNamespace(QueueDoesNotExist=LookupError)
        self.meta = SimpleNamespace(config=SimpleNamespace(read_timeout=30))

    async def get_queue_url(self, *, QueueName: str) -> dict[str, str]:  # noqa: N803 - AWS's own name
        if QueueName not in self._queues:
            raise self.exceptions.QueueDoesNotExist
        return {"QueueUrl": f"https://sqs/{QueueName}"}

    async def get_queue_attributes(self, *, QueueUrl: str, AttributeNames: list[str]) -> dict[str, Any]:  # noqa: N803 - as above
        return {"Attributes": self._queues[QueueUrl.rpartition("/")[2]]}


def opened(queues: dict[str, dict[str, str]]) -> Any:
    return run_virtual(Queues(Sqs(queues), settings()).open, "payment")  # type: ignore[arg-type]  # a fake client


def test_a_queue_is_opened_with_the_retention_that_it_has() -> None:
    """Retention is AWS's to say; the loop's rules are checked against it."""
    queue, numbers = opened({"shop-payment": QUEUE, "shop-payment-dlq": DEAD_LETTERS})

    assert queue.name == "payment"
    assert (numbers.retention_s, numbers.dead_letter_retention_s) == (4 * DAY_S, 14 * DAY_S)


@pytest.mark.parametrize("missing", ["shop-payment", "shop-payment-dlq"])
def test_a_missing_queue_says_what_to_do(missing: str) -> None:
    """The dead-letter queue is as necessary as the queue."""
    queues = {"shop-payment": QUEUE, "shop-payment-dlq": DEAD_LETTERS}
    del queues[missing]

    with pytest.raises(QueueMismatch, match=rf"there is no queue {missing}: deploy"):
        opened(queues)


def test_a_mismatch_names_the_queue_and_everything_that_is_wrong() -> None:
    """Two findings, one message; nothing was consumed."""
    wrong = {**QUEUE, "VisibilityTimeout": "30", "RedrivePolicy": "{}"}

    with pytest.raises(QueueMismatch, match=r"queue shop-payment: .*VisibilityTimeout.*; .*maxReceiveCount"):
        opened({"shop-payment": wrong, "shop-payment-dlq": DEAD_LETTERS})


class Watched:
    """A queue with depths; a queue that fails at its first look."""

    def __init__(self, name: str, *, failures: int = 0) -> None:
        self.name = name
        self.looks = 0
        self._failures = failures

    async def depths(self) -> Depths:
        self.looks += 1
        if self.looks <= self._failures:
            raise Unavailable("no answer")
        return Depths(visible=self.looks, in_flight=2, delayed=0, dead_letters=1)


def test_the_gauges_follow_the_queues_and_one_that_fails_hides_no_other() -> None:
    """Every few seconds a look; a queue that cannot be measured is logged and measured again."""  # E109
    metrics = Metrics()
    failing, good = Watched("payment", failures=1), Watched("billing")

    def gauge(queue: str) -> float | None:
        return metrics.registry.get_sample_value("orderstore_queue_visible", {"queue": queue})

    async def scenario() -> tuple[float | None, ...]:
        async with anyio.create_task_group() as tasks:
            await tasks.start(watching([failing, good], metrics))  # type: ignore[list-item]  # two fakes
            await anyio.sleep(WATCH_EVERY_S / 2)
            first = gauge("payment"), gauge("billing")
            await anyio.sleep(WATCH_EVERY_S)
            tasks.cancel_scope.cancel()
        return *first, gauge("payment"), gauge("billing")

    with log_lines() as lines:
        assert run_virtual(scenario) == (None, 1, 2, 2)

    assert [(line["event"], line["queue"]) for line in lines.all()] == [("queue not measured", "payment")]
