"""What one order's log says of its documents: their numbers, and what is wrong with them. Pure.

What is only late is no finding: billing has a grace from the event that asks for a document (`Grace`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from orderstore.domain import events as e
from orderstore.domain.billing import uncredited
from orderstore.domain.next_steps import IssueInvoice, billing_step
from orderstore.domain.state import NotPlaced, Order, PaymentStatus, State
from orderstore.invoicing.findings import Finding
from orderstore.recorded import Recorded


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """An invoice or a credit note, by its place in its series, and in the log: the order, and which of its events it is."""

    series: str
    number: int
    order: str
    version: int


@dataclass(frozen=True, slots=True)
class Grace:
    """What happened after this moment may still be without its document."""

    until: datetime


def documents_of(order: str, events: Sequence[Recorded]) -> Iterator[Document]:
    """Every number that the order's documents have taken, oldest first."""
    for recorded in events:
        if isinstance(recorded.event, e.InvoiceIssued | e.CreditNoteIssued):
            yield Document(
                series=recorded.event.series, number=recorded.event.number, order=order, version=recorded.version
            )


def examine(order: str, state: State, events: Sequence[Recorded], *, grace: Grace) -> Iterator[Finding]:
    """Everything that is wrong with the order's documents, its numbers' places in their series apart."""
    if isinstance(state, NotPlaced):
        return
    yield from _invoice(order, state, events)
    yield from _taxes(order, events)
    yield from _missing(order, state, events, grace)
    yield from _sums(order, state)


def _invoice(order: str, state: Order, events: Sequence[Recorded]) -> Iterator[Finding]:
    left, invoiced = False, False
    for recorded in events:
        if isinstance(recorded.event, e.ShipmentDispatched):
            left = True
        if isinstance(recorded.event, e.InvoiceIssued):
            if not left:
                yield Finding(kind="no_trigger", where=order, about=recorded.event.invoice_number)
            if invoiced:
                yield Finding(kind="invoiced_twice", where=order, about=recorded.event.invoice_number)
            invoiced = True
            if recorded.event.total_minor != state.due_minor:
                yield Finding(kind="wrong_total", where=order, about=recorded.event.invoice_number)


def _taxes(order: str, events: Sequence[Recorded]) -> Iterator[Finding]:
    for recorded in events:
        match recorded.event:
            case e.InvoiceIssued(taxes=taxes, total_minor=total, invoice_number=number):
                pass
            case e.CreditNoteIssued(taxes=taxes, total_minor=total, credit_note_number=number):
                pass
            case _:
                continue
        if taxes is not None and sum(rate.net_minor + rate.tax_minor for rate in taxes) != total:
            yield Finding(kind="wrong_taxes", where=order, about=number)


def _missing(order: str, state: Order, events: Sequence[Recorded], grace: Grace) -> Iterator[Finding]:
    if isinstance(billing_step(state), IssueInvoice) and _last(events, e.ShipmentDispatched) <= grace.until:
        yield Finding(kind="not_invoiced", where=order, about=_shipment(state))
    for refund in uncredited(state):
        issued = (past for past in events if isinstance(past.event, e.RefundIssued))
        at = next(past.occurred_at for past in issued if past.event.refund_id == refund.refund_id)  # type: ignore[union-attr]  # it is a RefundIssued
        if max(at, _last(events, e.InvoiceIssued)) <= grace.until:
            yield Finding(kind="not_credited", where=order, about=refund.refund_id)


def _sums(order: str, state: Order) -> Iterator[Finding]:
    """To the last minor unit, for an order whose money and documents have come to rest."""
    if state.invoice is None:
        return
    credited = sum(note.total_minor for note in state.credit_notes)
    if credited > state.invoice.total_minor:
        yield Finding(kind="credit_above_invoice", where=order, about=state.invoice.invoice_number)
        return
    payment = state.payment
    if payment.status is not PaymentStatus.CAPTURED or payment.refunds_pending or uncredited(state):
        return
    given = sum(refund.amount_minor for refund in payment.refunds if refund.issued)
    if payment.captured_minor - given != state.invoice.total_minor - credited:
        yield Finding(kind="sums_differ", where=order, about=state.invoice.invoice_number)


def _last(events: Sequence[Recorded], event: type[e.Event]) -> datetime:
    return max(recorded.occurred_at for recorded in events if isinstance(recorded.event, event))


def _shipment(state: Order) -> str:
    return state.shipments[-1].shipment_id if state.shipments else "its goods"
