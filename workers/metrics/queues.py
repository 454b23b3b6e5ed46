"""A queue's facts as metrics and, where somebody has to act, as log lines."""

from typing import Final

import structlog

from workers.metrics.table import Metrics
from workers.runtime import observe as q

_log: Final = structlog.get_logger("workers.queue")


class QueueMetrics:
    """Implements `workers.runtime.observe.QueueObserver`."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def received(self, detail: q.Received, /) -> None:
        """Count messages; their oldest age is the best estimate of the queue's that a consumer has."""
        self._metrics.count("orderstore_queue_received", {"queue": detail.queue}, detail.count)
        self._metrics.set("orderstore_queue_oldest_age_seconds", {"queue": detail.queue}, detail.oldest_age_s)

    def empty_receive(self, detail: q.EmptyReceive, /) -> None:
        """An empty queue has no oldest message."""
        self._metrics.count("orderstore_queue_empty_receives", {"queue": detail.queue})
        self._metrics.set("orderstore_queue_oldest_age_seconds", {"queue": detail.queue}, 0)

    def poll_failed(self, detail: q.PollFailed, /) -> None:
        """Count and log: a queue that is missing is a matter of deployment, credentials one of rights, the rest passes."""
        kind = type(detail.error).__name__
        self._metrics.count("orderstore_queue_polls_failed", {"queue": detail.queue, "kind": kind})
        self._failed(detail.queue, "poll", 1, repr(detail.error))

    def started(self, detail: q.Started, /) -> None:
        """Count redeliveries; the rest is counted when it is handled."""
        if detail.receive_count > 1:
            self._metrics.count("orderstore_queue_redelivered", {"queue": detail.queue})

    def done(self, detail: q.Handled, /) -> None:
        """Count and time."""
        self._handled(detail, "done")
        self._metrics.observe("orderstore_message_age_seconds", {"queue": detail.queue}, detail.age_s)

    def retried(self, detail: q.Retried, /) -> None:
        """Count and log the reason."""
        self._handled(detail.work, "retried")
        _log.warning(
            "message retried",
            queue=detail.work.queue,
            messageId=detail.work.message_id,
            receiveCount=detail.work.receive_count,
            reason=detail.reason,
            afterSeconds=round(detail.after_s, 3),
            error=_named(detail.error),
        )

    def poisoned(self, detail: q.Poisoned, /) -> None:
        """Count and log the reason: somebody has to look at the dead letter."""
        self._handled(detail.work, "poisoned")
        _log.error(
            "message put into the dead letters",
            queue=detail.work.queue,
            messageId=detail.work.message_id,
            reason=detail.reason,
            error=_named(detail.error),
        )

    def deferred(self, detail: q.Deferred, /) -> None:
        """Count."""
        self._handled(detail.work, "deferred")

    def duplicate_dropped(self, detail: q.DuplicateDropped, /) -> None:
        """Count."""
        self._metrics.count("orderstore_duplicates_dropped", {"queue": detail.queue, "cause": detail.cause})

    def visibility_lost(self, detail: q.VisibilityLost, /) -> None:
        """Count and log."""
        self._metrics.count("orderstore_visibility_lost", {"queue": detail.queue})
        _log.warning("visibility lost", queue=detail.queue, messageId=detail.message_id, reason=detail.reason)

    def extended(self, detail: q.Extended, /) -> None:
        """Count."""
        self._metrics.count("orderstore_visibility_extended", {"queue": detail.queue}, detail.count)

    def heartbeat_failed(self, detail: q.CallFailed, /) -> None:
        """Count and log."""
        self._failed(detail.queue, "heartbeat", detail.count, detail.reason)

    def ack_failed(self, detail: q.CallFailed, /) -> None:
        """Count and log."""
        self._failed(detail.queue, "ack", detail.count, detail.reason)

    def return_failed(self, detail: q.CallFailed, /) -> None:
        """Count and log."""
        self._failed(detail.queue, "return", detail.count, detail.reason)

    def deleted(self, detail: q.Deleted, /) -> None:
        """Count."""
        self._metrics.count("orderstore_queue_deleted", {"queue": detail.queue}, detail.count)

    def given_back(self, detail: q.GivenBack, /) -> None:
        """Count."""
        self._metrics.count("orderstore_messages_given_back", {"queue": detail.queue})

    def drained(self, detail: q.Drained, /) -> None:
        """Log how the stop went."""
        _log.info(
            "drained",
            queue=detail.queue,
            seconds=round(detail.duration_s, 3),
            givenBack=detail.given_back,
            unsettled=detail.unsettled,
        )

    def _handled(self, detail: q.Handled, outcome: str) -> None:
        self._metrics.count("orderstore_messages_handled", {"queue": detail.queue, "outcome": outcome})
        self._metrics.observe("orderstore_message_seconds", {"queue": detail.queue}, detail.duration_s)

    def _failed(self, queue: str, call: str, count: int, reason: str) -> None:
        self._metrics.count("orderstore_queue_call_failures", {"queue": queue, "call": call}, count)
        _log.warning("queue call failed", queue=queue, call=call, count=count, reason=reason)


def _named(error: Exception | None) -> str | None:
    """The type's name: texts of errors may hold what a customer wrote."""
    return None if error is None else f"{type(error).__module__}.{type(error).__qualname__}"
