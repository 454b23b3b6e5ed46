"""The billing worker's handler. A number is taken in the transaction that records its document, so none is ever lost.

Documents name their buyer, sealed so that an erasure leaves them what the law demands; see `orderstore/privacy/buyers.py`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Final, assert_never

import anyio

from orderstore.domain import billing
from orderstore.domain.events import Event, RefundIssued, SealedText, ShipmentDispatched
from orderstore.domain.next_steps import IssueCreditNote, IssueInvoice, billing_step
from orderstore.domain.state import Placed, State
from orderstore.history import History
from orderstore.orders import Orders, placed
from orderstore.privacy.buyers import seal_buyer, seal_buyer_again
from orderstore.privacy.words import Vault
from orderstore.recorded import Cause
from workers.envelope import Envelope
from workers.observe import WorkerObserver
from workers.reaction import OutOfStep, Reaction
from workers.runtime.outcome import Outcome

# One lock per series that this process has met; a series is a year, so this many are centuries.
SERIES_MAX: Final = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """How the names of series begin: the year follows. The two differ, so that no number is ever both."""

    invoices: str
    credit_notes: str


class BillingHandler(Reaction):
    """Issues invoices in the series of the year of supply, credit notes in that of the year of issue, both in UTC.
    `now_ms` is the wall clock in milliseconds since 1970."""

    def __init__(
        self,
        orders: Orders,
        *,
        vault: Vault,
        series: Series,
        now_ms: Callable[[], int],
        sandbox: bool,
        observer: WorkerObserver | None = None,
    ) -> None:
        super().__init__(orders, worker="billing", sandbox=sandbox, observer=observer)
        self._vault = vault
        self._series = series
        self._now_ms = now_ms
        self._locks: dict[str, anyio.Lock] = {}

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
            case _:
                assert_never(step)

    async def _invoice(self, history: History) -> History:
        supplied_at = _supplied_at(history)
        series = f"{self._series.invoices}-{supplied_at.astimezone(UTC).year}"
        year = self._now().year
        buyer = await seal_buyer(self._vault, placed(history).order, history.stream, year=year)
        issue = partial(billing.issue_invoice, series=series, supplied_at=supplied_at, buyer=buyer)
        cause = self._caused_by(history, ShipmentDispatched, "invoice")
        grown = await self._issue(history, issue, series=series, year=year, cause=cause)
        self._observer.invoice(series)
        return grown

    async def _credit_note(self, history: History, refund_id: str) -> History:
        year = self._now().year
        series = f"{self._series.credit_notes}-{year}"
        buyer = await self._buyer_again(placed(history), history.stream, year=year)
        issue = partial(billing.issue_credit_note, refund_id=refund_id, series=series, buyer=buyer)
        cause = self._caused_by(history, RefundIssued, "credit-note", refund_id=refund_id)
        grown = await self._issue(history, issue, series=series, year=year, cause=cause)
        self._observer.credit_note(series)
        return grown

    async def _buyer_again(self, order: Placed, stream: str, *, year: int) -> SealedText | None:
        if order.invoice is None:
            raise OutOfStep("an order without an invoice has nothing to credit")
        return await seal_buyer_again(self._vault, order.order, order.invoice, stream, year=year)

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
    """When the goods left: the date of supply."""
    for recorded in history.events:
        if isinstance(recorded.event, ShipmentDispatched):
            return recorded.occurred_at
    raise OutOfStep("an order in fulfilment has no dispatch in its log")
