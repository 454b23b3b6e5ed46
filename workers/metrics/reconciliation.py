"""The reconciliation of payments as metrics, and as lines of the log: what does not fit is for a person."""

from typing import Final

import structlog

from workers.metrics.table import Metrics

_log: Final = structlog.get_logger("workers.reconciliation")


class ReconciliationMetrics:
    """Implements `workers.reconciliation.daily.ReconciliationObserver`."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def discrepancy(self, order_id: str, kind: str, *, noted: bool) -> None:
        """Count."""
        self._metrics.count("orderstore_payment_discrepancies", {"kind": kind})
        _log.error("payment discrepancy", orderId=order_id, kind=kind, noted=noted)

    def unreadable(self, order_id: str) -> None:
        """Count, as one more thing that a person must look at."""
        self._metrics.count("orderstore_payment_discrepancies", {"kind": "order_unreadable"})
        _log.error("payments not compared: the order cannot be read", orderId=order_id)

    def reconciled(self, day: str, compared: int) -> None:
        """Count."""
        self._metrics.count("orderstore_payments_reconciled", by=compared)
        _log.info("payments reconciled", day=day, compared=compared)

    def failed(self, day: str, error: Exception) -> None:
        """Count."""
        self._metrics.count("orderstore_payment_reconciliation_failures")
        _log.warning("payments not reconciled", day=day, error=type(error).__name__)

    def behind(self, days: int) -> None:
        """Set."""
        self._metrics.set("orderstore_payment_reconciliation_behind_days", None, days)
