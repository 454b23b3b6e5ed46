"""What waits for its publication, on the page that Prometheus scrapes."""

from structlog.testing import capture_logs

from workers.metrics.projections import ProjectionMetrics
from workers.metrics.table import Metrics


def test_the_age_of_the_oldest_unpublished_event_is_shown_in_seconds() -> None:
    """A zero is shown as well: its absence is alarmed."""
    metrics = Metrics()
    observer = ProjectionMetrics(metrics)

    observer.unpublished(oldest_age_ms=61_500)
    assert b"orderstore_unpublished_oldest_age_seconds 61.5" in metrics.render()[0]
    observer.unpublished(oldest_age_ms=0)
    assert b"orderstore_unpublished_oldest_age_seconds 0.0" in metrics.render()[0]


def test_what_cannot_be_seen_is_counted_and_told() -> None:
    """The age is an upper bound meanwhile."""
    metrics = Metrics()
    with capture_logs() as lines:
        ProjectionMetrics(metrics).publication_unseen(error=RuntimeError("away"))

    assert b'orderstore_stream_troubles_total{kind="unseen",subscription="relay"} 1.0' in metrics.render()[0]
    assert [line["log_level"] for line in lines] == ["warning"]
