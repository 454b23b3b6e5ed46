"""Taxes and discounts at the door: what is asked for, what is refused, and what of it reaches invoices and credit notes."""

from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from pydantic import ValidationError

from orderstore.asked import request_hash
from orderstore.asked_prices import TAX_RATES_MAX, pricing_of, total_of
from orderstore.domain import billing, decisions
from orderstore.domain import events as e
from orderstore.domain.pricing import gross_minor
from orderstore.domain.state import State, fold
from orderstore.recorded import Actor
from orderstore.requests import PlaceOrder
from orderstore.store.memory import MemoryEventStore
from tests.builders import BOOKED, DISPATCHED, NOON, RESERVED
from tests.ordering import orders_over

CUSTOMER = Actor("customer", "c-1")

BEFORE_TAXES = "0a559b6bc376a76c544af33393c418824d87fd801ea407a520a48a2bc375beab"
LAPTOP = {"sku": "LAPTOP-001", "quantity": 1, "price": "850"}
MICE = {"sku": "MOUSE-002", "quantity": 2, "price": "25.00"}
TAXED = {
    "items": [{**LAPTOP, "taxRatePercent": 19, "discount": "50"}, {**MICE, "taxRatePercent": "7"}],
    "taxMode": "exclusive",
    "discount": "8.50",
    "shipping": {"price": "4.90", "taxRatePercent": "19.0"},
}


def asked(**changes: Any) -> PlaceOrder:
    return PlaceOrder.model_validate({"items": [LAPTOP, MICE], "currency": "USD", "customerId": "c-1", **changes})


def test_an_order_without_taxes_costs_what_it_always_did() -> None:
    """No pricing is kept, the total is the exact sum, and its hash is that of the builds before: a repeat still meets its order."""
    assert pricing_of(asked()) is None
    assert total_of(asked(), pricing_of(asked())) == (Decimal("900.00"), 90_000)
    assert request_hash(asked()) == BEFORE_TAXES


def test_tax_on_top_discounts_and_shipping_make_the_total() -> None:
    """800 - 8 at 19 %, 50 - 0.50 at 7 %, 4.90 at 19 %: by the line, half to even."""
    priced = pricing_of(asked(**TAXED))

    assert priced is not None
    assert [(line.net_minor, line.tax_minor, line.discount_minor) for line in priced.lines] == [
        (79_200, 15_048, 5_800),
        (4_950, 346, 50),
    ]
    assert priced.shipping is not None
    assert (priced.shipping.net_minor, priced.shipping.tax_minor) == (490, 93)
    assert total_of(asked(**TAXED), pricing_of(asked(**TAXED))) == (Decimal("1001.27"), 100_127)
    assert gross_minor(priced) == 100_127


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"discount": "900.01"}, "the order's discount to 90001"),
        ({"items": [{**MICE, "discount": "50.01"}]}, "line 0 comes to 5000"),
        ({"discount": "0.005"}, "not a whole number of its smallest units"),
        ({"currency": "JPY", "discount": "0.5"}, "not a whole number of its smallest units"),
        ({"items": [{**LAPTOP, "taxRatePercent": 101}]}, "between 0 and 100"),
        ({"items": [{**LAPTOP, "taxRatePercent": -1}]}, "between 0 and 100"),
        ({"items": [{**LAPTOP, "taxRatePercent": "19.00001"}]}, "at most 4 digits"),
        ({"taxMode": "both"}, "inclusive"),
        ({"discount": "900"}, "between one minor unit and"),
        ({"total": "900", "shipping": {"price": 1}}, "901"),
    ],
)
def test_what_does_not_add_up_is_refused_in_words(changes: dict[str, Any], words: str) -> None:
    """Before anything is stored; no discount is silently cut."""  # domain 5.5-13
    with pytest.raises(ValidationError, match=words):
        asked(**changes)


