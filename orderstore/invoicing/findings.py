"""What can be wrong with invoices and credit notes. Published names: a report says them, and alarms are built on them."""

from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal[
    "number_missing",
    "number_twice",
    "counter_behind",
    "no_trigger",
    "invoiced_twice",
    "not_invoiced",
    "not_credited",
    "wrong_total",
    "wrong_taxes",
    "credit_above_invoice",
    "sums_differ",
    "not_stored",
    "document_missing",
    "document_changed",
    "unreadable_order",
]

MEANINGS: Final[dict[Kind, str]] = {
    "number_missing": "the series has a gap: the number was taken, and no order has its document",
    "number_twice": "two documents have this number",
    "counter_behind": "the series' counter is below a number that is used: the next document would be the second with its number",
    "no_trigger": "the invoice stands before anything that asks for one: no goods had left",
    "invoiced_twice": "the order has an invoice already",
    "not_invoiced": "the goods have left, and there is no invoice",
    "not_credited": "money was given back of an invoiced order, and no credit note says so",
    "wrong_total": "the invoice's total is not the order's",
    "wrong_taxes": "net and tax of its rates do not add up to the document's total",
    "credit_above_invoice": "more is credited than was invoiced",
    "sums_differ": "captured less refunded is not invoiced less credited",
    "not_stored": "the document was issued, and no page of it is stored",
    "document_missing": "the log says that the document is stored, and it is not there",
    "document_changed": "the stored document is not what the log says was stored",
    "unreadable_order": "the order's log cannot be read: orderstore audit verify says why",
}
"""Each kind, in a sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """`where` is the order, or the series; `about` the document's number, or what is missing."""

    kind: Kind
    where: str
    about: str

    def __str__(self) -> str:
        return f"{self.where}  {self.kind}  {self.about}: {MEANINGS[self.kind]}"
