"""The business's rules speak of metrics, labels and values that are really told, and of each other's results by their names."""

import re
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from projections.answers.business import AGES
from projections.answers.business_watch import SALES_DAYS
from projections.views import daily_sales, progress
from workers.metrics.table import TABLE

RULES = Path(__file__).parents[2] / "deploy" / "prometheus-business.yaml"
SHOWN = {f"{metric.name}_total" if metric.type == "counter" else metric.name: metric for metric in TABLE}
VALUES: Final = {
    "status": progress.OPEN,
    "age": tuple(name for name, _ in AGES),
    "outcome": progress.HAPPENED,
    "stage": tuple(progress.TIMED),
    "kind": daily_sales.KINDS,
    "day": SALES_DAYS,
}
"""What each label may hold, where a rule chooses by it."""


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


RECORDED = {rule["record"]: rule for rule in rules() if "record" in rule}


def name_of(rule: dict[str, Any]) -> str:
    return str(rule.get("alert") or rule["record"])


@pytest.mark.parametrize("rule", rules(), ids=name_of)
def test_a_rule_reads_what_is_told_or_recorded_before_it(rule: dict[str, Any]) -> None:
    """Rules of a group run in their order: a name that comes later would be a minute old, one that nobody tells is silent for ever."""
    names = set(re.findall(r"orderstore[\w:]+", rule["expr"]))
    earlier = list(RECORDED)[: list(RECORDED).index(rule["record"])] if "record" in rule else list(RECORDED)

    assert names
    assert names <= {*SHOWN, *earlier}
    assert rule["expr"].count("(") == rule["expr"].count(")")
    assert rule["expr"].count("{") == rule["expr"].count("}")


@pytest.mark.parametrize("rule", rules(), ids=name_of)
def test_a_rule_chooses_by_labels_and_values_that_there_are(rule: dict[str, Any]) -> None:
    """A misspelt status matches nothing, and says that all is well."""
    for name, selector in re.findall(r"(orderstore\w+)\{([^}]*)\}", rule["expr"]):
        for label, operator, value in re.findall(r'(\w+)(=~|!~|!=|=)"([^"]*)"', selector):
            assert label in SHOWN[name].labels, (name, label)
            pattern = re.compile(value.replace("\\\\", "\\") if "~" in operator else re.escape(value))
            alternatives = value.replace("\\\\", "\\").split("|") if "~" in operator else [value]
            for alternative in alternatives:
                one = re.compile(alternative if "~" in operator else re.escape(alternative))
                assert any(one.fullmatch(known) for known in VALUES[label]), (label, alternative)
            assert not all(pattern.fullmatch(known) for known in VALUES[label]), (label, value)


@pytest.mark.parametrize("rule", [rule for rule in rules() if "alert" in rule], ids=name_of)
def test_an_alert_says_whom_to_wake_and_names_labels_that_it_has(rule: dict[str, Any]) -> None:
    """What it sums by is what its words may name."""
    named = set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]))
    summed = {label for found in re.findall(r"by \(([^)]*)\)", expanded(rule["expr"])) for label in found.split(", ")}

    assert rule["labels"]["severity"] in ("page", "warn")
    assert named <= summed


def expanded(expr: str) -> str:
    """With the recorded rules that it speaks of in their place."""
    for name, rule in RECORDED.items():
        expr = expr.replace(name, expanded(rule["expr"])) if name in expr else expr
    return expr


@pytest.mark.parametrize("rule", rules(), ids=name_of)
def test_figures_that_every_projector_tells_are_never_added_up(rule: dict[str, Any]) -> None:
    """Two projectors tell of the same orders: each gauge is first made one by `max`, by every label that is needed further out."""
    gauges = {metric.name for metric in TABLE if metric.name.startswith(("orderstore_orders_", "orderstore_sales_"))}
    for gauge in gauges | {"orderstore_order_stage_seconds_bucket", "orderstore_exceptions_open"}:
        for found in re.finditer(rf"{gauge}\b", rule["expr"]):
            before = rule["expr"][: found.start()]
            assert re.search(r"(max by \([^)]*\) \((increase\()?|absent\()$", before), (gauge, before)


def test_what_the_business_asks_for_is_recorded() -> None:
    """Success over an hour and a day, times to confirm and to ship, revenue by day, the share of refunds, and who stands where."""
    assert {
        "orderstore:order_success:ratio1h",
        "orderstore:order_success:ratio1d",
        "orderstore:order_confirm_seconds:p50_1h",
        "orderstore:order_confirm_seconds:p95_1h",
        "orderstore:order_ship_seconds:p50_1d",
        "orderstore:order_ship_seconds:p95_1d",
        "orderstore:revenue_minor_units:day",
        "orderstore:refunds:ratio2d",
        "orderstore:orders_in_state:total",
    } <= set(RECORDED)


def test_every_open_status_has_an_age_at_which_somebody_is_told() -> None:
    """A status that no alert names could grow old unseen; and the oldest age is always among those told."""
    (rule,) = (rule for rule in rules() if rule.get("alert") == "OrderstoreOrdersAgeing")
    chosen = re.findall(r'status=~?"([^"]*)", age(=~|!~)"([^"]*)"', rule["expr"])
    watched = {
        status: {
            age for age in VALUES["age"] if bool(re.fullmatch(ages.replace("\\\\", "\\"), age)) == (operator == "=~")
        }
        for statuses, operator, ages in chosen
        for status in statuses.split("|")
    }

    assert set(watched) == set(progress.OPEN)
    for ages in watched.values():
        assert ages == set(VALUES["age"][-len(ages) :])
