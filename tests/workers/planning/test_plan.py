"""A plan is arithmetic over one table of counts and one of prices, and both are as they say."""

import json
import math
from collections import Counter
from dataclasses import asdict, replace
from typing import Any

import pytest

from tests.cloudformation import read
from workers.planning import quotas, standing
from workers.planning.counted import Counted, CountedError, counted_from
from workers.planning.demand import SECONDS_A_MONTH, Demand, DemandError
from workers.planning.plan import dollars_of, plan_for
from workers.planning.prices import prices

TEMPLATES = ("data-plane", "dead-letters", "intake", "notifications", "service", "webhooks")


def document(**changes: Any) -> dict[str, Any]:
    """A small table of counts, with round numbers."""

    def order(lines: int, factor: float = 1.0) -> dict[str, Any]:
        return {
            "lines": lines,
            "commits": 8,
            "tables": {
                "events": {"write": 10 * factor, "read": 20 * factor, "stored": 1000},
                "views": {"write": 4 + lines, "index": 6, "read": 2, "stored": 500},
            },
            "requests": {"sqs": 40 * factor, "sns": 10 * factor, "published": 10, "mails": 3, "due_lists": 4},
        }

    new = order(2)
    new["tables"]["privacy-keys"] = {"write": 1, "read": 3, "stored": 200}
    new["requests"]["kms"] = 4
    return {
        "on": "2026-11-21",
        "command": "count",
        "orders": {
            "happy": order(2),
            "10 lines": order(10),
            "79 lines": order(79),
            "in company": order(2, 0.5),
            "new customer": new,
        },
        "standing": {role: {"write": 10, "sqs": 100} for role in standing.TASKS},
        "processor_ms": dict.fromkeys(standing.TASKS, 3.0),
        "processor_note": "measured",
        **changes,
    }


@pytest.fixture
def counts() -> Counted:
    return counted_from(document())


def test_a_number_of_lines_that_was_not_counted_lies_between_its_neighbours(counts: Counted) -> None:
    """In proportion; beyond the last count it goes on as it went to it."""
    assert counts.order(2, together=False).tables["views"].write == 6
    assert counts.order(6, together=False).tables["views"].write == pytest.approx(10)
    assert counts.order(40, together=False).tables["views"].write == pytest.approx(44)
    assert counts.order(1000, together=False).tables["views"].write == pytest.approx(1004)
    assert counts.order(1, together=False).tables["views"].write == pytest.approx(5)


def test_orders_of_the_same_moment_share_what_they_were_counted_to_share(counts: Counted) -> None:
    """Half of the requests there, so half of them at other numbers of lines too; what is not shared stays."""
    alone, together = counts.order(10, together=False), counts.order(10, together=True)
    assert together.requests.sqs == alone.requests.sqs / 2
    assert together.tables["events"].write == alone.tables["events"].write / 2
    assert together.tables["views"] == alone.tables["views"]
    assert together.requests.kms == alone.requests.kms == 0


def test_a_customer_whose_key_is_not_at_hand_costs_the_calls_of_a_first_order(counts: Counted) -> None:
    """In full, in part, or not at all."""
    assert counts.order(10, together=False).requests.kms == 0
    half = counts.order(10, together=True, new=0.5)
    assert (half.requests.kms, half.tables["privacy-keys"].write) == (2, 0.5)
    assert plan_for(Demand(orders_per_second=1, lines=2), counts=counts).tables[1].reads == 3


def test_capacity_follows_the_peak_and_dollars_the_average(counts: Counted) -> None:
    """One order a second, three times as many in the highest: by hand."""
    found = plan_for(Demand(orders_per_second=1, lines=2, peak_factor=3), counts=counts)
    views = next(table for table in found.tables if table.table == "views")
    assert (views.writes, views.peak_writes) == (12, 36)
    assert views.provisioned_writes == math.ceil(36 / 0.7)
    assert views.on_demand_dollars == pytest.approx(SECONDS_A_MONTH * (12 * 0.625 + 2 * 0.125) / 1e6)
    assert views.provisioned_dollars == pytest.approx((52 * 0.00065 + 9 * 0.00013) * 730)


