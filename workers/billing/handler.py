"""The billing worker's handler. A number is taken in the transaction that records its document, so none is ever lost; what the document
looks like is drawn and stored after that.

Documents name their buyer, sealed so that an erasure leaves them what the law demands; see `orderstore/privacy/buyers.py`.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Final, assert_never

import anyio

from orderstore.domain import billing
from orderstore.domain.events import CreditNoteIssued, Event, InvoiceIssued, RefundIssued, ShipmentDispatched
from orderstore.domain.next_steps import IssueCreditNote, IssueInvoice, StoreDocument, billing_step
from orderstore.domain.state import State
from orderstore.history import History
from orderstore.invoicing.drawing import Drawing, document_of
from orderstore.orders import Orders, placed
from orderstore.privacy.buyers import seal_buyer, seal_buyer_again
from orderstore.privacy.keys import KeyErased
from orderstore.recorded import Cause
from workers.envelope import Envelope
from workers.observe import WorkerObserver
from workers.reaction import OutOfStep, Reaction
from workers.runtime.outcome import Outcome

# One lock per series that this process has met: each of the sellers' series, a year.
SERIES_MAX: Final = 1_024


class BillingHandler(Reaction):
    """Issues invoices in the series of their seller and channel, and of the year of supply; credit notes in that of the seller of their
    invoice, and of the year of issue; both in UTC. `now_ms` is the wall clock in milliseconds since 1970."""

    def __init__(
        self,
        orders: Orders,
        *,
        drawing: Drawing,
        now_ms: Callable[[], int],
        sandbox: bool,
        observer: WorkerObserver | None = None,
    ) -> None:
        super().__init__(orders, worker="billing", sandbox=sandbox, observer=observer)
        self._drawing = drawing
        self._vault = drawing.vault
        self._sellers = drawing.sellers
        self._now_ms = now_ms
        self._locks: dict[str, anyio.Lock] = {}

    async def catch_up(self, order_id: str) -> int:
        """Store the drawings that an order's documents lack, such as those of before documents were drawn; how many documents that were.

        Raises UnknownOrder, StoreError, UnknownSeries, KeyUnusable, DocumentChanged.
        """
        history, stored = await self._orders.load(order_id), 0
        while (
            isinstance(billing_step(history.state), StoreDocument) and (grown := await self._store(history)) is not None
        ):
            history, stored = grown, stored + 1
        return stored

    def _may_want(self, state: State) -> bool:
        return billing_step(state) is not None

    async def _step(self, history: History, _envelope: Envelope) -> History | Outcome | None:
        step = billing_step(history.state)
        match step:
            case None:
                return None
            case IssueInvoice():
                return await self._invoice(history)
            case IssueCreditNote(refund):
                return await self._credit_note(history, refund.refund_id)
            case StoreDocument():
                return await self._store(history)
            case _:
                assert_never(step)

    async def _invoice(self, history: History) -> History:
        supplied_at = _supplied_at(history)
        order = placed(history).order
        series = f"{self._sellers.of_channel(order.channel).invoices}-{supplied_at.astimezone(UTC).year}"
        year = self._now().year
        buyer = await seal_buyer(self._vault, order, history.stream, year=year)
        issue = partial(billing.issue_invoice, series=series, supplied_at=supplied_at, buyer=buyer)
        cause = self._caused_by(history, ShipmentDispatched, "invoice")
        grown = await self._issue(history, issue, series=series, year=year, cause=cause)
        self._observer.invoice(series)
        return grown

    async def _credit_note(self, history: History, refund_id: str) -> History:
        year = self._now().year
        order = placed(history)
        if order.invoice is None:
            raise OutOfStep("an order without an invoice has nothing to credit")
        # Whoever sells on the channel by now: who issued the invoice takes back of it.
        series = f"{self._sellers.of_invoice(order.invoice.series).credit_notes}-{year}"
        buyer = await seal_buyer_again(self._vault, order.order, order.invoice, history.stream, year=year)
        issue = partial(billing.issue_credit_note, refund_id=refund_id, series=series, buyer=buyer)
        cause = self._caused_by(history, RefundIssued, "credit-note", refund_id=refund_id)
        grown = await self._issue(history, issue, series=series, year=year, cause=cause)
        self._observer.credit_note(series)
        return grown

    async def _store(self, history: History) -> History | None:
        """Draw a document that has its number, and keep the drawings: also after whoever numbered it died. None when there is none whose
        drawings anybody may still read."""
        for number in billing.unstored(placed(history)):
            try:
                renderings = await self._drawing.keep(history, number)
            except KeyErased:  # it was issued so long ago that the law has let its key go
                self._observer.document("expired")
                continue
            history = await self._orders.caught_up(history)  # drawing took its time
            cause = self._cause_of(history, document_of(history, number), number)
            store = partial(billing.store_documents, renderings=renderings)
            grown = await self._orders.record(history, store, cause=cause)
            self._observer.document("stored" if len(renderings) > 1 else "stored_without_pdf")
            return grown
        return None

    def _cause_of(self, history: History, document: InvoiceIssued | CreditNoteIssued, number: str) -> Cause:
        """The document itself is why its drawings are stored."""
        refund_id = document.refund_id if isinstance(document, CreditNoteIssued) else None
        return self._caused_by(history, type(document), f"document:{number}", refund_id=refund_id)

    async def _issue(
        self, history: History, issue: Callable[..., tuple[Event, ...]], *, series: str, year: int, cause: Cause
    ) -> History:
        """Take the series' next number for the document, in one transaction."""

        def decide(state: State, number: int) -> tuple[Event, ...]:
            issued_at = self._now()
            if issued_at.year != year:
                raise OutOfStep(
                    "the year ended between sealing the buyer and taking the number; the next look takes the new year's key"
                )
            return issue(state, number=number, issued_at=issued_at)

        # The series' counter is one item: waiting for each other here saves the conflicts between our own handlers.
        async with self._lock(series):
            return await self._orders.record_numbered(history, decide, counter=series, cause=cause)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._now_ms() / 1000, tz=UTC)

    def _lock(self, series: str) -> anyio.Lock:
        if series not in self._locks and len(self._locks) >= SERIES_MAX:
            raise OutOfStep(f"more than {SERIES_MAX} series of documents in one process")
        return self._locks.setdefault(series, anyio.Lock())


def _supplied_at(history: History) -> datetime:
    """When the last of the goods left: the date on which the supply was completed (Art. 226 (7) of Directive 2006/112/EC)."""
    for recorded in reversed(history.events):
        if isinstance(recorded.event, ShipmentDispatched):
            return recorded.occurred_at
    raise OutOfStep("an order in fulfilment has no dispatch in its log")
