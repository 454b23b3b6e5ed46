"""Tax, discounts and shares: whatever is cut in whatever way, the parts add up to the last minor unit."""

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderstore.domain.money import exponent, round_to_minor
from orderstore.domain.price_facts import TaxAmount
from orderstore.domain.pricing import (
    Asked,
    DiscountTooLarge,
    allocate,
    gross_minor,
    price,
    share_of_pieces,
    taxes_of,
    taxes_of_pieces,
)

RATES = ("0", "5", "7", "19", "20", "25.5", "8.1", "33.3333")
CURRENCIES = ("JPY", "USD", "KWD")
prices = st.decimals(min_value=0, max_value=10_000, places=4)
asked = st.builds(
    Asked,
    quantity=st.integers(1, 500),
    unit_price=prices,
    tax_rate_percent=st.sampled_from(RATES).map(Decimal),
)
orders = st.fixed_dictionaries(
    {
        "lines": st.lists(asked, min_size=1, max_size=12),
        "currency": st.sampled_from(CURRENCIES),
        "tax_mode": st.sampled_from(["inclusive", "exclusive"]),
        "tax_rounding": st.sampled_from(["line", "unit"]),
        "shipping": st.none() | asked,
    }
)


def one(quantity: int, unit_price: str, rate: str, **changes) -> Asked:
    return Asked(quantity=quantity, unit_price=Decimal(unit_price), tax_rate_percent=Decimal(rate), **changes)


def half_even(exact: Fraction) -> int:
    return round(exact)  # Python rounds a Fraction half to even


@pytest.mark.parametrize(("tax_rounding", "gross"), [("line", 386), ("unit", 387)])
def test_the_level_of_rounding_is_the_customer_s_choice(tax_rounding, gross) -> None:
    """commercetools' example: 1.08 x 3 at 19 % is 3.86 by the line, 3.87 by the unit."""  # domain.md 3
    priced = price([one(3, "1.08", "19")], currency="EUR", tax_mode="exclusive", tax_rounding=tax_rounding)

    assert gross_minor(priced) == gross


def test_a_tax_that_is_in_the_price_is_taken_out_of_it() -> None:
    """119.00 with 19 % in it is 100.00 and 19.00; on top it is 119.00 and 22.61."""
    inside = price([one(1, "119.00", "19")], currency="EUR", tax_mode="inclusive", tax_rounding="line")
    on_top = price([one(1, "119.00", "19")], currency="EUR", tax_mode="exclusive", tax_rounding="line")

    assert taxes_of(inside) == (TaxAmount(rate_percent=Decimal(19), net_minor=10_000, tax_minor=1_900),)
    assert taxes_of(on_top) == (TaxAmount(rate_percent=Decimal(19), net_minor=11_900, tax_minor=2_261),)


@pytest.mark.parametrize(("currency", "gross"), [("JPY", 119), ("USD", 11_900), ("KWD", 119_000)])
def test_minor_units_are_the_currency_s_own(currency: str, gross: int) -> None:
    """JPY has no digits after the point, KWD three."""  # domain 5.5-13
    priced = price([one(1, "100", "19")], currency=currency, tax_mode="exclusive", tax_rounding="line")

    assert gross_minor(priced) == gross


@pytest.mark.parametrize(("minor", "tax"), [("0.50", 2), ("1.50", 8), ("2.50", 12), ("3.50", 18)])
def test_half_a_minor_unit_goes_to_the_even_one(minor: str, tax: int) -> None:
    """5 % of 0.50 is 2.5 pence: 2; of 1.50 is 7.5: 8. As banks round."""
    priced = price([one(1, minor, "5")], currency="GBP", tax_mode="exclusive", tax_rounding="line")

    assert priced.lines[0].tax_minor == tax


@given(orders)
def test_every_total_is_the_sum_of_its_lines_and_of_its_rates(order) -> None:
    """gross = net + tax on each line, each rate and the whole (EN 16931, BR-CO-15)."""
    priced = price(**order)
    lines = (*priced.lines, *([priced.shipping] if priced.shipping else []))

    assert gross_minor(priced) == sum(line.net_minor + line.tax_minor for line in lines)
    assert gross_minor(priced) == sum(rate.net_minor + rate.tax_minor for rate in taxes_of(priced))
    assert all(line.net_minor >= 0 and line.tax_minor >= 0 for line in lines)


@given(orders)
def test_tax_at_line_level_is_the_exact_tax_rounded_once(order) -> None:
    """Held to fractions, which round nothing on the way."""
    order["tax_rounding"] = "line"
    priced = price(**order)

    for line, told in zip(order["lines"], priced.lines, strict=True):
        amount = round_to_minor(line.quantity * line.unit_price, order["currency"])
        rate = Fraction(line.tax_rate_percent) / 100
        exact = amount * rate / (1 + rate) if order["tax_mode"] == "inclusive" else amount * rate
        assert told.tax_minor == half_even(exact)
        assert told.net_minor == (amount - told.tax_minor if order["tax_mode"] == "inclusive" else amount)