def test_a_million_orders_cost_the_sum_of_what_one_does(counts: Counted) -> None:
    """Without anything that is free or stands anyway: by hand."""
    order = counts.order(2, together=False, new=0)
    units = (10 + 6 + 6) * 0.625 + 22 * 0.125
    assert dollars_of(order, prices()) * 1e6 == pytest.approx(units + 40 * 0.40 + 10 * 0.50 + 3 * 100)


def test_the_bill_is_the_sum_of_its_lines(counts: Counted) -> None:
    """And the difference that provisioned tables make is that of the tables."""
    found = plan_for(Demand(orders_per_second=50, lines=3), counts=counts)
    assert found.dollars_a_month == pytest.approx(sum(charge.dollars for charge in found.charges))
    difference = sum(table.provisioned_dollars - table.on_demand_dollars for table in found.tables)
    assert found.dollars_provisioned - found.dollars_a_month == pytest.approx(difference)


def test_an_invoice_series_takes_as_many_as_follow_one_another(counts: Counted) -> None:
    """A hundred a second at ten milliseconds; however fast transactions are, five hundred, for an item takes a thousand units."""
    slow = plan_for(Demand(orders_per_second=1000, lines=2, peak_factor=1), counts=counts).hot[0]
    assert (slow.name, slow.one_takes, slow.needed, slow.fits) == ("invoice series", 100, 10, False)
    fast = plan_for(Demand(orders_per_second=1000, lines=2, peak_factor=1, transaction_ms=0.5), counts=counts).hot[0]
    assert (fast.one_takes, fast.needed) == (500, 2)


def test_lists_and_rows_are_told_when_they_run_hot(counts: Counted) -> None:
    """Sixteen lists of 1,000 units, eight rows of 500 transactions with 25 documents each."""
    _, lists, rows, _ = plan_for(Demand(orders_per_second=100_000, lines=2, peak_factor=1), counts=counts).hot
    assert (lists.asked, lists.needed, lists.fits) == (400_000, 400, False)
    assert (rows.asked, rows.needed, rows.fits) == (8_000, 16, False)


def test_the_stream_has_a_shard_for_each_partition(counts: Counted) -> None:
    """By the log's writes and reads in the highest second; a busy one is asked four times a second by each subscription."""
    small = plan_for(Demand(orders_per_second=0.01, lines=2), counts=counts).stream
    assert (small.shards, small.calls) == (1, 2)
    large = plan_for(Demand(orders_per_second=1000, lines=2, peak_factor=2), counts=counts).stream
    assert large.shards == math.ceil(2000 * 5 / 1000 + 2000 * 10 / 3000)
    assert large.calls == large.shards * 2 * 4


def test_tasks_are_those_of_the_template_until_the_processors_need_more(counts: Counted) -> None:
    """Three milliseconds an order; a task has half a core and is not planned busier than sixty in a hundred."""
    few = plan_for(Demand(orders_per_second=1, lines=2), counts=counts)
    assert {role.role: role.tasks for role in few.roles} == dict(standing.TASKS)
    many = plan_for(Demand(orders_per_second=1000, lines=2, peak_factor=1), counts=counts)
    assert {role.tasks for role in many.roles} == {10}
    high = plan_for(Demand(orders_per_second=1000, lines=2, peak_factor=4), counts=counts)
    assert {(role.tasks, role.tasks_at_peak) for role in high.roles} == {(10, 40)}


def test_quotas_are_told_where_the_peak_passes_them(counts: Counted) -> None:
    """None at a small rate; at a large one each table past 40,000 units, and the topic past 30,000 messages."""
    assert plan_for(Demand(orders_per_second=10, lines=2), counts=counts).quotas == ()
    found = plan_for(Demand(orders_per_second=10_000, lines=2, peak_factor=1), counts=counts).quotas
    told = {(one.name, one.where) for one in found}
    assert {(quotas.TABLE_WRITES.name, "views"), (quotas.TABLE_WRITES.name, "events")} <= told
    assert quotas.SNS_PUBLISHES.name in {name for name, _ in told}
    assert all(one.needed > one.default for one in found)


