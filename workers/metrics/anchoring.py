"""The signed roots as metrics, and as lines of the log: a refusal is for a person."""

from typing import Final

import structlog

from workers.metrics.table import Metrics

_log: Final = structlog.get_logger("workers.anchoring")


class AnchoringMetrics:
    """Implements `workers.anchoring.AnchoringObserver`."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def root_age(self, seconds: float) -> None:
        """Set the age."""
        self._metrics.set("orderstore_root_age_seconds", None, seconds)

    def root_made(self, number: int, orders: int, commits: int) -> None:
        """Count it, and forget earlier findings."""
        self._metrics.count("orderstore_roots_made")
        self._metrics.set("orderstore_root_findings", None, 0)
        _log.info("root made", root=number, orders=orders, commits=commits)

    def root_refused(self, findings: int) -> None:
        """Count it, and show how much is wrong."""
        self._metrics.count("orderstore_roots_refused")
        self._metrics.set("orderstore_root_findings", None, findings)
        _log.error("root refused", findings=findings, advice="orderstore audit verify")

    def root_failed(self, error: Exception) -> None:
        """Count it."""
        self._metrics.count("orderstore_root_failures")
        _log.warning("root failed", error=str(error))
