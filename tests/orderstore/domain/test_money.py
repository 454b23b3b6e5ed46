"""Money is exact: minor units, decimals, half-even, every exponent."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderstore.domain.money import exact_sum, major, round_to_minor


def test_the_article_s_order_costs_900_dollars() -> None:
    """LAPTOP-001 x 1 at 850 and MOUSE-002 x 2 at 25."""  # E039, K2
    total = exact_sum([(1, Decimal(850)), (2, Decimal(25))])

    assert round_to_minor(total, "USD") == 90_000
    assert major(90_000, "USD") == "900.00"


@pytest.mark.parametrize(
    ("currency", "amount", "minor", "written"),
    [
        ("JPY", "900", 900, "900"),
        ("KWD", "1.234", 1_234, "1.234"),
        ("GBP", "0.005", 0, "0.00"),
        ("GBP", "0.015", 2, "0.02"),
    ],
)
def test_each_currency_has_its_own_smallest_unit(currency: str, amount: str, minor: int, written: str) -> None:
    """No digits for yen, three for dinars, half to even for pennies."""
    assert round_to_minor(Decimal(amount), currency) == minor
    assert major(minor, currency) == written


@given(st.lists(st.tuples(st.integers(1, 10**6), st.decimals(0, 10**7, places=6)), max_size=200))
def test_a_sum_is_exact_and_knows_no_order(lines) -> None:
    """Whatever the digits: the sum equals the sum in integers, forwards and backwards."""
    in_millionths = sum(quantity * int(price.scaleb(6)) for quantity, price in lines)

    assert exact_sum(lines) == exact_sum(lines[::-1]) == Decimal(in_millionths).scaleb(-6)
