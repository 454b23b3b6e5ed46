"""The reconciliation of stock as metrics, and as lines of the log: what does not fit is for a person."""

from typing import Final

import structlog

from workers.metrics.table import Metrics
from workers.reconciliation.stock import Finding, Report

_log: Final = structlog.get_logger("workers.reconciliation")


class StockMetrics:
    """Implements `workers.reconciliation.stock_daily.StockObserver`."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def discrepancy(self, finding: Finding) -> None:
        """Count."""
        self._metrics.count("orderstore_stock_discrepancies", {"kind": finding.kind})
        _log.error(
            "stock discrepancy",
            kind=finding.kind,
            sku=finding.sku,
            location=finding.location,
            ours=finding.ours,
            theirs=finding.theirs,
            subject=finding.subject,
        )

    def reconciled(self, day: str, report: Report) -> None:
        """Count and set."""
        self._metrics.count("orderstore_stock_levels_reconciled", by=report.levels)
        self._metrics.set("orderstore_stock_unsettled", None, len(report.unsettled))
        _log.info(
            "stock reconciled",
            day=day,
            levels=report.levels,
            holding=report.holding,
            unsettled=len(report.unsettled),
        )

    def closed(self, day: str, pieces: int) -> None:
        """Count."""
        self._metrics.count("orderstore_stock_pieces_closed", by=pieces)
        _log.info("stock books closed", day=day, pieces=pieces)

    def failed(self, day: str, error: Exception) -> None:
        """Count."""
        self._metrics.count("orderstore_stock_reconciliation_failures")
        _log.warning("stock not reconciled", day=day, error=type(error).__name__)
