"""One day of payments: the provider's books against the log, in both directions. What does not fit becomes an event of its order.

    not_in_log        the provider holds or has money, and the order knows nothing of it
    not_at_provider   the order believes that money is held or taken, and the provider does not
    amount_differs    another amount or currency, or taken on one side and only held on the other
    hold_expires      held for days and not taken: it will be let go

BooksTooLong   the provider lists more payments than a run reads. Nothing more was compared.

A worker may be between the provider's answer and its own append: so what does not fit is looked at once more a little later, on both
sides, before it counts. An event's id follows from attempt and kind: the next run adds nothing. An order that cannot be read as it is
stored is named, and the others are compared.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from types import MappingProxyType
from typing import Final, Literal, Protocol

import anyio

from orderstore.codec import MalformedCommit
from orderstore.domain.events import PaymentDiscrepancyFound
from orderstore.domain.rejections import UnknownOrder
from orderstore.domain.state import ImpossibleTransition, Payment, PaymentStatus
from orderstore.orders import Orders, placed
from orderstore.recorded import Actor, Cause
from orderstore.store.errors import CorruptCommit, StreamTooLong
from workers.payment.attempts import Held

Standing = Literal["nothing", "held", "taken"]

HOLD_WARNED_AFTER_DAYS: Final = 5
"""Cards hold for 7 days where the customer was there. Source: docs.stripe.com/payments/place-a-hold-on-a-payment-method."""
LOOK_AGAIN_S: Final = 60.0
DOUBTS_MAX: Final = 10_000
"""Findings of one run. More are no discrepancies but another account, or a log that is not there."""
_DAY_S: Final = 86_400
_OF_ONE_ORDER: Final = (MalformedCommit, CorruptCommit, StreamTooLong, ImpossibleTransition)
_STANDINGS: Final[Mapping[PaymentStatus, Standing]] = MappingProxyType(
    {PaymentStatus.AUTHORIZED: "held", PaymentStatus.CAPTURED: "taken"}
)


class BooksTooLong(Exception):
    """More than one run reads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Theirs:
    """A payment as the provider has it: what is held, or what was taken."""

    reference: str
    attempt_key: str
    order_id: str
    standing: Standing
    amount_minor: int
    currency: str


class ProviderBooks(Protocol):
    """What the provider says. Methods raise GatewayError, BooksTooLong."""

    def payments(self, since_s: int, until_s: int) -> AsyncIterator[Theirs]:
        """Our payments that were begun there at or after the first and before the second moment (seconds since 1970, its own clock)."""
        ...

    async def payment(self, reference: str) -> Theirs | None:
        """One payment; None for a reference that it does not know."""
        ...


