"""The sweeper's facts, and those of the reconciliation of views and invoices, as metrics and lines of the log."""

from collections import Counter
from typing import Final

import structlog

from workers.metrics.table import Metrics
from workers.reconciliation.whole import Report

_log: Final = structlog.get_logger("workers.sweeping")


class SweepMetrics:
    """Implements `workers.sweeping.observe.SweepObserver`."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def swept(self, what: str) -> None:
        """Count."""
        self._metrics.count("orderstore_swept", {"timer": what})

    def failed(self, order_id: str, error: Exception) -> None:
        """Count and log: nobody else hears of it."""
        self._metrics.count("orderstore_sweep_failures", {"kind": "order"})
        _log.error("order not swept", orderId=order_id, error=type(error).__name__)

    def lists_failed(self, error: Exception) -> None:
        """Count and log."""
        self._metrics.count("orderstore_sweep_failures", {"kind": "list"})
        _log.warning("due orders not read", error=type(error).__name__)

    def hinted(self, department: str, *, taken: bool) -> None:
        """Count."""
        result = "sent" if taken else "failed"
        self._metrics.count("orderstore_sweep_hints", {"department": department, "result": result})

    def turned(self, *, looked_at: int, lag_s: float) -> None:
        """Count and show."""
        self._metrics.count("orderstore_sweeps")
        self._metrics.count("orderstore_sweep_looks", by=looked_at)
        self._metrics.set("orderstore_sweep_lag_seconds", None, lag_s)


class WholeMetrics:
    """Implements `workers.reconciliation.whole_daily.WholeObserver`."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def reconciled(self, day: str, report: Report) -> None:
        """Count by area and kind, and name each order that does not say so itself."""
        counts = Counter((told.discrepancy.area, told.discrepancy.kind) for told in report.found)
        for (area, kind), count in counts.items():
            self._metrics.count("orderstore_discrepancies", {"area": area, "kind": kind}, by=count)
        if report.more:
            self._metrics.count("orderstore_discrepancies", {"area": "any", "kind": "more"}, by=report.more)
        for told in report.found:
            found = told.discrepancy
            _log.error(
                "discrepancy",
                area=found.area,
                kind=found.kind,
                subject=found.subject,
                orderId=found.order_id,
                noted=told.noted,
            )
        self._metrics.count("orderstore_whole_reconciliations")
        _log.info("views and invoices reconciled", day=day, found=len(report.found) + report.more)

    def failed(self, day: str, error: Exception) -> None:
        """Count."""
        self._metrics.count("orderstore_whole_reconciliation_failures")
        _log.warning("views and invoices not reconciled", day=day, error=type(error).__name__)
