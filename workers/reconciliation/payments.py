"""One day of payments: the provider's books against the log, in both directions. What does not fit becomes an event of its order.

    not_in_log        the provider holds or has money, and the order knows nothing of it
    not_at_provider   the order believes that money is held or taken, and the provider does not
    amount_differs    another amount or currency, or taken on one side and only held on the other
    hold_expires      held for days and not taken: it will be let go
    refunds_differ    another amount was given back than the order says
    disputes_differ   banks have taken back another amount than the order says

A worker may be between the provider's answer and its own append, and a webhook may have been lost: so whoever still has something to do
about a payment that does not fit is woken, and it is looked at once more a little later, on both sides, before it counts. An event's id
follows from what was found: the next run adds nothing. An order that cannot be read as it is stored is named, and the others are compared.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

import anyio

from orderstore.codec import MalformedCommit
from orderstore.domain.events import PaymentDiscrepancyFound
from orderstore.domain.next_steps import payment_step
from orderstore.domain.rejections import UnknownOrder
from orderstore.domain.state import ImpossibleTransition
from orderstore.orders import Orders, placed
from orderstore.recorded import Actor, Cause
from orderstore.store.errors import CorruptCommit, StreamTooLong
from workers.payment.attempts import Held
from workers.payment.hints import HintNotTaken, Send, hint_body, notice_body
from workers.reconciliation.books import BooksTooLong, Finding, ProviderBooks, Standing, Theirs, findings

__all__ = ("BooksTooLong", "PaymentReconciliation", "ProviderBooks", "Report", "Standing", "Theirs")

HOLD_WARNED_AFTER_DAYS: Final = 5
"""Cards hold for 7 days where the customer was there. Source: docs.stripe.com/payments/place-a-hold-on-a-payment-method."""
LOOK_AGAIN_S: Final = 60.0
DOUBTS_MAX: Final = 10_000
"""Findings of one run. More are no discrepancies but another account, or a log that is not there."""
_DAY_S: Final = 86_400
_OF_ONE_ORDER: Final = (MalformedCommit, CorruptCommit, StreamTooLong, ImpossibleTransition)

HeldBetween = Callable[[int, int], AsyncIterator[Held]]
"""Our own attempts by when they were begun, in milliseconds since 1970."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A discrepancy. `noted` is false where there is no such order to note it in, or nothing is to be noted."""

    order_id: str
    finding: Finding
    noted: bool

    @property
    def reference(self) -> str:
        """The payment at the provider."""
        if isinstance(self.finding, PaymentDiscrepancyFound):
            return self.finding.provider_reference
        return self.finding.subject

    @property
    def amounts(self) -> tuple[int, int]:
        """What we say, and what the provider says, in minor units."""
        if isinstance(self.finding, PaymentDiscrepancyFound):
            return self.finding.ours_minor, self.finding.theirs_minor
        return self.finding.ours, self.finding.theirs


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What one run came to."""

    day: date
    compared: int
    found: tuple[Found, ...]
    unreadable: tuple[str, ...] = ()
    """Orders whose payments could not be compared, because the log does not give them: see `orderstore audit verify`."""


@dataclass(frozen=True, slots=True)
class _Question:
    order_id: str
    attempt_key: str
    reference: str


class PaymentReconciliation:
    """Compares days. Memory: one reference for each payment of the day."""

    def __init__(
        self,
        books: ProviderBooks,
        held_between: HeldBetween,
        orders: Orders,
        *,
        look_again_s: float = LOOK_AGAIN_S,
        wake: Send | None = None,
    ) -> None:
        """`wake` puts a hint on the payment worker's queue; None: nobody is woken, and what does not fit counts."""
        self._books = books
        self._held_between = held_between
        self._orders = orders
        self._look_again_s = look_again_s
        self._wake = wake

    async def reconcile(self, day: date, *, note: bool = True) -> Report:
        """Compare the payments that were begun on a UTC day, those that something was given back of or disputed then, and look for holds
        of `HOLD_WARNED_AFTER_DAYS` before that run out.

        Raises GatewayError, StoreError, TableError, BooksTooLong, and UnknownEvent for an order of a newer build. A run that breaks off
        may be repeated.
        """
        begin_s = _begin_s(day)
        unreadable: dict[str, None] = {}
        doubts: list[_Question] = []
        seen: set[str] = set()
        async with aclosing(self._of_day(begin_s, seen)) as payments:
            async for question, theirs in payments:
                if await self._judge(question, theirs, unreadable, wake=note):
                    _append(doubts, question)
        found = [*await self._confirmed(doubts, unreadable), *await self._expiring(day)]
        if not note:
            told = [Found(order_id=question.order_id, finding=finding, noted=False) for question, finding in found]
        else:
            told = [await self._note(question, finding, unreadable) for question, finding in found]
        return Report(day=day, compared=len(seen), found=tuple(told), unreadable=tuple(unreadable))

    async def _of_day(self, begin_s: int, seen: set[str]) -> AsyncGenerator[tuple[_Question, Theirs | None], None]:
        """Each payment of the day once: what the provider lists, what we believe that it has, and what was touched then."""
        async for theirs in self._books.payments(begin_s, begin_s + _DAY_S):
            seen.add(theirs.reference)
            yield _Question(theirs.order_id, theirs.attempt_key, theirs.reference), theirs
        async for ours in self._held_between(begin_s * 1_000, (begin_s + _DAY_S) * 1_000):
            if ours.reference not in seen:
                seen.add(ours.reference)
                yield _Question(ours.order_id, ours.key, ours.reference), await self._books.payment(ours.reference)
        async for reference in self._books.touched(begin_s, begin_s + _DAY_S):
            known = None if reference in seen else await self._books.payment(reference)
            if known is not None:
                seen.add(reference)
                yield _Question(known.order_id, known.attempt_key, reference), known

    async def _confirmed(self, doubts: list[_Question], unreadable: dict[str, None]) -> list[tuple[_Question, Finding]]:
        if not doubts:
            return []
        await anyio.sleep(self._look_again_s)
        return [
            (question, finding)
            for question in doubts
            for finding in await self._judge(question, await self._books.payment(question.reference), unreadable)
        ]

    async def _expiring(self, day: date) -> list[tuple[_Question, Finding]]:
        begin_s = _begin_s(day - timedelta(days=HOLD_WARNED_AFTER_DAYS))
        found: list[tuple[_Question, Finding]] = []
        async for theirs in self._books.payments(begin_s, begin_s + _DAY_S):
            if theirs.standing == "held":
                finding = PaymentDiscrepancyFound(
                    kind="hold_expires",
                    attempt_key=theirs.attempt_key,
                    provider_reference=theirs.reference,
                    ours_minor=theirs.amount_minor,
                    theirs_minor=theirs.amount_minor,
                )
                found.append((_Question(theirs.order_id, theirs.attempt_key, theirs.reference), finding))
                _check_bound(len(found))
        return found

    async def _judge(
        self,
        question: _Question,
        theirs: Theirs | None,
        unreadable: dict[str, None],
        *,
        wake: bool = False,
    ) -> tuple[Finding, ...]:
        """The log is read after the provider: what it knows then is never older."""
        try:
            history = await self._orders.load(question.order_id)
        except UnknownOrder:
            return findings(question.attempt_key, question.reference, theirs, None, "")
        except _OF_ONE_ORDER:
            unreadable[question.order_id] = None
            _check_bound(len(unreadable))
            return ()
        order = placed(history)
        found = findings(question.attempt_key, question.reference, theirs, order.payment, order.order.currency)
        if wake and found and self._wake is not None:
            try:
                if payment_step(history.state) is not None:
                    await self._wake(hint_body(history))
                if any(finding.kind == "disputes_differ" for finding in found):
                    await self._wake(notice_body(question.reference))
            except HintNotTaken:
                return found  # then it counts, unless it comes to fit by itself
        return found

    async def _note(self, question: _Question, finding: Finding, unreadable: dict[str, None]) -> Found:
        order_id, told = question.order_id, finding.kind
        if not isinstance(finding, PaymentDiscrepancyFound):  # it may differ once more, by another amount
            told = f"{told}:{finding.ours}:{finding.theirs}"
        cause = Cause(
            causation_id=question.attempt_key,
            purpose=f"payment-discrepancy:{told}",
            correlation_id=order_id,
            actor=Actor("service", "payment-reconciliation"),
            source="payment",
        )
        try:
            await self._orders.note_discrepancy(await self._orders.load(order_id), finding, cause=cause)
        except UnknownOrder:
            return Found(order_id=order_id, finding=finding, noted=False)
        except _OF_ONE_ORDER:
            unreadable[order_id] = None
            return Found(order_id=order_id, finding=finding, noted=False)
        return Found(order_id=order_id, finding=finding, noted=True)


def _append(doubts: list[_Question], question: _Question) -> None:
    doubts.append(question)
    _check_bound(len(doubts))


def _check_bound(count: int) -> None:
    if count > DOUBTS_MAX:
        raise BooksTooLong(f"more than {DOUBTS_MAX} payments do not fit: is this the account of this log?")


def _begin_s(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
