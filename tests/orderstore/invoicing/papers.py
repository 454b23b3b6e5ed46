"""Orders with taxes, and their documents, for tests of what documents say."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from orderstore.domain import events as e
from orderstore.domain.parts import Refund
from orderstore.domain.pricing import Asked, gross_minor, price, taxes_of
from orderstore.domain.shares import refund_taxes
from orderstore.domain.statuses import Placed
from orderstore.invoicing.paper import Paper, credit_note_paper, invoice_paper
from orderstore.invoicing.sellers import Seller
from orderstore.privacy.buyers import Buyer
from tests.builders import order_created

SELLER = Seller(
    id="gb",
    name="Acme Retail Ltd",
    address=("1 High Street", "London N1 9GU"),
    vat_id="GB123456789",
    registration="Registered in England and Wales, no. 01234567",
)
BUYER = Buyer(name="Ada Lovelace", address=("12 St James's Square", "SW1Y 4JH London", "GB"), vat_id="GB987654321")
SUPPLIED = datetime(2026, 3, 2, 23, 59, tzinfo=UTC)
ISSUED = datetime(2026, 3, 3, 9, tzinfo=UTC)

Line = tuple[str, str, int, str, str]
"""SKU, description, quantity, unit price, tax rate."""
LANTERNS: tuple[Line, ...] = (
    ("85123A", "White hanging heart T-light holder", 6, "2.55", "20"),
    ("BOOK-9", "A short history of the number zero", 1, "18", "0"),
)


def order_of(lines: Sequence[Line] = LANTERNS, *, currency: str = "GBP", **asked: Any) -> e.OrderCreated:
    """`asked`: mode, rounding, discount, discounts (by line), shipping (price, rate)."""
    ordered = tuple(
        e.OrderLine(sku=sku, description=description, quantity=quantity, unit_price=Decimal(unit))
        for sku, description, quantity, unit, _ in lines
    )
    discounts = asked.get("discounts", {})
    shipping = asked.get("shipping")
    pricing = price(
        [
            Asked(
                quantity=line.quantity,
                unit_price=line.unit_price,
                tax_rate_percent=Decimal(rate),
                discount_minor=discounts.get(index, 0),
            )
            for index, (line, (*_, rate)) in enumerate(zip(ordered, lines, strict=True))
        ],
        currency=currency,
        tax_mode=asked.get("mode", "exclusive"),
        tax_rounding=asked.get("rounding", "line"),
        discount_minor=asked.get("discount", 0),
        shipping=None
        if shipping is None
        else Asked(quantity=1, unit_price=Decimal(shipping[0]), tax_rate_percent=Decimal(shipping[1])),
    )
    gross = gross_minor(pricing)
    return order_created(ordered, currency=currency, pricing=pricing, total_minor=gross, total_exact=Decimal(gross))


def invoice_of(order: e.OrderCreated, *, number: int = 42) -> e.InvoiceIssued:
    return e.InvoiceIssued(
        series="INV-GB-2026",
        number=number,
        invoice_number=f"INV-GB-2026-{number:06}",
        total_minor=order.total_minor,
        currency=order.currency,
        issued_at=ISSUED,
        supplied_at=SUPPLIED,
        taxes=None if order.pricing is None else taxes_of(order.pricing),
    )


def paper(order: e.OrderCreated | None = None, *, seller: Seller = SELLER, buyer: Buyer | None = BUYER) -> Paper:
    order = order or order_of()
    return invoice_paper(Placed(order=order), invoice_of(order), seller=seller, buyer=buyer)


def refund(*pieces: tuple[int, int], refund_id: str = "refund-1") -> Refund:
    lines = tuple(e.Pieces(line=line, quantity=quantity) for line, quantity in pieces)
    return Refund(refund_id=refund_id, amount_minor=0, lines=lines, issued=True)


def credit_note(order: e.OrderCreated, wanted: Refund, *, before: Sequence[Refund] = (), number: int = 3) -> Paper:
    taxes = refund_taxes(order, before, wanted.lines)
    note = e.CreditNoteIssued(
        series="CN-GB-2026",
        number=number,
        credit_note_number=f"CN-GB-2026-{number:06}",
        invoice_number="INV-GB-2026-000042",
        refund_id=wanted.refund_id,
        total_minor=sum(rate.net_minor + rate.tax_minor for rate in taxes or ()),
        currency=order.currency,
        issued_at=datetime(2026, 4, 3, 9, tzinfo=UTC),
        lines=wanted.lines,
        taxes=taxes,
    )
    return credit_note_paper(order, note, invoice=invoice_of(order), before=before, seller=SELLER, buyer=BUYER)


def minor(text: str) -> int:
    """A printed amount, back in minor units: the digits."""
    digits = text.replace("\N{MINUS SIGN}", "-").replace(",", "").replace(".", "")
    return int(digits or 0)
