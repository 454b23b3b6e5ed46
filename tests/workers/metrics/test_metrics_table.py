"""One table says what Prometheus sees: the page shows it, the observers fill all of it, and nothing else."""

import ast
import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any, Literal, NewType, get_args, get_origin, get_type_hints

import msgspec
import pytest

import orderstore.archive.observe
import orderstore.observe
import orderstore.snapshots.observe
import projections.answers.observe
import projections.http.observe
import projections.live.observe
import projections.observe
import projections.stream.observe
import projections.stream.quarantine.observe
import workers.anchoring
import workers.intake.observe
import workers.notification.feedback_handler
import workers.observe
import workers.protection
import workers.reconciliation.daily
import workers.reconciliation.stock_daily
import workers.reconciliation.whole_daily
import workers.runtime.breaker
import workers.runtime.observe
import workers.sweeping.observe
import workers.webhooks.observe
from workers.metrics.anchoring import AnchoringMetrics
from workers.metrics.archive import ArchiveMetrics
from workers.metrics.breakers import BreakerMetrics
from workers.metrics.business import HttpMetrics, WorkerMetrics
from workers.metrics.core import CoreMetrics
from workers.metrics.document import markdown
from workers.metrics.figures import BusinessMetrics
from workers.metrics.intake import IntakeMetrics
from workers.metrics.live import LiveMetrics
from workers.metrics.notifications import FeedbackMetrics
from workers.metrics.parking import ParkingMetrics
from workers.metrics.projections import ProjectionMetrics
from workers.metrics.protection import ProtectionMetrics
from workers.metrics.queues import QueueMetrics
from workers.metrics.reconciliation import ReconciliationMetrics
from workers.metrics.snapshots import SnapshotMetrics
from workers.metrics.stock import StockMetrics
from workers.metrics.streams import StreamMetrics
from workers.metrics.sweeping import SweepMetrics, WholeMetrics
from workers.metrics.table import TABLE, Metrics
from workers.metrics.webhooks import WebhookMetrics

ROOT = Path(__file__).parents[3]
BY_NAME = {metric.name: metric for metric in TABLE}
TYPE_OF_CALL = {
    "count": "counter",
    "counter": "counter",
    "set": "gauge",
    "forget": "gauge",
    "observe": "histogram",
    "total": "counter",
}

FORGETS = {"lease_lost", "lease_released", "shard_finished"}

# Read from the queue itself by `workers/queues.py`, counted by the exporter of spans or at the border to AWS: no observer hears of them.
WATCHED = {
    "orderstore_queue_visible",
    "orderstore_queue_in_flight",
    "orderstore_queue_dead_letters",
    "orderstore_spans",
    "orderstore_aws_requests",
}


EXAMPLES: Mapping[type, object] = {
    str: "some",
    int: 2,
    float: 1.0,
    bool: True,
    bytes: b"some",
    Decimal: Decimal(1),
    datetime: datetime(2026, 11, 21, tzinfo=UTC),
    Exception: ValueError("some"),
    workers.protection.AgentError: workers.protection.AgentRefused("some"),
}


