"""`docs/metrics.md` is made here, from the one table; a test compares the two.

To write the page anew: `python -c "from workers.metrics.document import markdown; print(markdown(), end='')" > docs/metrics.md`.
"""

from collections.abc import Iterator
from typing import Final

from workers.metrics.table import SECONDS, TABLE, Metric

_INTRODUCTION: Final = """\
# Metrics

Every role shows these to Prometheus on `/metrics`. The role with the API serves them on the API's port and asks for a bearer token
with the scope `metrics:read` (or `admin`); the other roles serve them on `ORDERSTORE_METRICS_HOST` and `ORDERSTORE_METRICS_PORT`,
without a token.

This page is made from `workers/metrics/table.py`, and a test keeps the two equal. No label holds an order, a customer or a message id.
A family shows once its first value is there. All times are in seconds.
"""

_NAMES: Final = """\
A counter is shown with `_total` behind its name. A histogram is shown as `_bucket`, `_sum` and `_count`, with these bounds:"""


def markdown() -> str:
    """The whole page, as it stands in the repository."""
    bounds = ", ".join(f"{bound:g}" for bound in SECONDS)
    return "\n".join([_INTRODUCTION, f"{_NAMES} {bounds}.", "", *_table(TABLE), ""])


def _table(metrics: tuple[Metric, ...]) -> Iterator[str]:
    yield "| name | type | labels | meaning |"
    yield "|---|---|---|---|"
    for metric in metrics:
        labels = ", ".join(f"`{label}`" for label in metric.labels) or "none"
        yield f"| `{metric.name}` | {metric.type} | {labels} | {metric.meaning} |"
