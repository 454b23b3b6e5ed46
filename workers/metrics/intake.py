"""The intake's facts as metrics."""

from workers.metrics.table import Metrics


class IntakeMetrics:
    """Implements `workers.intake.observe.IntakeObserver`."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def request(self, *, result: str) -> None:
        """Count."""
        self._metrics.count("orderstore_intake_requests", {"result": result})

    def file(self, *, result: str) -> None:
        """Count."""
        self._metrics.count("orderstore_intake_files", {"result": result})

    def lines(self, *, result: str, count: int) -> None:
        """Count."""
        self._metrics.count("orderstore_intake_lines", {"result": result}, by=count)
