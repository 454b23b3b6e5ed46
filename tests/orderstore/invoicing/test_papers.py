"""What documents say: every field that VAT law asks for, and sums that add up as they are printed."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orderstore.domain import events as e
from orderstore.domain.parts import LineCancellation, Refund
from orderstore.domain.shares import amount_of, taken_out, taxes_due
from orderstore.domain.statuses import Placed
from orderstore.invoicing.amounts import exact_amount, percent, unit_price_without_tax, whole_amount
from orderstore.invoicing.paper import credit_note_paper, invoice_paper
from tests.builders import line, order_created
from tests.orderstore.invoicing.papers import (
    BUYER,
    LANTERNS,
    SELLER,
    credit_note,
    invoice_of,
    minor,
    order_of,
    paper,
    refund,
)


def test_an_invoice_has_every_field_that_the_directive_names() -> None:
    """Art. 226 of Directive 2006/112/EC, point by point."""
    order = replace(order_of(discounts={0: 30}, shipping=("4.95", "20")), reference="PO-7781")
    said = paper(order)
    assert (said.issued_on, said.number, said.supplied_on) == (
        "2026-03-03",
        "INV-GB-2026-000042",
        "2026-03-02",
    )  # 1, 2, 7
    assert said.seller.vat_id == "GB123456789"  # 3
    assert said.buyer is not None
    assert said.buyer.vat_id == "GB987654321"  # 4
    assert (said.seller.name, said.seller.address) == ("Acme Retail Ltd", ("1 High Street", "London N1 9GU"))  # 5
    assert (said.buyer.name, said.buyer.address) == (BUYER.name, BUYER.address)
    first, _, shipping = said.rows
    assert (first.quantity, first.description, first.sku) == ("6", LANTERNS[0][1], "85123A")  # 6
    assert (first.unit_price, first.discount, first.amount) == ("2.55", "\N{MINUS SIGN}0.30", "15.00")  # 8
    assert (first.rate, shipping.rate) == ("20%", "20%")  # 9
    assert [(rate.rate, rate.net, rate.tax) for rate in said.rates] == [
        ("0%", "18.00", "0.00"),
        ("20%", "19.95", "3.99"),
    ]
    assert (said.subtotals, said.total) == ((("net", "37.95"), ("tax", "3.99")), "41.94")  # 10
    assert (said.kind, said.corrects, said.order_reference, said.currency) == ("invoice", None, "PO-7781", "GBP")


def test_prices_that_hold_their_tax_are_printed_without_it() -> None:
    """Art. 226 (8): the unit price and the discount are exclusive of VAT, whatever the customer was shown."""
    order = order_of([("A", "A", 1, "12", "20"), ("B", "B", 3, "1", "19")], mode="inclusive", discounts={0: 120})
    one, three = paper(order).rows
    assert (one.unit_price, one.discount, one.amount) == ("10.00", "\N{MINUS SIGN}1.00", "9.00")
    assert (three.unit_price, three.discount, three.amount) == ("0.840336", "", "2.52")


@pytest.mark.parametrize(
    ("currency", "minor_units", "printed"),
    [
        ("JPY", 1_234_567, "1,234,567"),
        ("KWD", 1_234_567, "1,234.567"),
        ("GBP", 1_234_567, "12,345.67"),
        ("GBP", -5, "\N{MINUS SIGN}0.05"),
    ],
)
def test_amounts_have_the_digits_of_their_currency(currency: str, minor_units: int, printed: str) -> None:
    """None after the point in yen, three in dinars."""  # domain 5.5-13
    assert whole_amount(minor_units, currency) == printed
    assert exact_amount(Decimal("0.1234567"), currency) == "0.1234567"


def test_a_price_below_the_smallest_coin_and_its_rounding_are_both_shown() -> None:
    """An order without taxes: the exact sum of the lines, rounded once."""
    order = order_created((line("A", 3, "999"), line("B", 1, "0.5")), currency="JPY")
    said = invoice_paper(Placed(order=order), invoice_of(order), seller=SELLER, buyer=None)
    assert [row.amount for row in said.rows] == ["2,997", "0.5"]
    assert said.subtotals == (("sum", "2,997.5"), ("rounding", "0.5"))
    assert (said.total, said.taxed, said.rates, said.buyer) == ("2,998", False, (), None)
    assert percent(Decimal("8.1")) == "8.1%"
    assert unit_price_without_tax(Decimal("1.190"), Decimal(19), "inclusive", "EUR") == "1.00"


def test_a_credit_note_names_its_invoice_and_takes_back_what_its_pieces_cost() -> None:
    """Art. 219: specifically and unambiguously. The last piece takes the shipping with it."""
    order = order_of(shipping=("4.95", "20"))
    first = refund((0, 4))
    said = credit_note(order, first)
    assert said.corrects is not None
    assert (said.corrects.number, said.corrects.issued_on) == ("INV-GB-2026-000042", "2026-03-03")
    assert [(row.description, row.quantity, row.amount) for row in said.rows] == [(LANTERNS[0][1], "4", "10.20")]
    assert said.total == "12.24"
    rest = credit_note(order, refund((0, 2), (1, 1), refund_id="refund-2"), before=[first])
    assert [row.description for row in rest.rows] == [LANTERNS[0][1], LANTERNS[1][1], "Shipping"]
    assert minor(rest.total) + minor(said.total) == order.total_minor


def test_a_refund_of_no_pieces_in_particular_still_adds_up() -> None:
    """By rate, where there are rates."""
    order = order_of()
    for taxes in (None, (e.TaxAmount(rate_percent=Decimal(20), net_minor=100, tax_minor=20),)):
        note = e.CreditNoteIssued(
            series="CN-2026", number=1, credit_note_number="CN-2026-000001", invoice_number="INV-GB-2026-000042",
            refund_id="r", total_minor=120, currency="GBP", issued_at=invoice_of(order).issued_at, taxes=taxes,
        )  # fmt: skip
        said = credit_note_paper(order, note, invoice=invoice_of(order), before=(), seller=SELLER, buyer=None)
        assert [row.description for row in said.rows] == ["Refund"]
        assert (said.rows[0].amount, said.total) == ("1.20" if taxes is None else "1.00", "1.20")


_LINES = st.lists(
    st.tuples(
        st.integers(1, 50),
        st.decimals(0, 500, places=4),
        st.sampled_from(["0", "5", "8.1", "20"]),
    ),
    min_size=1,
    max_size=8,
)


@pytest.mark.thorough
@settings(max_examples=60, deadline=None)
@given(
    _LINES,
    st.sampled_from(["GBP", "JPY", "KWD"]),
    st.sampled_from(["inclusive", "exclusive"]),
    st.sampled_from(["line", "unit"]),
)
def test_what_is_printed_adds_up(asked: list, currency: str, mode: str, rounding: str) -> None:
    """Rows to rates, rates to totals, net and tax to the total; and an order that is credited piece by piece to nothing left."""
    lines = [
        (f"S{index}", f"line {index}", quantity, str(unit), rate) for index, (quantity, unit, rate) in enumerate(asked)
    ]
    order = order_of(lines, currency=currency, mode=mode, rounding=rounding, shipping=("4", "20"))
    said = paper(order)
    for rate in said.rates:
        assert sum(minor(row.amount) for row in said.rows if row.rate == rate.rate) == minor(rate.net)
    net, tax = (minor(amount) for _, amount in said.subtotals)
    assert net == sum(minor(rate.net) for rate in said.rates)
    assert tax == sum(minor(rate.tax) for rate in said.rates)
    assert net + tax == minor(said.total) == order.total_minor
    assert not [row for row in said.rows if row.description == "Adjustment"]

    quantities = [quantity for quantity, *_ in asked]
    cuts = [
        [(index, 1) for index, _ in enumerate(quantities)],
        [(index, 1) for index, quantity in enumerate(quantities) if quantity > 1],
        [(index, quantity - 2) for index, quantity in enumerate(quantities) if quantity > 2],
    ]
    refunds = [refund(*cut, refund_id=f"refund-{place}") for place, cut in enumerate(cuts) if cut]
    credited = [credit_note(order, one, before=refunds[:place]) for place, one in enumerate(refunds)]
    assert sum(minor(note.total) for note in credited) == order.total_minor
    assert not [row for note in credited for row in note.rows if row.description == "Adjustment"]


@pytest.mark.thorough
@settings(max_examples=40, deadline=None)
@given(_LINES, st.sampled_from(["GBP", "JPY"]), st.sampled_from(["inclusive", "exclusive"]), st.data())
def test_what_was_cancelled_is_on_no_invoice(asked: list, currency: str, mode: str, data: st.DataObject) -> None:
    """Pieces that were cancelled, also between refunds: the rows are what is left, and add up to the invoice's own taxes."""
    lines = [
        (f"S{index}", f"line {index}", quantity, str(unit), rate) for index, (quantity, unit, rate) in enumerate(asked)
    ]
    order = order_of(lines, currency=currency, mode=mode, shipping=("4", "20"))
    left = [quantity for quantity, *_ in asked]
    state = Placed(order=order)
    for number in range(3):
        cut = []
        for index, most in enumerate(left):
            count = data.draw(st.integers(0, most))
            left[index] -= count
            cut += [(index, count)] if count else []
        state = without(state, cut, number, refunded=data.draw(st.booleans()))
    if sum(left) == 0 and not any(part.lines for part in state.payment.refunds):
        return  # nothing is left: no invoice
    due = replace(order, total_minor=sum(rate.net_minor + rate.tax_minor for rate in taxes_due(state) or ()))
    invoice = replace(invoice_of(due), taxes=taxes_due(state))
    said = invoice_paper(state, invoice, seller=SELLER, buyer=None)
    for rate in said.rates:
        assert sum(minor(row.amount) for row in said.rows if row.rate == rate.rate) == minor(rate.net)
    assert not [row for row in said.rows if row.description == "Adjustment"]


def without(state: Placed, cut: list[tuple[int, int]], number: int, *, refunded: bool) -> Placed:
    """The order once these pieces were given back, or cancelled."""
    pieces = tuple(e.Pieces(line=index, quantity=count) for index, count in cut)
    if not pieces:
        return state
    if refunded:
        one = Refund(refund_id=f"r-{number}", amount_minor=1, lines=pieces, after=len(state.cancelled))
        return replace(state, payment=replace(state.payment, refunds=(*state.payment.refunds, one)))
    after = len(state.payment.refunds)
    amount_minor = amount_of(state.order, taken_out(state), pieces)
    part = LineCancellation(
        cancellation_id=f"c-{number}", lines=pieces, priced=pieces, amount_minor=amount_minor, after=after
    )
    return replace(state, cancelled=(*state.cancelled, part))
