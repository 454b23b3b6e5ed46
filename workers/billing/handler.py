"""The billing worker's handler. The number is taken in the transaction that records the invoice, so none is ever lost.

The invoice names its buyer, sealed so that an erasure leaves it what the law demands; see `orderstore/privacy/buyers.py`.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Final

import anyio

from orderstore.domain import decisions, next_steps
from orderstore.domain.events import Event, SealedText, ShipmentDispatched
from orderstore.domain.state import State
from orderstore.history import History
from orderstore.orders import Orders, placed
from orderstore.privacy.buyers import seal_buyer
from orderstore.privacy.words import Vault
from workers.envelope import Envelope
from workers.observe import WorkerObserver
from workers.reaction import OutOfStep, Reaction
from workers.runtime.outcome import Outcome

# One lock per series that this process has met; a series is a year, so this many are centuries.
SERIES_MAX: Final = 256


class BillingHandler(Reaction):
    """Issues invoices in the series `<prefix>-<year of supply>`. `now_ms` is the wall clock in milliseconds since 1970."""

    def __init__(
        self,
        orders: Orders,
        *,
        vault: Vault,
        series_prefix: str,
        now_ms: Callable[[], int],
        sandbox: bool,
        observer: WorkerObserver | None = None,
    ) -> None:
        super().__init__(orders, worker="billing", sandbox=sandbox, observer=observer)
        self._vault = vault
        self._series_prefix = series_prefix
        self._now_ms = now_ms
        self._locks: dict[str, anyio.Lock] = {}

    def _may_want(self, state: State) -> bool:
        return next_steps.wants_invoice(state)

    async def _step(self, history: History, _envelope: Envelope) -> History | Outcome | None:
        if not next_steps.wants_invoice(history.state):
            return None
        supplied_at = _supplied_at(history)
        series = f"{self._series_prefix}-{supplied_at.astimezone(UTC).year}"
        year = self._now().year
        buyer = await seal_buyer(self._vault, placed(history).order, history.stream, year=year)
        # The series' counter is one item: waiting for each other here saves the conflicts between our own handlers.
        async with self._lock(series):
            decide = partial(self._decide, series=series, supplied_at=supplied_at, buyer=buyer, year=year)
            cause = self._caused_by(history, ShipmentDispatched, "invoice")
            grown = await self._orders.record_numbered(history, decide, counter=series, cause=cause)
        self._observer.invoice(series)
        return grown

    def _decide(
        self, state: State, number: int, *, series: str, supplied_at: datetime, buyer: SealedText | None, year: int
    ) -> tuple[Event, ...]:
        issued_at = self._now()
        if issued_at.year != year:
            raise OutOfStep(
                "the year ended between sealing the buyer and taking the number; the next look takes the new year's key"
            )
        return decisions.issue_invoice(
            state, series=series, number=number, issued_at=issued_at, supplied_at=supplied_at, buyer=buyer
        )

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._now_ms() / 1000, tz=UTC)

    def _lock(self, series: str) -> anyio.Lock:
        if series not in self._locks and len(self._locks) >= SERIES_MAX:
            raise OutOfStep(f"more than {SERIES_MAX} invoice series in one process")
        return self._locks.setdefault(series, anyio.Lock())


def _supplied_at(history: History) -> datetime:
    """When the goods left: the date of supply."""
    for recorded in history.events:
        if isinstance(recorded.event, ShipmentDispatched):
            return recorded.occurred_at
    raise OutOfStep("an order in fulfilment has no dispatch in its log")
