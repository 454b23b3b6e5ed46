"""Payment attempts, written down before the provider is called. One row decides between charging and never charging:

    (no row) ── begin ──> begun ── complete ──> authorized | declined
        └────── abandon ─> abandoned                      for ever

Both `begin` and `abandon` put the row only if there is none, so a cancellation that comes first makes a concurrent authorisation
fail before it calls the provider, and one that comes later knows that it has to ask the provider.
No card data is ever here (D31): a row holds ids, an amount, and the provider's reference.
"""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal, Protocol

from orderstore.domain.events import DeclineCategory
from orderstore.domain.money import Money
from workers.payment.gateway import Authorized, Declined, Result
from workers.tables.errors import ConditionRefused, RowUnreadable
from workers.tables.port import Change, Item, PutNew, Table
from workers.tables.rows import typed


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """The row as it stands. `own` is true for the caller that has just put it.

    `capture` tells whether the attempt takes the money at once, `amount` what was asked for: neither a changed setting nor an order that
    has lost lines changes an attempt that has begun. An attempt that was abandoned has no amount.
    """

    key: str
    state: Literal["begun", "abandoned", "completed"]
    amount: Money | None = None
    capture: bool = False
    result: Result | None = None
    own: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """An attempt after which the provider said that it holds or has taken the money, under this reference."""

    key: str
    order_id: str
    reference: str


class AttemptStore(Protocol):
    """What was tried. Methods raise `workers.tables.errors.TableError`."""

    async def begin(self, key: str, *, order_id: str, amount: Money, capture: bool) -> Attempt:
        """Write down that the provider is about to be called; the row that stands is returned, whoever wrote it."""
        ...

    async def abandon(self, key: str, *, order_id: str) -> Attempt:
        """Make sure that nobody begins, if nobody has begun; the row that stands is returned."""
        ...

    async def complete(self, attempt: Attempt, result: Result) -> Attempt:
        """Keep what the provider said of a begun attempt. The first result stays; the row that stands is returned."""
        ...


class TableAttempts(AttemptStore):
    """Attempts in a service table whose key is `attempt`. `now_ms` is the wall clock in milliseconds since 1970."""

    def __init__(self, table: Table, *, now_ms: Callable[[], int]) -> None:
        self._table = table
        self._now_ms = now_ms

    async def begin(self, key: str, *, order_id: str, amount: Money, capture: bool) -> Attempt:
        """See `AttemptStore.begin`."""
        row = {
            "state": "begun",
            "order": order_id,
            "amount_minor": amount.minor,
            "currency": amount.currency,
            "capture": capture,
            "begun_at_ms": self._now_ms(),
        }
        existing = await self._table.put_new(PutNew({"attempt": key}, row))
        return _attempt({"attempt": key, **row}, own=True) if existing is None else _attempt(existing)

    async def abandon(self, key: str, *, order_id: str) -> Attempt:
        """See `AttemptStore.abandon`."""
        row = {"state": "abandoned", "order": order_id, "abandoned_at_ms": self._now_ms()}
        existing = await self._table.put_new(PutNew({"attempt": key}, row))
        return _attempt({"attempt": key, **row}, own=True) if existing is None else _attempt(existing)

    async def complete(self, attempt: Attempt, result: Result) -> Attempt:
        """See `AttemptStore.complete`."""
        match result:
            case Authorized(reference, capture_before, taken):
                until = {} if capture_before is None else {"capture_before_s": round(capture_before.timestamp())}
                told: Item = {
                    "state": "authorized",
                    "reference": reference,
                    **until,
                    **({"taken": True} if taken else {}),
                }
            case Declined(category, code):
                told = {"state": "declined", "category": category, "code": code}
        change = Change(
            key={"attempt": attempt.key}, assign={**told, "completed_at_ms": self._now_ms()}, equals={"state": "begun"}
        )
        try:
            await self._table.change(change)
        except ConditionRefused as refusal:
            if refusal.existing is None:
                raise
            return _attempt(refusal.existing)
        return replace(attempt, state="completed", result=result)

    async def held_between(self, since_ms: int, until_ms: int) -> AsyncIterator[Held]:
        """What was begun then and not declined. It reads the whole table: for reconciliations, never for a message."""
        async for row in self._table.scan():
            if row.get("state") != "authorized":
                continue
            begun = typed(_Authorized, row, "a payment attempt")
            if since_ms <= begun.begun_at_ms < until_ms:
                yield Held(key=begun.attempt, order_id=begun.order, reference=begun.reference)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Authorized:
    """What a reconciliation reads."""

    attempt: str
    order: str
    reference: str
    begun_at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """As it is stored; which fields are there depends on the state."""

    attempt: str
    state: Literal["abandoned", "begun", "authorized", "declined"]
    amount_minor: int | None = None
    currency: str | None = None
    capture: bool | None = None
    reference: str | None = None
    capture_before_s: int | None = None
    taken: bool = False
    category: DeclineCategory | None = None
    code: str | None = None


def _attempt(row: Item, *, own: bool = False) -> Attempt:
    """Raises RowUnreadable: what is not known of a payment is never guessed."""
    found = typed(_Row, row, "a payment attempt")
    if found.state == "abandoned":
        return Attempt(key=found.attempt, state="abandoned", own=own)
    match found:
        case _Row(attempt=key, amount_minor=int(minor), currency=str(currency), capture=bool(capture)):
            attempt = Attempt(key=key, state="begun", amount=Money(minor, currency), capture=capture, own=own)
        case _:
            raise RowUnreadable("a payment attempt", f"{found.state}, and it does not say what was asked for")
    match found:
        case _Row(state="begun"):
            return attempt
        case _Row(state="authorized", reference=str(reference)):
            result: Result = Authorized(reference, _moment(found.capture_before_s), found.taken)
        case _Row(state="declined", category=str(category), code=str(code)):
            result = Declined(category, code)
        case _:
            raise RowUnreadable("a payment attempt", f"{found.state}, and a field of that state is missing")
    return replace(attempt, state="completed", result=result)


def _moment(seconds: int | None) -> datetime | None:
    """Raises RowUnreadable."""
    try:
        return None if seconds is None else datetime.fromtimestamp(seconds, tz=UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise RowUnreadable("a payment attempt", "its hold ends at no moment") from error