def test_an_order_has_so_many_tax_rates_and_no_more() -> None:
    """Each document lists them all, so there is a bound; one rate in several spellings is one, and shipping's counts too."""
    rates = [f"{rate}.0" for rate in range(TAX_RATES_MAX - 1)] + ["0", "1.00"]
    items = [{**LAPTOP, "taxRatePercent": rate} for rate in rates]
    assert asked(items=items, shipping={"price": 1, "taxRatePercent": 99}).shipping is not None

    with pytest.raises(ValidationError, match=f"at most {TAX_RATES_MAX} different tax rates, not {TAX_RATES_MAX + 1}"):
        asked(items=[*items, {**LAPTOP, "taxRatePercent": 98}], shipping={"price": 1, "taxRatePercent": 99})


def test_the_client_s_total_is_compared_with_what_is_payable() -> None:
    """With taxes and discounts in it."""  # E007
    assert asked(**TAXED, total="1001.27").total == Decimal("1001.27")


def test_another_tax_is_another_request_and_another_spelling_is_not() -> None:
    """A repeat under the same key meets its order, or is refused."""
    assert request_hash(asked(**TAXED)) == request_hash(asked(**{**TAXED, "discount": (8.5).__str__() + "0"}))
    assert request_hash(asked(**TAXED)) != request_hash(asked(**{**TAXED, "taxMode": "inclusive"}))
    assert request_hash(asked(**TAXED)) != request_hash(asked(**{**TAXED, "shipping": {"price": "4.90"}}))


async def test_the_order_keeps_its_prices_and_its_documents_take_them_from_it() -> None:
    """From the door to the credit notes: invoice and refunds add up to the last cent, by every rate."""
    accepted = await orders_over(MemoryEventStore()).place(asked(**TAXED), actor=CUSTOMER, idempotency_key=None)
    state: State = accepted.history.state
    created = accepted.history.events[0].event
    assert isinstance(created, e.OrderCreated)
    assert created.pricing is not None
    paid = e.PaymentCompleted(attempt=1, mode="captured", amount_minor=created.total_minor, provider_reference="ch")
    state = fold(state, (paid, RESERVED, e.OrderConfirmed(), BOOKED, DISPATCHED))
    [invoice] = billing.issue_invoice(state, series="INV-2026", number=1, issued_at=NOON, supplied_at=NOON)
    assert isinstance(invoice, e.InvoiceIssued)
    assert invoice.total_minor == 100_127
    assert invoice.taxes == (
        e.TaxAmount(rate_percent=Decimal(7), net_minor=4_950, tax_minor=346),
        e.TaxAmount(rate_percent=Decimal(19), net_minor=79_690, tax_minor=15_141),
    )
    state = fold(state, (invoice,))

    pieces = [(1, 1), (0, 1), (1, 1)]
    for number, (line, quantity) in enumerate(pieces):
        ask = partial(decisions.request_refund, lines=(e.Pieces(line=line, quantity=quantity),), reason=None)
        state = fold(state, ask(state, refund_id=f"r{number}"))
    refunds = state.payment.refunds
    assert [refund.amount_minor for refund in refunds] == [2_648, 94_248, 3_231]

    notes = []
    for refund in reversed(refunds):  # the last that was asked for is the first that is given back and credited
        given_back = e.RefundIssued(
            refund_id=refund.refund_id, amount_minor=refund.amount_minor, provider_reference="re"
        )
        state = fold(state, (given_back,))
        [note] = billing.issue_credit_note(
            state, refund_id=refund.refund_id, series="CN-2026", number=len(notes) + 1, issued_at=NOON
        )
        assert isinstance(note, e.CreditNoteIssued)
        assert note.total_minor == sum(tax.net_minor + tax.tax_minor for tax in note.taxes or ())
        state = fold(state, (note,))
        notes.append(note)

    for rate in invoice.taxes:
        parts = [tax for note in notes for tax in note.taxes or () if tax.rate_percent == rate.rate_percent]
        assert sum(part.net_minor for part in parts) == rate.net_minor
        assert sum(part.tax_minor for part in parts) == rate.tax_minor
    assert sum(note.total_minor for note in notes) == invoice.total_minor