def observers(metrics: Metrics) -> list[tuple[object, type]]:
    """Each observer with the Protocol that it implements; the annotations let mypy check the assignment."""
    core: orderstore.observe.Observer = CoreMetrics(metrics)
    read_side: projections.observe.Observer = ProjectionMetrics(metrics)
    stream: projections.stream.observe.StreamObserver = StreamMetrics(metrics, "views")
    queue: workers.runtime.observe.QueueObserver = QueueMetrics(metrics)
    worker: workers.observe.WorkerObserver = WorkerMetrics(metrics)
    http: projections.http.observe.HttpObserver = HttpMetrics(metrics)
    archive: orderstore.archive.observe.ArchiveObserver = ArchiveMetrics(metrics)
    anchoring: workers.anchoring.AnchoringObserver = AnchoringMetrics(metrics)
    parking: projections.stream.quarantine.observe.ParkingObserver = ParkingMetrics(metrics, "views")
    return [
        (core, orderstore.observe.Observer),
        (read_side, projections.observe.Observer),
        (stream, projections.stream.observe.StreamObserver),
        (queue, workers.runtime.observe.QueueObserver),
        (worker, workers.observe.WorkerObserver),
        (http, projections.http.observe.HttpObserver),
        (archive, orderstore.archive.observe.ArchiveObserver),
        (SnapshotMetrics(metrics), orderstore.snapshots.observe.Observer),
        (BreakerMetrics(metrics, queue="some"), workers.runtime.breaker.BreakerObserver),
        (anchoring, workers.anchoring.AnchoringObserver),
        (parking, projections.stream.quarantine.observe.ParkingObserver),
        (IntakeMetrics(metrics), workers.intake.observe.IntakeObserver),
        (FeedbackMetrics(metrics), workers.notification.feedback_handler.FeedbackObserver),
        (LiveMetrics(metrics), projections.live.observe.LiveObserver),
        (ProtectionMetrics(metrics), workers.protection.ProtectionObserver),
        (WebhookMetrics(metrics), workers.webhooks.observe.WebhookObserver),
        (ReconciliationMetrics(metrics), workers.reconciliation.daily.ReconciliationObserver),
        (StockMetrics(metrics), workers.reconciliation.stock_daily.StockObserver),
        (BusinessMetrics(metrics), projections.answers.observe.BusinessObserver),
        (SweepMetrics(metrics), workers.sweeping.observe.SweepObserver),
        (WholeMetrics(metrics), workers.reconciliation.whole_daily.WholeObserver),
    ]


def methods_of(protocol: type) -> dict[str, Callable[..., None]]:
    """Those of the protocols that it extends too."""
    everything = {name: value for base in reversed(protocol.__mro__) for name, value in vars(base).items()}
    return {name: value for name, value in everything.items() if inspect.isfunction(value) and name[0] != "_"}


def example(hint: Any) -> Any:
    """Some value of that type."""
    if get_origin(hint) is Literal:
        return get_args(hint)[0]
    if get_origin(hint) is tuple:
        return ()
    if get_args(hint):
        return example(get_args(hint)[0])
    if isinstance(hint, NewType):
        return example(hint.__supertype__)
    if inspect.isclass(hint) and issubclass(hint, Enum):
        return next(iter(hint))
    if inspect.isclass(hint) and (is_dataclass(hint) or issubclass(hint, msgspec.Struct)):
        named = hint.__struct_fields__ if issubclass(hint, msgspec.Struct) else [field.name for field in fields(hint)]
        hints = get_type_hints(hint)
        return hint(**{name: example(hints[name]) for name in named})
    return EXAMPLES[hint]


def tell_everything(metrics: Metrics) -> None:
    """Report one of each fact that any layer can report."""
    for observer, protocol in observers(metrics):
        # What forgets a gauge comes first, or its family would be empty at the end.
        for name, method in sorted(methods_of(protocol).items(), key=lambda found: found[0] not in FORGETS):
            hints = get_type_hints(method)
            positional: list[Any] = []
            named: dict[str, Any] = {}
            for parameter in list(inspect.signature(method).parameters.values())[1:]:
                if parameter.kind is inspect.Parameter.KEYWORD_ONLY:
                    named[parameter.name] = example(hints[parameter.name])
                else:
                    positional.append(example(hints[parameter.name]))
            getattr(observer, name)(*positional, **named)


def shown(metrics: Metrics) -> Mapping[str, list[Mapping[str, str]]]:
    """By family, the labels of each sample that Prometheus would see."""
    return {
        family.name: [sample.labels for sample in family.samples if not sample.name.endswith("_created")]
        for family in metrics.registry.collect()
    }


def names_in_code() -> Iterator[tuple[str, str, str]]:
    """Every name of a metric that the code speaks of: the file, the call, the name."""
    for path in sorted((ROOT / "workers").rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(text)) if "orderstore_" in text else ():
            match node:
                case ast.Call(func=ast.Attribute(attr=call), args=[ast.Constant(value=str(name)), *_]):
                    if name.startswith("orderstore_"):
                        yield path.relative_to(ROOT).as_posix(), call, name
                case _:
                    continue


