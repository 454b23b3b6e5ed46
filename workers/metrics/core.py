"""The log's facts as metrics."""

from workers.metrics.table import Metrics


class CoreMetrics:
    """Implements `orderstore.observe.Observer`."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def appended(self, event_type: str) -> None:
        """Count an event."""
        self._metrics.count("orderstore_events_appended", {"event_type": event_type})

    def conflicted(self) -> None:
        """Count a lost round."""
        self._metrics.count("orderstore_append_conflicts")

    def repeated(self, purpose: str) -> None:
        """Count a decision that had nothing to add; ids behind the colon are left out, so that labels stay few."""
        self._metrics.count("orderstore_decisions_repeated", {"purpose": purpose.partition(":")[0]})

    def numbered(self, series: str) -> None:
        """Count an invoice number."""
        self._metrics.count("orderstore_invoice_numbers", {"series": series})