@given(orders)
def test_the_tax_of_so_many_pieces_at_unit_level_is_so_many_times_that_of_one(order) -> None:
    """Without a discount: what a customer can check by hand."""
    order["tax_rounding"] = "unit"
    single = [
        Asked(quantity=1, unit_price=line.unit_price, tax_rate_percent=line.tax_rate_percent) for line in order["lines"]
    ]

    for line, many, each in zip(
        order["lines"], price(**order).lines, price(**{**order, "lines": single}).lines, strict=True
    ):
        assert (many.net_minor, many.tax_minor) == (line.quantity * each.net_minor, line.quantity * each.tax_minor)


@given(orders, st.integers(0, 10**9), st.data())
def test_discounts_are_shared_to_the_last_unit_and_no_line_falls_below_nothing(order, wish: int, data) -> None:
    """The lines' own and the order's: what the lines hold of it is what was given."""
    own = data.draw(st.lists(st.integers(0, 300), min_size=len(order["lines"]), max_size=len(order["lines"])))
    undiscounted = price(**{**order, "tax_mode": "exclusive"})
    order["lines"] = [
        replace(line, discount_minor=min(off, whole.net_minor))
        for line, whole, off in zip(order["lines"], undiscounted.lines, own, strict=True)
    ]
    before = price(**{**order, "tax_mode": "exclusive"})
    left = sum(line.net_minor for line in before.lines)
    discount = wish % (left + 1)

    priced = price(**order, discount_minor=discount)

    assert sum(line.discount_minor for line in priced.lines) == discount + sum(
        line.discount_minor for line in order["lines"]
    )
    assert all(line.net_minor >= 0 for line in priced.lines)
    with pytest.raises(DiscountTooLarge):
        price(**order, discount_minor=left + 1)


def test_a_discount_that_is_larger_than_its_line_is_refused() -> None:
    """By name: nothing is silently cut to nought."""  # domain 5.5-13
    with pytest.raises(DiscountTooLarge, match="line 1 comes to 200"):
        price(
            [one(1, "5", "0"), one(2, "1", "0", discount_minor=201)],
            currency="USD",
            tax_mode="inclusive",
            tax_rounding="line",
        )
    with pytest.raises(DiscountTooLarge, match="shipping"):
        price(
            [one(1, "5", "0")],
            currency="USD",
            tax_mode="inclusive",
            tax_rounding="line",
            shipping=one(1, "1", "0", discount_minor=101),
        )


def test_a_hundred_into_three_is_34_33_33() -> None:
    """The largest remainder first, and of equal ones the earliest line."""  # domain 5.5-13, defect 8-11
    assert allocate(100, (1, 1, 1)) == (34, 33, 33)
    assert allocate(100, (1, 1, 2)) == (25, 25, 50)
    assert allocate(1, (0, 3, 3)) == (0, 1, 0)
    assert allocate(0, (0, 0)) == (0, 0)
    with pytest.raises(ValueError, match="nothing to share 1 by"):
        allocate(1, (0, 0))
    with pytest.raises(ValueError, match="not negative"):
        allocate(-1, (1,))


@given(st.integers(0, 10**12), st.lists(st.integers(0, 10**9), min_size=1, max_size=40).filter(any))
def test_shares_add_up_and_are_within_a_unit_of_the_exact_ones(amount: int, weights: list[int]) -> None:
    """And who has no weight has no share."""
    shares = allocate(amount, weights)

    assert sum(shares) == amount
    for share, weight in zip(shares, weights, strict=True):
        assert abs(share - Fraction(amount * weight, sum(weights))) < 1
        assert weight or not share


@given(st.integers(0, 10**9), st.lists(st.integers(1, 50), min_size=1, max_size=12))
def test_a_line_that_goes_back_in_pieces_goes_back_whole(amount: int, cuts: list[int]) -> None:
    """However its pieces are cut: no unit is lost, and none is given twice."""
    before, shares = 0, []
    for count in cuts:
        shares.append(share_of_pieces(amount, pieces=sum(cuts), before=before, count=count))
        before += count

    assert sum(shares) == amount
    assert min(shares) >= 0


@pytest.mark.thorough
@given(orders, st.data())
def test_what_goes_back_piece_by_piece_is_the_whole_order_by_every_rate(order, data) -> None:
    """Net and tax of each rate, shipping with the last piece."""
    priced = price(**order)
    quantities = [line.quantity for line in order["lines"]]
    before = [0] * len(quantities)
    given_back: dict[Decimal, tuple[int, int]] = {}
    while before != quantities:
        counts = [data.draw(st.integers(0, pieces - had)) for pieces, had in zip(quantities, before, strict=True)]
        if not any(counts):
            counts = [pieces - had for pieces, had in zip(quantities, before, strict=True)]
        for part in taxes_of_pieces(priced, quantities, before, counts):
            net, tax = given_back.get(part.rate_percent, (0, 0))
            given_back[part.rate_percent] = (net + part.net_minor, tax + part.tax_minor)
        before = [had + count for had, count in zip(before, counts, strict=True)]

    whole = {rate.rate_percent: (rate.net_minor, rate.tax_minor) for rate in taxes_of(priced)}
    assert given_back == whole


def test_every_currency_has_its_digits() -> None:
    """ISO 4217."""
    assert [exponent(currency) for currency in CURRENCIES] == [0, 2, 3]
