"""What a document says, as texts that are ready to be set: no rendering reckons anything. Pure.

The fields are those of Art. 226 of Directive 2006/112/EC (in the United Kingdom: VATREC5010): number, date of issue and of supply, seller
and buyer, per line quantity, description, unit price without tax, discount and rate, per rate what is taxed and the tax. Dates are
those of UTC, as the years of the series are.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from orderstore.domain import events as e
from orderstore.domain.billing_facts import DocumentKind
from orderstore.domain.price_facts import PricedLine
from orderstore.domain.shares import Taken, pieces_in
from orderstore.domain.statuses import Placed
from orderstore.invoicing.amounts import (
    ZERO,
    Net,
    discount_without_tax,
    exact_amount,
    percent,
    unit_price_without_tax,
    whole_amount,
)
from orderstore.invoicing.parts import Part, due_of, is_all, part_of, takes_shipping
from orderstore.invoicing.sellers import Seller
from orderstore.privacy.buyers import Buyer


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line. What does not apply is empty."""

    description: str
    sku: str = ""
    quantity: str = ""
    unit_price: str = ""
    discount: str = ""
    rate: str = ""
    amount: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RateRow:
    """What is taxed at one rate, and the tax."""

    rate: str
    net: str
    tax: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """Who sells, or buys. What is not known, or does not apply, is empty."""

    name: str
    address: tuple[str, ...] = ()
    vat_id: str = ""
    registration: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """The invoice that a credit note takes something back of."""

    number: str
    issued_on: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """One document. Amounts are in `currency`, written out; `taxed` is false for an order that was placed without taxes."""

    kind: DocumentKind
    number: str
    issued_on: str
    supplied_on: str
    corrects: Reference | None
    order: str
    order_reference: str
    seller: Party
    buyer: Party | None
    currency: str
    tax_name: str
    taxed: bool
    discounted: bool
    rows: tuple[Row, ...]
    rates: tuple[RateRow, ...]
    subtotals: tuple[tuple[str, str], ...]
    total: str
    notes: tuple[str, ...]
    demonstration: bool


@dataclass(frozen=True, slots=True)
class _Charged:
    """A row with the numbers behind it."""

    row: Row
    net: Net


def invoice_paper(state: Placed, invoice: e.InvoiceIssued, *, seller: Seller, buyer: Buyer | None) -> Paper:
    """An invoice over everything that was ordered, but for the pieces that were cancelled."""
    parts = due_of(state)
    charged = [_charged(state.order, index, part) for index, part in enumerate(parts) if part.count]
    if not any(takes_shipping(state, at) for at in range(len(state.cancelled))):
        charged += _shipping(state.order)
    return _paper(
        state.order,
        invoice,
        charged,
        number=invoice.invoice_number,
        kind="invoice",
        on=invoice,
        seller=seller,
        buyer=buyer,
    )


def credit_note_paper(
    order: e.OrderCreated,
    note: e.CreditNoteIssued,
    *,
    invoice: e.InvoiceIssued,
    before: Sequence[Taken],
    seller: Seller,
    buyer: Buyer | None,
) -> Paper:
    """What a refund takes back of the invoice; `before` is what was taken out of the order's money when it was asked for."""
    gone = pieces_in(order, before)
    charged = []
    for piece in note.lines:
        charged.append(_charged(order, piece.line, part_of(order, piece.line, gone[piece.line], piece.quantity)))
        gone[piece.line] += piece.quantity
    if charged and is_all(order, gone):
        charged += _shipping(order)  # the last piece of the order takes the shipping with it
    return _paper(
        order, note, charged, number=note.credit_note_number, kind="credit_note", on=invoice, seller=seller, buyer=buyer
    )


def _charged(order: e.OrderCreated, index: int, part: Part) -> _Charged:
    line = order.lines[index]
    if order.pricing is None:
        return _row(order, line, part.count, Net.of(line.unit_price, part.count))
    rate = order.pricing.lines[index].tax_rate_percent
    net = Net(net_minor=part.net_minor, tax_minor=part.tax_minor, rate=rate, discount_minor=part.discount_minor)
    return _row(order, line, part.count, net)


