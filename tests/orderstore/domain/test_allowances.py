"""Allowances: the defaults are those that the documents name, and an order keeps its own."""

from dataclasses import fields
from typing import get_args

from orderstore.domain.allowances import DEFAULTS, LONGEST_S, SHORTEST_S, STAGES, Allowed, allowances_of, allowed_s
from orderstore.domain.events import Allowances
from tests.builders import order_created

ALLOWED = get_args(Allowed)
MINUTE_S, HOUR_S, DAY_S = 60, 3_600, 86_400


def test_the_defaults_are_history() -> None:
    """An order from before allowances were kept has these for ever: its deadlines must not move with a release."""
    assert (
        Allowances(
            outcomes_s=15 * MINUTE_S,
            dispatch_s=48 * HOUR_S,
            delivery_s=5 * DAY_S,
            undo_s=HOUR_S,
            refund_s=14 * DAY_S,
        )
        == DEFAULTS
    )
    assert allowances_of(order_created()) == DEFAULTS


def test_an_order_keeps_those_that_it_was_placed_with() -> None:
    """Each stage its own, none mixed up with another."""
    own = Allowances(outcomes_s=1, dispatch_s=2, delivery_s=3, undo_s=4, refund_s=5)

    assert allowances_of(order_created(allowances=own)) == own
    assert {stage: allowed_s(own, stage) for stage in ALLOWED} == {
        "outcomes": 1,
        "dispatch": 2,
        "delivery": 3,
        "undo": 4,
        "refund": 5,
    }
    assert [field.name for field in fields(Allowances)] == [f"{stage}_s" for stage in ALLOWED]
    assert {stage for stage in STAGES if stage != "capture"} == set(ALLOWED)


def test_every_default_is_within_the_bounds() -> None:
    """What a setting may not say, the service does not assume either."""
    assert all(SHORTEST_S <= allowed_s(DEFAULTS, stage) <= LONGEST_S for stage in ALLOWED)
