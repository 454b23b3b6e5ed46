"""Disputes: the cardholder asks the bank for the money back, and the bank takes it until that is decided.

What the provider tells of a dispute names the payment and no order, and is only a hint (`hints.notice_body`): what became of it is
read from the provider, in whatever order and however often it was told. An inquiry, by which no money moves, is not the order's business.

A refund that comes back from its bank days after it was given is told in the same way. The order says that it was given: so it is a
discrepancy, for a person.
"""

from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Literal, Protocol

from orderstore.domain import decisions
from orderstore.domain.events import DiscrepancyFound, PaymentDisputeClosed, PaymentDisputed
from orderstore.domain.rejections import UnknownOrder
from orderstore.history import History
from orderstore.orders import Orders, placed
from orderstore.recorded import Actor, Cause
from workers.observe import SilentWorkerObserver, WorkerObserver


@dataclass(frozen=True, slots=True, kw_only=True)
class TheirDispute:
    """A dispute as the provider has it. `standing` open or lost: the money is not ours."""

    dispute_id: str
    amount_minor: int
    reason: str
    standing: Literal["open", "won", "lost"]
    answer_by: datetime | None = None


@dataclass(frozen=True, slots=True)
class DisputedPayment:
    """Whose payment it is, its disputes, oldest first, and how much of it was given back, where that is told."""

    order_id: str
    disputes: tuple[TheirDispute, ...]
    refunded_minor: int | None = None


class Disputes(Protocol):
    """What the provider knows of disputes. Raises GatewayError."""

    async def of(self, reference: str) -> DisputedPayment | None:
        """Those of a payment; None for one that is not ours."""
        ...


class DisputeDesk:
    """Brings orders up to what the provider says of their disputes."""

    def __init__(self, orders: Orders, disputes: Disputes, *, observer: WorkerObserver | None = None) -> None:
        self._orders = orders
        self._disputes = disputes
        self._observer: WorkerObserver = observer or SilentWorkerObserver()

    async def look(self, reference: str) -> None:
        """Record what is new of this payment's disputes. Raises GatewayError, StoreError, Contended."""
        found = await self._disputes.of(reference)
        if found is None:
            self._observer.payment("dispute", "none")
            return
        try:
            history = await self._orders.load(found.order_id)
        except UnknownOrder:  # the reconciliation finds money that belongs to no order
            self._observer.payment("dispute", "stray")
            return
        if placed(history).payment.provider_reference != reference:
            self._observer.payment("dispute", "stray")
            return
        for dispute in found.disputes:
            history = await self._record(history, dispute)
        given_minor = sum(refund.amount_minor for refund in placed(history).payment.refunds if refund.issued)
        if found.refunded_minor is not None and found.refunded_minor < given_minor:
            await self._came_back(history, reference, given_minor, found.refunded_minor)

    async def _record(self, history: History, dispute: TheirDispute) -> History:
        opened = PaymentDisputed(
            dispute_id=dispute.dispute_id,
            amount_minor=dispute.amount_minor,
            reason=dispute.reason,
            answer_by=dispute.answer_by,
        )
        version = history.version
        decide = partial(decisions.dispute_payment, outcome=opened)
        history = await self._orders.record(
            history, decide, cause=_cause(history, dispute.dispute_id, "payment-disputed")
        )
        if dispute.standing != "open":
            closed = PaymentDisputeClosed(dispute_id=dispute.dispute_id, outcome=dispute.standing)
            decide = partial(decisions.close_dispute, outcome=closed)
            cause = _cause(history, dispute.dispute_id, "payment-dispute-closed")
            history = await self._orders.record(history, decide, cause=cause)
        self._observer.payment("dispute", dispute.standing if history.version > version else "known")
        return history

    async def _came_back(self, history: History, reference: str, ours: int, theirs: int) -> None:
        """Nothing of it is given by then that the order does not know of: only what it does know of can be missing."""
        finding = DiscrepancyFound(area="money", kind="refunds_differ", subject=reference, ours=ours, theirs=theirs)
        cause = _cause(history, reference, f"payment-discrepancy:refunds_differ:{ours}:{theirs}")
        await self._orders.note_discrepancy(history, finding, cause=cause)
        self._observer.payment("refund", "came_back")


def _cause(history: History, told_of: str, purpose: str) -> Cause:
    """What was told of: telling of it twice is telling of it once."""
    return Cause(
        causation_id=told_of,
        purpose=purpose,
        correlation_id=history.events[0].correlation_id,
        actor=Actor("provider", "payment"),
        source="payment",
    )
