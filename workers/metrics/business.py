"""The workers' facts, and the API's, as metrics."""

from typing import Final

import structlog

from workers.metrics.table import Metrics

_LOG: Final = structlog.get_logger("workers.metrics.business")


class WorkerMetrics:
    """Implements `workers.observe.WorkerObserver`."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def payment(self, step: str, result: str) -> None:
        """Count."""
        self._metrics.count("orderstore_payments", {"step": step, "result": result})

    def reservation(self, result: str) -> None:
        """Count."""
        self._metrics.count("orderstore_reservations", {"result": result})

    def shipment(self, step: str) -> None:
        """Count."""
        self._metrics.count("orderstore_shipments", {"step": step})

    def invoice(self, series: str) -> None:
        """Count."""
        self._metrics.count("orderstore_invoices", {"series": series})

    def credit_note(self, series: str) -> None:
        """Count."""
        self._metrics.count("orderstore_credit_notes", {"series": series})

    def document(self, result: str) -> None:
        """Count."""
        self._metrics.count("orderstore_documents", {"result": result})

    def notification(self, channel: str, result: str) -> None:
        """Count."""
        self._metrics.count("orderstore_notifications", {"channel": channel, "result": result})

    def nothing_to_do(self, worker: str, event_type: str) -> None:
        """Count."""
        self._metrics.count("orderstore_nothing_to_do", {"worker": worker, "event_type": event_type})


class HttpMetrics:
    """Implements `projections.http.observe.HttpObserver`."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def request_finished(self, *, method: str, route: str, status: int, duration_s: float) -> None:
        """Count and time."""
        self._metrics.count("orderstore_http_requests", {"method": method, "route": route, "status": str(status)})
        self._metrics.observe("orderstore_http_request_seconds", {"method": method, "route": route}, duration_s)

    def order_accepted(self, *, replayed: bool) -> None:
        """Count."""
        self._metrics.count("orderstore_orders_accepted", {"replayed": str(replayed).lower()})

    def trace_context_ignored(self) -> None:
        """Count."""
        self._metrics.count("orderstore_trace_contexts_ignored", {"source": "http"})

    def commit_read(self, *, source: str, waited_s: float) -> None:
        """Time."""
        self._metrics.observe("orderstore_http_commit_read_seconds", {"source": source}, waited_s)

    def read_failed(self, *, what: str, error: Exception) -> None:
        """Count and log: nobody who asked hears of it."""
        self._metrics.count("orderstore_http_reads_failed", {"kind": what})
        _LOG.warning("read_failed", what=what, error=type(error).__name__)
