"""What an erasure would meet: a customer's orders, what of them is still open, and what stands in them that is personal."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

from orderstore.domain.events import CreditNoteIssued, InvoiceIssued
from orderstore.domain.ids import stream_of
from orderstore.domain.state import Cancelling, Confirmed, InFulfilment, Received
from orderstore.history import History
from orderstore.orders import Orders, placed
from orderstore.privacy.contents import personal_in
from orderstore.privacy.subjects import operational_subject


class NotTheirOrder(Exception):
    """An order that was named is another customer's, or no guest's. The run changed nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SurveyedOrder:
    """One order, as far as an erasure is concerned."""

    order_id: str
    stream: str
    open: bool
    """Something is still to be done for the customer: a mail could not be sent any more, or an invoice would name no buyer."""
    sealed_texts: int
    """Under the key that is to be destroyed."""
    plain_versions: tuple[int, ...]
    """Events of version 1 in which a person's words stand in the clear, for ever: the chain of hashes is over them."""
    invoices: tuple[tuple[str, str], ...]
    """Invoices and credit notes that name their buyer: (fiscal subject, the document's number)."""


async def survey_order(orders: Orders, order_id: str, *, subject: str) -> SurveyedOrder:
    """Look at one order of the subject. Raises NotTheirOrder, UnknownOrder, StoreError, CodecError."""
    history = await orders.load(order_id)
    order = placed(history).order
    if operational_subject(order.customer_id, order.order_id) != subject:
        raise NotTheirOrder(f"order {order_id} does not belong to {subject}; this run changed nothing")
    personal = tuple(personal_in(history))
    return SurveyedOrder(
        order_id=order_id,
        stream=history.stream,
        open=_is_open(history),
        sealed_texts=sum(1 for found in personal if found.sealed is not None and found.sealed.subject == subject),
        plain_versions=tuple(found.version for found in personal if found.sealed is None),
        invoices=tuple(_naming_their_buyer(history)),
    )


async def orders_by_scan(orders: Orders, streams: AsyncIterator[str], *, tenant: str, subject: str) -> tuple[str, ...]:
    """The ids of the subject's orders, found by reading the whole log: what the view's index would tell, without trusting the view."""
    prefix = stream_of(tenant, "")
    found = set()
    async for stream in streams:
        if not stream.startswith(prefix):
            continue
        order = placed(await orders.load(stream.removeprefix(prefix))).order
        if operational_subject(order.customer_id, order.order_id) == subject:
            found.add(order.order_id)
    return tuple(sorted(found))


def _naming_their_buyer(history: History) -> Iterator[tuple[str, str]]:
    for recorded in history.events:
        match recorded.event:
            case InvoiceIssued(buyer=buyer, invoice_number=number) if buyer is not None:
                yield buyer.subject, number
            case CreditNoteIssued(buyer=buyer, credit_note_number=number) if buyer is not None:
                yield buyer.subject, number
            case _:
                continue


def _is_open(history: History) -> bool:
    state = placed(history)
    return isinstance(state, Received | Confirmed | InFulfilment | Cancelling) or bool(state.payment.refunds_pending)
