"""From which location goods are taken: never more than there is, all that there is, and no parcel that could be spared."""

from itertools import combinations, count
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from workers.inventory import allocation
from workers.inventory.allocation import EXACT_LOCATIONS_MAX, STRATEGIES, fewest_parcels, nearest_first, strategy_of
from workers.inventory.locations import LOCATIONS_MAX, Location, Locations, locations_in

SKUS = ("A", "B", "C")
COUNTRIES = ("DE", "GB", "US")


def locations(count: int) -> Locations:
    return Locations(tuple(Location(f"l{number}", (COUNTRIES[number % 3],)) for number in range(count)))


@st.composite
def cases(draw: Any, most: int) -> Any:
    known = locations(draw(st.integers(1, most)))
    pieces = st.integers(0, 6)
    available = {name: {sku: draw(pieces) for sku in SKUS} for name in known.names}
    wanted = {sku: draw(st.integers(1, 9)) for sku in SKUS[: draw(st.integers(0, 3))]}
    return known, wanted, available, draw(st.sampled_from([None, *COUNTRIES]))


def total(goods: Any, sku: str) -> int:
    return sum(at.get(sku, 0) for at in goods.values())


@pytest.mark.parametrize("name", STRATEGIES)
@given(case=cases(LOCATIONS_MAX))
def test_no_strategy_takes_what_is_not_there_or_leaves_what_is(name: Any, case: Any) -> None:
    """What is held and missing is what was wanted; nothing is missing that a location still has; the same again gives the same."""
    known, wanted, available, destination = case
    plan = strategy_of(name, known)(wanted, available, destination)
    for location, goods in plan.held.items():
        assert goods
        assert all(0 < pieces <= available[location][sku] for sku, pieces in goods.items())
    for sku, pieces in wanted.items():
        assert total(plan.held, sku) == min(pieces, total(available, sku))
        assert plan.missing.get(sku, 0) == pieces - total(plan.held, sku)
    assert set(plan.missing) <= set(wanted)
    assert 0 not in plan.missing.values()
    assert plan == strategy_of(name, known)(wanted, available, destination)


@given(case=cases(EXACT_LOCATIONS_MAX))
def test_no_smaller_choice_of_locations_gives_as_much(case: Any) -> None:
    """Every choice is tried."""
    known, wanted, available, destination = case
    plan = fewest_parcels(known)(wanted, available, destination)
    all_there_is = sum(min(pieces, total(available, sku)) for sku, pieces in wanted.items())
    smallest = next(
        size
        for size in count(0)
        for chosen in combinations(known.names, size)
        if sum(min(pieces, sum(available[name][sku] for name in chosen)) for sku, pieces in wanted.items())
        == all_there_is
    )
    assert len(plan.held) == smallest


SPARED = {
    "l0": {"A": 3, "B": 2, "C": 2, "D": 1},
    "l1": {"B": 2, "C": 4, "D": 2, "E": 2},
    "l2": {"A": 2, "B": 3, "C": 1, "D": 1, "E": 1},
    "l3": {"A": 3, "C": 4, "E": 4},
    "l4": {"A": 3, "B": 3, "D": 3, "E": 2},
    "l5": {"B": 3, "C": 2, "D": 1, "E": 4},
}
"""One that gives most at first is not needed once the others are asked."""


@given(case=cases(LOCATIONS_MAX))
@example(case=(locations(6), {"A": 6, "B": 4, "C": 9, "D": 3, "E": 2}, SPARED, None))
def test_of_many_locations_none_is_used_that_could_be_spared(case: Any) -> None:
    """Also where not every choice is looked at."""
    known, wanted, available, destination = case
    with patch.object(allocation, "EXACT_LOCATIONS_MAX", 1):
        plan = fewest_parcels(known)(wanted, available, destination)
    held = sum(total(plan.held, sku) for sku in wanted)
    for spared in plan.held:
        others = {name: available[name] for name in plan.held if name != spared}
        assert sum(min(pieces, total(others, sku)) for sku, pieces in wanted.items()) < held


def test_the_near_location_is_asked_first_and_the_far_one_for_the_rest() -> None:
    """Nearest first makes two parcels of it, fewest parcels one from far away; of two that could, the nearer."""
    known = locations_in("main=GB, berlin=DE+AT, vienna=AT")
    available = {"main": {"A": 9}, "berlin": {"A": 2}, "vienna": {"A": 3}}
    near = nearest_first(known)
    assert near({"A": 5}, available, "AT").held == {"berlin": {"A": 2}, "vienna": {"A": 3}}
    assert near({"A": 5}, available, None).held == {"main": {"A": 5}}
    few = fewest_parcels(known)
    assert few({"A": 5}, available, "AT").held == {"main": {"A": 5}}
    assert few({"A": 2}, available, "AT").held == {"berlin": {"A": 2}}
    assert few({"A": 3}, available, "AT").held == {"vienna": {"A": 3}}
    assert few({"A": 2}, available, "GB").held == {"main": {"A": 2}}


def test_a_line_is_not_split_between_parcels_that_leave_anyway() -> None:
    """B lies at one of them only; A is sent whole with it or whole with the other."""
    available = {"l0": {"A": 1, "C": 1}, "l1": {"A": 2, "B": 1}}
    plan = fewest_parcels(locations(2))({"A": 2, "B": 1, "C": 1}, available, None)
    assert plan.held == {"l1": {"A": 2, "B": 1}, "l0": {"C": 1}}


@pytest.mark.parametrize(
    "text",
    ["", "Main", "main,main", "main=GBR", "main=", "main=gb", "a/b", "a b", ",".join(f"l{n}" for n in range(21))],
)
def test_locations_that_cannot_be_meant_are_refused(text: str) -> None:
    """A slash in a name would make one article's row another's."""
    with pytest.raises(ValueError, match=r"location|must be like"):
        locations_in(text)