def _row(order: e.OrderCreated, line: e.OrderLine, count: int, net: Net) -> _Charged:
    mode = None if order.pricing is None else order.pricing.tax_mode
    row = Row(
        description=line.description or line.sku,
        sku=line.sku if line.description else "",
        quantity=f"{count:,}",
        unit_price=unit_price_without_tax(line.unit_price, net.rate, mode, order.currency),
        discount=whole_amount(-net.discount_minor, order.currency) if net.discount_minor else "",
        rate="" if net.rate is None else percent(net.rate),
        amount=exact_amount(net.exact, order.currency)
        if net.rate is None
        else whole_amount(net.net_minor, order.currency),
    )
    return _Charged(row, net)


def _shipping(order: e.OrderCreated) -> list[_Charged]:
    priced: PricedLine | None = None if order.pricing is None else order.pricing.shipping
    if order.pricing is None or priced is None:
        return []
    discount = discount_without_tax(priced, order.pricing.tax_mode)
    row = Row(
        description="Shipping",
        quantity="1",
        unit_price=whole_amount(priced.net_minor + discount, order.currency),
        discount=whole_amount(-discount, order.currency) if discount else "",
        rate=percent(priced.tax_rate_percent),
        amount=whole_amount(priced.net_minor, order.currency),
    )
    net = Net(net_minor=priced.net_minor, tax_minor=priced.tax_minor, rate=priced.tax_rate_percent)
    return [_Charged(row, net)]


def _paper(
    order: e.OrderCreated,
    event: e.InvoiceIssued | e.CreditNoteIssued,
    charged: Sequence[_Charged],
    *,
    number: str,
    kind: DocumentKind,
    on: e.InvoiceIssued,
    seller: Seller,
    buyer: Buyer | None,
) -> Paper:
    rows = [*(entry.row for entry in charged), *_rest(event, charged)]
    return Paper(
        kind=kind,
        number=number,
        issued_on=_day(event.issued_at),
        supplied_on=_day(on.supplied_at),
        corrects=Reference(number=on.invoice_number, issued_on=_day(on.issued_at)) if kind == "credit_note" else None,
        order=order.order_id,
        order_reference=order.reference or "",
        seller=_seller(seller),
        buyer=None if buyer is None else _buyer(buyer),
        currency=event.currency,
        tax_name="Tax" if seller.vat_id is None else "VAT",
        taxed=event.taxes is not None,
        discounted=any(row.discount for row in rows),
        rows=tuple(rows),
        rates=tuple(
            RateRow(
                rate=percent(tax.rate_percent),
                net=whole_amount(tax.net_minor, event.currency),
                tax=whole_amount(tax.tax_minor, event.currency),
            )
            for tax in event.taxes or ()
        ),
        subtotals=_subtotals(event, charged),
        total=whole_amount(event.total_minor, event.currency),
        notes=() if seller.note is None else (seller.note,),
        demonstration=seller.demonstration,
    )


def _rest(event: e.InvoiceIssued | e.CreditNoteIssued, charged: Sequence[_Charged]) -> Iterator[Row]:
    """What the document's own sums hold beyond its pieces, such as a refund of no pieces in particular: so that they always add up."""
    if event.taxes is None:
        if not charged:
            yield Row(description="Refund", amount=whole_amount(event.total_minor, event.currency))
        return
    for tax in event.taxes:
        rest = tax.net_minor - sum(row.net.net_minor for row in charged if row.net.rate == tax.rate_percent)
        if rest:
            label = "Adjustment" if charged else "Refund"
            yield Row(description=label, rate=percent(tax.rate_percent), amount=whole_amount(rest, event.currency))


def _subtotals(event: e.InvoiceIssued | e.CreditNoteIssued, charged: Sequence[_Charged]) -> tuple[tuple[str, str], ...]:
    """What stands above the total: what it is made of, or how it was rounded."""
    if event.taxes is not None:
        net, tax = sum(rate.net_minor for rate in event.taxes), sum(rate.tax_minor for rate in event.taxes)
        return (("net", whole_amount(net, event.currency)), ("tax", whole_amount(tax, event.currency)))
    exact = sum((entry.net.exact for entry in charged), ZERO)
    rounding = Net.major(event.total_minor, event.currency) - exact
    if not charged or not rounding:
        return ()
    return (("sum", exact_amount(exact, event.currency)), ("rounding", exact_amount(rounding, event.currency)))


def _seller(seller: Seller) -> Party:
    return Party(
        name=seller.name,
        address=seller.address,
        vat_id=seller.vat_id or "",
        registration=seller.registration or "",
    )


def _buyer(buyer: Buyer) -> Party:
    return Party(name=buyer.name or "", address=buyer.address, vat_id=buyer.vat_id or "")


def _day(moment: datetime) -> str:
    return moment.astimezone(UTC).date().isoformat()
