"""Shares of shards, searched whole: nobody starves, no shard stays unread while somebody is free, and the sharing comes to rest."""

from dataclasses import replace

import pytest

from projections.stream.balance import shares_to_give_up, shares_to_take
from tests.projections.stream.share_model import Shares, ends

TWO = Shares(shards=2, workers=2, deaths=1)


@pytest.mark.parametrize(
    ("shares", "states_min"),
    [
        pytest.param(TWO, 100, id="two shards, two workers, a death"),
        pytest.param(replace(TWO, shards=1), 50, id="one shard, two workers, a death"),
        pytest.param(replace(TWO, shards=3, deaths=0), 100, id="three shards, two workers"),
        pytest.param(replace(TWO, shards=3, maximum=1), 50, id="more shards than the workers may have"),
        pytest.param(replace(TWO, shards=5), 300, id="five shards, a death"),
        pytest.param(Shares(shards=2, workers=3), 1_000, id="three workers, two shards"),
        pytest.param(Shares(shards=4, workers=3), 1_000, id="three workers, four shards", marks=pytest.mark.thorough),
        pytest.param(
            Shares(shards=3, workers=3, deaths=1), 10_000, id="three workers, a death", marks=pytest.mark.long
        ),
        pytest.param(Shares(shards=5, workers=3), 10_000, id="three workers, five shards", marks=pytest.mark.long),
        pytest.param(Shares(shards=4, workers=3, maximum=1), 1_000, id="too many shards", marks=pytest.mark.long),
    ],
)
def test_fair_workers_come_to_even_shares_and_stay_there(shares: Shares, states_min: int) -> None:
    """Wherever joins, deaths and stale looks have led."""
    found = ends(shares, states_max=2_000_000)
    print(f"{found.states} states")  # noqa: T201 - shown when it fails
    assert found.bad is None
    assert found.states >= states_min


def all_that_is_free(*, held, me, readable, maximum) -> int:
    return max(0, min(readable, maximum) - held[me])


def nothing_given(**_) -> int:
    return 0


def down_to_the_floor(*, held, me, readable, free) -> int:
    return max(0, held[me] - readable // len(held))


def no_more_than_the_floor(*, held, me, readable, maximum) -> int:
    return max(0, min(readable // len(held), maximum) - held[me])


def to_whoever_has_less(*, held, me, readable, free) -> int:
    """Everybody with more than the least gives one up, though its own share is even."""
    return 1 if held[me] > min(held.values()) else 0


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(replace(TWO, take=all_that_is_free, give_up=nothing_given), id="first come, first served"),
        pytest.param(replace(TWO, give_up=nothing_given), id="nobody gives anything up"),
        pytest.param(replace(TWO, shards=3, deaths=0, give_up=down_to_the_floor), id="down to the floor"),
        pytest.param(replace(TWO, shards=3, take=no_more_than_the_floor), id="a rest that nobody takes"),
        pytest.param(replace(TWO, shards=3, deaths=0, give_up=to_whoever_has_less), id="to whoever has less"),
        pytest.param(replace(TWO, sees_presence=False), id="who owns nothing is not seen"),
    ],
)
def test_the_search_finds_shares_that_were_broken_on_purpose(broken: Shares) -> None:
    """Somebody starves, a shard lies idle, or shards go round for ever."""
    assert ends(broken, states_max=2_000_000).bad is not None


def test_the_rules_that_are_searched_are_the_product_s() -> None:
    """Not copies of them."""
    assert (TWO.take, TWO.give_up) == (shares_to_take, shares_to_give_up)
