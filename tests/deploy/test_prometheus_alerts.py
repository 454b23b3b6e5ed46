"""Alerting rules speak of metrics that exist, with labels that they have, and each says whom to wake."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from workers.metrics.table import TABLE

RULES = Path(__file__).parents[2] / "deploy" / "prometheus-alerts.yaml"
SHOWN = {f"{metric.name}_total" if metric.type == "counter" else metric.name: metric for metric in TABLE}


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_a_rule_watches_a_metric_that_is_shown(rule: dict[str, Any]) -> None:
    """A rule on a name that nobody exports would be silent for ever."""
    (name,) = set(re.findall(r"orderstore_\w+", rule["expr"]))
    labels = re.findall(r'(\w+)!?="', rule["expr"]) + re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"])

    assert name in SHOWN
    assert set(labels) <= set(SHOWN[name].labels)
    assert rule["labels"]["severity"] in ("page", "warn")


def test_what_the_design_wants_alarmed_is_alarmed() -> None:
    """Gaps, missing commits, lag, the trim, pages not applied, removed items, dead letters; roots, the archive."""  # D14, D22, E064
    watched = {re.findall(r"orderstore_\w+", rule["expr"])[0] for rule in rules()}

    assert {
        "orderstore_stream_gaps_total",
        "orderstore_stream_lag_seconds",
        "orderstore_stream_behind_seconds",
        "orderstore_stream_hours_left",
        "orderstore_view_gaps_healed_total",
        "orderstore_stream_apply_failures_total",
        "orderstore_log_items_removed_total",
        "orderstore_queue_dead_letters",
        "orderstore_root_age_seconds",
        "orderstore_roots_refused_total",
        "orderstore_archive_lag_seconds",
        "orderstore_unpublished_oldest_age_seconds",
        "orderstore_orders_overdue_oldest_seconds",
        "orderstore_orders_overdue",
        "orderstore_stream_shards_owned",
    } <= watched


def test_an_unpublished_event_warns_after_a_minute_and_pages_after_ten() -> None:
    """By its age, however many projectors tell it; and when nobody tells it, or no relay shows itself, that is told as well."""
    found = {rule["alert"]: (rule["expr"], rule["labels"]["severity"]) for rule in rules()}
    age = "orderstore_unpublished_oldest_age_seconds"
    assert found["OrderstoreUnpublished"] == (f"max({age}) > 60", "warn")
    assert found["OrderstoreUnpublishedLong"] == (f"max({age}) > 600", "page")
    assert found["OrderstorePublicationUnwatched"] == (f"absent({age})", "page")
    assert found["OrderstoreRelayGone"] == ('absent(orderstore_stream_shards_owned{subscription="relay"})', "page")