HeldBetween = Callable[[int, int], AsyncIterator[Held]]
"""Our own attempts by when they were begun, in milliseconds since 1970."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A discrepancy. `noted` is false where there is no such order to note it in, or nothing is to be noted."""

    order_id: str
    finding: PaymentDiscrepancyFound
    noted: bool


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
        self, books: ProviderBooks, held_between: HeldBetween, orders: Orders, *, look_again_s: float = LOOK_AGAIN_S
    ) -> None:
        self._books = books
        self._held_between = held_between
        self._orders = orders
        self._look_again_s = look_again_s

    async def reconcile(self, day: date, *, note: bool = True) -> Report:
        """Compare the payments that were begun on a UTC day, and look for holds of `HOLD_WARNED_AFTER_DAYS` before that run out.

        Raises GatewayError, StoreError, TableError, BooksTooLong, and UnknownEvent for an order of a newer build. A run that breaks off
        may be repeated.
        """
        begin_s = _begin_s(day)
        unreadable: dict[str, None] = {}
        doubts: list[_Question] = []
        seen: set[str] = set()
        async for theirs in self._books.payments(begin_s, begin_s + _DAY_S):
            seen.add(theirs.reference)
            question = _Question(theirs.order_id, theirs.attempt_key, theirs.reference)
            if await self._judge(question, theirs, unreadable) is not None:
                _append(doubts, question)
        compared = len(seen)
        async for ours in self._held_between(begin_s * 1_000, (begin_s + _DAY_S) * 1_000):
            if ours.reference not in seen:
                compared += 1
                question = _Question(ours.order_id, ours.key, ours.reference)
                their_word = await self._books.payment(ours.reference)
                if await self._judge(question, their_word, unreadable) is not None:
                    _append(doubts, question)
        found = [*await self._confirmed(doubts, unreadable), *await self._expiring(day)]
        if not note:
            told = [Found(order_id=order_id, finding=finding, noted=False) for order_id, finding in found]
        else:
            told = [await self._note(order_id, finding, unreadable) for order_id, finding in found]
        return Report(day=day, compared=compared, found=tuple(told), unreadable=tuple(unreadable))

    async def _confirmed(
        self, doubts: list[_Question], unreadable: dict[str, None]
    ) -> list[tuple[str, PaymentDiscrepancyFound]]:
        if not doubts:
            return []
        await anyio.sleep(self._look_again_s)
        found = []
        for question in doubts:
            finding = await self._judge(question, await self._books.payment(question.reference), unreadable)
            if finding is not None:
                found.append((question.order_id, finding))
        return found

    async def _expiring(self, day: date) -> list[tuple[str, PaymentDiscrepancyFound]]:
        begin_s = _begin_s(day - timedelta(days=HOLD_WARNED_AFTER_DAYS))
        found: list[tuple[str, PaymentDiscrepancyFound]] = []
        async for theirs in self._books.payments(begin_s, begin_s + _DAY_S):
            if theirs.standing == "held":
                finding = PaymentDiscrepancyFound(
                    kind="hold_expires",
                    attempt_key=theirs.attempt_key,
                    provider_reference=theirs.reference,
                    ours_minor=theirs.amount_minor,
                    theirs_minor=theirs.amount_minor,
                )
                found.append((theirs.order_id, finding))
                _check_bound(len(found))
        return found

    async def _judge(
        self, question: _Question, theirs: Theirs | None, unreadable: dict[str, None]
    ) -> PaymentDiscrepancyFound | None:
        """The log is read after the provider: what it knows then is never older."""
        try:
            order = placed(await self._orders.load(question.order_id))
        except UnknownOrder:
            return judged(question.attempt_key, question.reference, theirs, None, "")
        except _OF_ONE_ORDER:
            unreadable[question.order_id] = None
            _check_bound(len(unreadable))
            return None
        return judged(question.attempt_key, question.reference, theirs, order.payment, order.order.currency)

    async def _note(self, order_id: str, finding: PaymentDiscrepancyFound, unreadable: dict[str, None]) -> Found:
        cause = Cause(
            causation_id=finding.attempt_key,
            purpose=f"payment-discrepancy:{finding.kind}",
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


def judged(
    attempt_key: str, reference: str, theirs: Theirs | None, payment: Payment | None, currency: str
) -> PaymentDiscrepancyFound | None:
    """What does not fit between the provider's word and the order's; None when they agree. `payment` None: there is no such order."""
    ours: Standing = "nothing"
    if payment is not None and payment.provider_reference == reference:
        ours = _STANDINGS.get(payment.status, "nothing")
    theirs_stands: Standing = "nothing" if theirs is None else theirs.standing
    ours_minor = payment.amount_minor if payment is not None and ours != "nothing" else None
    theirs_minor = theirs.amount_minor if theirs is not None and theirs_stands != "nothing" else None
    if ours_minor is None and theirs_minor is None:
        return None
    if ours_minor is not None and theirs_minor is not None and ours != theirs_stands:
        # What is only held on one side is not taken there.
        ours_minor = ours_minor if ours == "taken" else 0
        theirs_minor = theirs_minor if theirs_stands == "taken" else 0
    elif ours_minor == theirs_minor and theirs is not None and theirs.currency == currency:
        return None
    return PaymentDiscrepancyFound(
        kind="not_in_log" if ours_minor is None else "not_at_provider" if theirs_minor is None else "amount_differs",
        attempt_key=attempt_key,
        provider_reference=reference,
        ours_minor=ours_minor or 0,
        theirs_minor=theirs_minor or 0,
    )


def _append(doubts: list[_Question], question: _Question) -> None:
    doubts.append(question)
    _check_bound(len(doubts))


def _check_bound(count: int) -> None:
    if count > DOUBTS_MAX:
        raise BooksTooLong(f"more than {DOUBTS_MAX} payments do not fit: is this the account of this log?")


def _begin_s(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