@pytest.mark.parametrize("rate", [0, -1, 0.009, math.nan, math.inf, 100_001, 1e300])
def test_a_rate_that_cannot_be_is_refused(rate: float) -> None:
    """Nothing is planned for it."""
    with pytest.raises(DemandError, match="orders per second"):
        Demand(orders_per_second=rate, lines=2)


@pytest.mark.parametrize(
    "change", [{"lines": 0}, {"lines": 5001}, {"peak_factor": 0.5}, {"peak_factor": math.nan}, {"transaction_ms": 0}]
)
def test_other_numbers_are_checked_too(change: dict[str, Any]) -> None:
    """Each has its bounds."""
    with pytest.raises(DemandError):
        Demand(**{"orders_per_second": 1, "lines": 2, **change})


@pytest.mark.parametrize(
    "broken", [{"orders": {}}, {"standing": {"api": {"x": 1}}}, {"orders": {"happy": {"lines": 1}}}]
)
def test_a_table_of_counts_that_lacks_something_is_refused(broken: dict[str, Any]) -> None:
    """A plan out of half a table would be wrong and look right."""
    with pytest.raises(CountedError):
        counted_from(document(**broken))


def test_the_tables_that_are_shipped_make_a_plan_at_every_rate() -> None:
    """From one order in a hundred seconds to a hundred thousand a second: finite, and dearer the more there are."""
    rates = (0.01, 0.1, 1, 9.99, 10, 100, 1_000, 10_000, 100_000)
    plans = [plan_for(Demand(orders_per_second=rate, lines=2)) for rate in rates]
    bills = [found.dollars_a_month for found in plans]
    assert all(math.isfinite(bill) and bill > 0 for bill in bills)
    assert sorted(bills[:4]) == bills[:4], "each order goes alone"
    assert sorted(bills[4:]) == bills[4:], "orders share batches"
    for found in plans:
        json.dumps(asdict(found), allow_nan=False)
    for few, many in zip((1, 5, 20, 100), (5, 20, 100, 1000), strict=True):
        cheap, dear = (plan_for(Demand(orders_per_second=1, lines=lines)).dollars_per_million for lines in (few, many))
        assert cheap <= dear


def test_an_order_is_dearer_alone_than_among_others() -> None:
    """What is shared can only get less."""
    alone = plan_for(Demand(orders_per_second=9.99, lines=2)).dollars_per_million
    assert plan_for(Demand(orders_per_second=10, lines=2)).dollars_per_million <= alone


def test_each_price_says_where_it_was_read() -> None:
    """AWS's page, a date, and who read it: else it is no price."""
    for price in prices().values():
        assert price.page.startswith("https://aws.amazon.com/")
        assert price.as_of
        assert price.read_in
        assert price.unit


def test_free_units_and_tiers_are_taken_off_the_month_not_off_the_order() -> None:
    """A million requests to SQS are free; past a hundred thousand million they get cheaper."""
    sqs = prices()["sqs"]
    assert sqs.a_month(1_000_000) == 0
    assert sqs.a_month(3_000_000) == pytest.approx(0.80)
    assert sqs.of(1_000_000) == pytest.approx(0.40)
    assert sqs.a_month(150e9 + 1e6) == pytest.approx(40_000 + 15_000)
    assert replace(sqs, free=0, tiers=((0.0, 0.40),)).a_month(2e6) == pytest.approx(0.80)


def test_what_stands_is_what_the_templates_make() -> None:
    """Tasks, alarms, queues and keys: whoever changes a template changes the plan."""
    named = [entry for name in TEMPLATES for entry in read(f"{name}.yaml")["Resources"].items()]
    kinds = Counter(resource["Type"] for _, resource in named)
    assert kinds["AWS::CloudWatch::Alarm"] == standing.ALARMS
    assert kinds["AWS::KMS::Key"] == standing.KEYS
    queues = [resource["Properties"] for _, resource in named if resource["Type"] == "AWS::SQS::Queue"]
    assert sum("RedrivePolicy" in queue for queue in queues) == standing.QUEUES
    services = {
        name.removesuffix("Service").lower(): resource["Properties"]["DesiredCount"]
        for name, resource in named
        if resource["Type"] == "AWS::ECS::Service"
    }
    assert services == standing.TASKS
