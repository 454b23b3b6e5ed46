"""The webhooks' facts as metrics and, where somebody has to act, as log lines."""

from typing import Final

import structlog

from workers.metrics.table import Metrics
from workers.webhooks.delivery import STATES, DeliveryState
from workers.webhooks.endpoint import DisabledCause
from workers.webhooks.observe import WebhookObserver

_log: Final = structlog.get_logger("workers.webhooks")


class WebhookMetrics(WebhookObserver):
    """Implements `workers.webhooks.observe.WebhookObserver`."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        for state in STATES:
            metrics.count("orderstore_webhook_deliveries", {"state": state}, by=0)
        for cause in ("gone", "failing"):
            metrics.count("orderstore_webhook_endpoints_disabled", {"cause": cause}, by=0)

    def announced(self, state: DeliveryState) -> None:
        """Count."""
        self._metrics.count("orderstore_webhook_deliveries", {"state": state})

    def attempted(self, result: str, *, duration_s: float) -> None:
        """Count and time."""
        self._metrics.count("orderstore_webhook_attempts", {"result": result})
        self._metrics.observe("orderstore_webhook_attempt_seconds", {"result": result}, duration_s)

    def ended(self, state: DeliveryState) -> None:
        """Count."""
        self._metrics.count("orderstore_webhook_deliveries", {"state": state})

    def outrun(self) -> None:
        """Count."""
        self._metrics.count("orderstore_webhook_outrun")

    def disabled(self, endpoint: str, cause: DisabledCause) -> None:
        """Count and log: its owner has to be told."""
        self._metrics.count("orderstore_webhook_endpoints_disabled", {"cause": cause})
        _log.error("webhook endpoint disabled", endpoint=endpoint, cause=cause)

    def throttled(self, endpoint: str, *, for_s: float) -> None:
        """Log."""
        _log.warning("webhook endpoint fails and is left alone", endpoint=endpoint, for_s=round(for_s))

    def endpoints(self, *, enabled: int, disabled: int, failing: int) -> None:
        """Show."""
        for state, count in (("enabled", enabled), ("disabled", disabled), ("failing", failing)):
            self._metrics.set("orderstore_webhook_endpoints", {"state": state}, count)

    def oldest_due(self, age_s: float) -> None:
        """Show."""
        self._metrics.set("orderstore_webhook_oldest_due_seconds", None, age_s)

    def trouble(self, error: Exception) -> None:
        """Count, by the type alone: a text may hold anything."""
        self._metrics.count("orderstore_webhook_troubles", {"kind": type(error).__name__})
