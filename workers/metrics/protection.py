"""The facts of the task's protection as metrics and, where somebody has to act, as log lines."""

from typing import Final

import structlog

from workers.metrics.table import Metrics
from workers.protection import AgentError

_log: Final = structlog.get_logger("workers.protection")


class ProtectionMetrics:
    """Implements `workers.protection.ProtectionObserver`."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        metrics.set("orderstore_task_protected", {}, 0)

    def changed(self, *, protected: bool) -> None:
        """Show and log."""
        self._metrics.set("orderstore_task_protected", {}, int(protected))
        _log.info("task protected" if protected else "task no longer protected")

    def failed(self, error: AgentError, *, in_a_row: int) -> None:
        """Count each, log the first: the work goes on, and the next stop may cut a long piece of it off."""
        kind = type(error).__name__
        self._metrics.count("orderstore_task_protection_failures", {"kind": kind})
        if in_a_row == 1:
            _log.warning("task protection not changed", kind=kind, error=str(error))
