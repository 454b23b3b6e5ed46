"""What became of mails, as metrics."""

from workers.metrics.table import Metrics


class FeedbackMetrics:
    """Implements `workers.notification.feedback_handler.FeedbackObserver`."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def mail_feedback(self, kind: str) -> None:
        """Count."""
        self._metrics.count("orderstore_mail_feedback", {"kind": kind})

    def address_suppressed(self, reason: str) -> None:
        """Count."""
        self._metrics.count("orderstore_addresses_suppressed", {"reason": reason})