def test_the_page_is_the_table() -> None:
    """Whoever changes the table writes the page anew (`workers/metrics/document.py` says how)."""
    assert (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8") == markdown()


def test_names_are_unique_and_say_what_they_count() -> None:
    """One family a name; Prometheus adds `_total` to counters itself; times are in seconds and say so."""
    assert len(BY_NAME) == len(TABLE)
    for metric in TABLE:
        assert metric.name.startswith("orderstore_")
        assert not metric.name.endswith("_total")
        assert metric.meaning.endswith(".")
        if metric.type == "histogram":
            assert metric.name.endswith("_seconds")


def test_the_code_and_the_table_name_the_same_metrics() -> None:
    """No metric is declared and never moved, and none is moved that is not declared; each by a call of its own type."""
    found = list(names_in_code())
    unknown = [(file, name) for file, _, name in found if name not in BY_NAME]
    assert not unknown
    wrong = [(file, call, name) for file, call, name in found if TYPE_OF_CALL[call] != BY_NAME[name].type]
    assert not wrong
    moved = {name for _, call, name in found if call != "total"}
    assert moved == set(BY_NAME)


@pytest.mark.parametrize(
    ("observer", "protocol"), observers(Metrics()), ids=lambda found: getattr(found, "__name__", "")
)
def test_an_observer_has_every_method_of_its_protocol(observer: object, protocol: type) -> None:
    """With the same parameters: a fact that a layer reports cannot get lost on its way."""
    for name, method in methods_of(protocol).items():
        implemented = vars(type(observer)).get(name)
        assert implemented is not None, f"{type(observer).__name__} lacks {name}"
        wanted = [(found.name, found.kind) for found in inspect.signature(method).parameters.values()]
        assert [(found.name, found.kind) for found in inspect.signature(implemented).parameters.values()] == wanted, (
            name
        )


def test_every_fact_moves_its_metric_with_the_labels_of_the_table() -> None:
    """Told of one of each fact, every family has a sample, but for the depths that are read from the queues."""
    metrics = Metrics()
    tell_everything(metrics)
    seen = shown(metrics)
    for metric in TABLE:
        samples = seen[metric.name]
        if metric.name in WATCHED:
            continue
        assert samples, f"nothing moves {metric.name}"
        for labels in samples:
            bounds = {"le"} if metric.type == "histogram" else set()
            assert set(labels) - bounds == set(metric.labels), metric.name


def test_a_finished_shard_shows_no_lag_any_more() -> None:
    """Shards come and go; one that is read to its end would show its last lag for ever."""
    metrics = Metrics()
    observer = StreamMetrics(metrics, "views")
    observer.applied(shard="shard-1", count=1, lag_ms=2_000)
    observer.applied(shard="shard-2", count=1, lag_ms=1_000)
    observer.shard_finished(shard="shard-1")
    assert [labels["shard"] for labels in shown(metrics)["orderstore_stream_lag_seconds"]] == ["shard-2"]


def test_the_six_figures_of_a_queue_are_there() -> None:
    """Visible, in flight, age of the oldest, received, deleted, dead letters: for each queue."""  # E109
    types = {
        "orderstore_queue_visible": "gauge",
        "orderstore_queue_in_flight": "gauge",
        "orderstore_queue_oldest_age_seconds": "gauge",
        "orderstore_queue_received": "counter",
        "orderstore_queue_deleted": "counter",
        "orderstore_queue_dead_letters": "gauge",
    }
    assert {name: BY_NAME[name].type for name in types} == types
    assert all(BY_NAME[name].labels == ("queue",) for name in types)


def test_no_label_holds_an_order() -> None:
    """A label with an id is a new time series for every order; and ids of customers are personal."""
    few = {
        "event_type", "purpose", "series", "method", "route", "status", "replayed", "step", "result", "channel", "worker",
        "queue", "outcome", "cause", "call", "subscription", "state", "shard", "change", "view", "code", "kind", "source",
            "stage", "reason", "part", "service", "operation", "resource", "age", "days_ago", "le", "currency", "day",
            "timer", "department", "area",
    }  # fmt: skip
    assert {label for metric in TABLE for label in metric.labels} <= few


def test_a_purpose_with_an_id_is_counted_without_it() -> None:
    """Purposes may end in a client's key or a refund's id, behind a colon."""
    metrics = Metrics()
    observer = CoreMetrics(metrics)
    observer.repeated("refund-outcome:2bfa1610-a2f5-5b02-b8e8-3bef59e14707")
    observer.repeated("refund-outcome:another")
    assert {labels["purpose"] for labels in shown(metrics)["orderstore_decisions_repeated"]} == {"refund-outcome"}
