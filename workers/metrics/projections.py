"""The read side's facts as metrics and, where somebody has to act, as log lines."""

from typing import Final

import structlog

from orderstore.codec import timestamp
from orderstore.recorded import Recorded
from workers.metrics.table import Metrics

_log: Final = structlog.get_logger("projections")


class ProjectionMetrics:
    """Implements `projections.observe.Observer`."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def applied(self, *, view: str, commits: int) -> None:
        """Count."""
        self._metrics.count("orderstore_view_commits_applied", {"view": view}, commits)

    def projected(self, *, view: str, recorded: Recorded) -> None:
        """Log, with the fields of E125."""
        _log.info(
            "projected",
            view=view,
            eventId=recorded.event_id,
            correlationId=recorded.correlation_id,
            orderId=recorded.order_id,
            source=recorded.source,
            eventType=recorded.name,
            occurredAt=timestamp(recorded.occurred_at),
        )

    def duplicates_dropped(self, *, view: str, commits: int) -> None:
        """Count."""
        self._metrics.count("orderstore_view_duplicates_dropped", {"view": view}, commits)

    def gap_healed(self, *, view: str, missing: int) -> None:
        """Count and log: the stream owes us what it left out."""
        self._metrics.count("orderstore_view_gaps_healed", {"view": view}, missing)
        _log.warning("gap healed from the log", view=view, missing=missing)

    def conflicted(self, *, view: str) -> None:
        """Count."""
        self._metrics.count("orderstore_view_conflicts", {"view": view})

    def refolded(self, *, view: str) -> None:
        """Count."""
        self._metrics.count("orderstore_view_refolded", {"view": view})

    def view_written(self, *, view: str, document_bytes: int) -> None:
        """Count the writes and their bytes."""
        self._metrics.count("orderstore_view_writes", {"view": view})
        self._metrics.count("orderstore_view_written_bytes", {"view": view}, document_bytes)

    def removed(self, *, subscription: str, records: int) -> None:
        """Count and log: nothing of ours ever removes from the log."""
        self._metrics.count("orderstore_log_items_removed", {"subscription": subscription}, records)
        _log.error("somebody removed items from the log", subscription=subscription, items=records)

    def image_replaced(self, *, subscription: str, stream: str, commit: int) -> None:
        """Count and log: somebody changed an item of the log, and it was put right since."""
        self._metrics.count("orderstore_log_images_replaced", {"subscription": subscription})
        _log.error(
            "the stream's image of a commit is not as it was written; the table's was taken",
            subscription=subscription,
            stream=stream,
            commit=commit,
        )

    def published(self, *, events: int, lag_ms: int) -> None:
        """Count, and show the lag."""
        self._metrics.count("orderstore_events_published", by=events)
        self._metrics.set("orderstore_publish_lag_seconds", None, lag_ms / 1000)

    def publish_failed(self, *, events: int, code: str) -> None:
        """Count and log."""
        self._metrics.count("orderstore_publish_failures", {"code": code}, events)
        _log.warning("publication refused, to be sent again", events=events, code=code)

    def unpublished(self, *, oldest_age_ms: int) -> None:
        """Show."""
        self._metrics.set("orderstore_unpublished_oldest_age_seconds", None, oldest_age_ms / 1000)

    def publication_unseen(self, *, error: Exception) -> None:
        """Count and log: the age that is shown is an upper bound."""
        self._metrics.count("orderstore_stream_troubles", {"subscription": "relay", "kind": "unseen"})
        _log.warning("how far the relay has come could not be read", error=repr(error))

    def overdue(self, *, stage: str, orders: int, oldest_s: float) -> None:
        """Show."""
        self._metrics.set("orderstore_orders_overdue", {"stage": stage}, orders)
        self._metrics.set("orderstore_orders_overdue_oldest_seconds", {"stage": stage}, oldest_s)

    def overdue_unseen(self, *, error: Exception) -> None:
        """Count and log: what is shown is of an earlier look."""
        self._metrics.count("orderstore_overdue_looks_failed")
        _log.warning("how many orders are late could not be read", error=repr(error))

    def backfill_progress(self, *, subscription: str, orders: int, commits: int) -> None:
        """Count and log."""
        self._metrics.count("orderstore_backfilled_orders", {"subscription": subscription}, orders)
        _log.info("back-fill", subscription=subscription, orders=orders, commits=commits)
