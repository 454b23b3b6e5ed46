"""The business verbs. One door for everybody: the API, the importer and the workers extend an order only through here."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from uuid import uuid4

from orderstore.asked import contact_of, created_of, has_contact, request_hash
from orderstore.domain import decisions, holds, ids
from orderstore.domain.allowances import DEFAULTS
from orderstore.domain.events import (
    Allowances,
    CancellationReason,
    Event,
    OrderCreated,
    OrderHeld,
    Pieces,
    RefundRequested,
)
from orderstore.domain.ids import OrderId
from orderstore.domain.rejections import HoldReused
from orderstore.domain.state import NotPlaced, State
from orderstore.expected import Expected
from orderstore.history import History, Standing
from orderstore.order_log import SOURCE, OrderLog, command, placed
from orderstore.privacy.keys import KeyErased, KeyUnusable
from orderstore.privacy.subjects import operational_subject
from orderstore.privacy.words import (
    UNREADABLE,
    Vault,
    cancellation_words,
    hold_words,
    refund_words,
    release_words,
    seal_words,
    words_say,
)
from orderstore.recorded import Actor
from orderstore.requests import CancelOrder, HoldOrder, PlaceOrder, ReleaseHold, RequestRefund
from orderstore.transact import ANY, Transactor

__all__ = ("SOURCE", "placed")  # beside everything that is defined here


class HooksRefused(Exception):
    """The request uses the sandbox's test hooks, and this service does not run with sandbox providers. Nothing was stored."""


class CustomerErased(Exception):
    """The customer's personal data were erased, and none can be kept under this id any more. Nothing was stored."""


class KeyReused(Exception):
    """The Idempotency-Key named another request before. Nothing was stored; use a new key for a new order."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The order's history after the request; `new` is False when a repeat met its own first commit."""

    history: History
    new: bool


class Orders(OrderLog):
    """Orders of one tenant. `hooks_allowed` is true only where the sandbox providers stand behind the workers."""

    def __init__(
        self,
        transactor: Transactor,
        *,
        tenant: str,
        vault: Vault,
        hooks_allowed: bool,
        now_ms: Callable[[], int],
        look: Callable[[str], Awaitable[Standing]] | None = None,
        allowances: Allowances = DEFAULTS,
    ) -> None:
        """`look` reads where a stream stands with less than its whole history, if it can (`orderstore.snapshots.standing`);
        `allowances` are those that every order which is placed from now on keeps."""
        super().__init__(transactor, tenant=tenant, look=look)
        self._vault = vault
        self._hooks_allowed = hooks_allowed
        self._now_ms = now_ms
        self._allowances = allowances

    async def place(
        self, request: PlaceOrder, *, actor: Actor, idempotency_key: str | None, traceparent: str | None = None
    ) -> Accepted:
        """Make the order durable, nothing else. A repeat of the same key and request answers the same.

        Raises HooksRefused, KeyReused, CustomerErased, StoreError.
        """
        if request.uses_sandbox_hooks and not self._hooks_allowed:
            raise HooksRefused("test hooks are only for the sandbox providers")
        order_id = OrderId(str(uuid4()))
        if idempotency_key is not None:
            order_id = ids.order_id_for_key(self._tenant, idempotency_key)
        stream = ids.stream_of(self._tenant, order_id)
        try:
            created = await self._created(request, order_id, stream)
        except UNREADABLE as error:
            return await self._repeated(stream, request, error)
        cause = command(order_id, "order-created", actor, traceparent)
        new = True

        def decide(state: State) -> tuple[Event, ...]:
            nonlocal new
            new = isinstance(state, NotPlaced)
            return decisions.place(state, order=created, method=request.payment_method)

        after = await self._transactor.transact(History(stream=stream), decide, cause=cause)
        if not new:
            await self._check_same(after, request)
        return Accepted(after, new=new)

    async def cancel(
        self,
        order_id: str,
        request: CancelOrder,
        *,
        actor: Actor,
        expected: Expected = ANY,
        traceparent: str | None = None,
    ) -> History:
        """Ask for the order to be undone. Raises UnknownOrder, OrderClosed, TooLateToCancel, WrongVersion."""
        reason: CancellationReason = "operator" if actor.type == "operator" else "customer"
        history = await self.load(order_id)
        decide = partial(decisions.request_cancellation, reason=reason)
        if request.reason and decide(history.state):  # nothing is sealed for a request that is refused, or made already
            note = await seal_words(
                self._vault, placed(history).order, request.reason, cancellation_words(history.stream)
            )
            decide = partial(decide, note=note)
        cause = command(order_id, "cancellation", actor, traceparent)
        return await self._transactor.transact(history, decide, cause=cause, expected=expected)

    async def request_refund(
        self,
        order_id: str,
        request: RequestRefund,
        *,
        actor: Actor,
        idempotency_key: str | None,
        expected: Expected = ANY,
        traceparent: str | None = None,
    ) -> History:
        """Set money aside to be given back. Raises UnknownOrder, OrderClosed, RefundTooLarge, NothingToRefund, WrongVersion."""
        key = idempotency_key if idempotency_key is not None else str(uuid4())
        refund_id = refund_id_for_key(order_id, key)
        lines = tuple(Pieces(line=line.line, quantity=line.quantity) for line in request.lines)
        history = await self.load(order_id)
        decide = partial(decisions.request_refund, refund_id=refund_id, lines=lines, reason=None)
        if request.reason and decide(history.state):
            words = await seal_words(
                self._vault, placed(history).order, request.reason, refund_words(history.stream, refund_id)
            )
            decide = partial(decisions.request_refund, refund_id=refund_id, lines=lines, reason=words)
        cause = command(order_id, f"refund-requested:{key}", actor, traceparent)
        return await self._transactor.transact(history, decide, cause=cause, expected=expected)

    async def is_same_refund(self, history: History, refund: RefundRequested, request: RequestRefund) -> bool:
        """Whether a repeat says what the refund in the log said. Raises StoreError."""
        lines = tuple(Pieces(line=line.line, quantity=line.quantity) for line in request.lines)
        purpose = refund_words(history.stream, refund.refund_id)
        return refund.lines == lines and await words_say(self._vault, refund.reason, request.reason, purpose)

    async def hold(
        self,
        order_id: str,
        request: HoldOrder,
        *,
        actor: Actor,
        idempotency_key: str,
        expected: Expected = ANY,
        traceparent: str | None = None,
    ) -> Accepted:
        """Stop the order until this hold is released. Its name is the request's `hold_id`, or follows from the key.

        Raises UnknownOrder, OrderClosed, TooManyHolds, HoldReused, WrongVersion.
        """
        hold_id = hold_id_of(order_id, request, idempotency_key)
        history = await self.load(order_id)
        note = None
        if request.note and holds.hold(history.state, hold_id=hold_id, reason=request.reason):
            words = hold_words(history.stream, hold_id)
            note = await seal_words(self._vault, placed(history).order, request.note, words)
        new = True

        def decide(state: State) -> tuple[Event, ...]:
            nonlocal new
            events = holds.hold(state, hold_id=hold_id, reason=request.reason, note=note)
            new = bool(events)
            return events

        cause = command(order_id, f"hold:{hold_id}", actor, traceparent)
        after = await self._transactor.transact(history, decide, cause=cause, expected=expected)
        if not new:
            await self._check_same_hold(after, hold_id, request)
        return Accepted(after, new=new)

    async def release_hold(
        self,
        order_id: str,
        hold_id: str,
        request: ReleaseHold,
        *,
        actor: Actor,
        expected: Expected = ANY,
        traceparent: str | None = None,
    ) -> History:
        """End this hold; it is no fault if it has ended. Raises UnknownOrder, UnknownHold, WrongVersion."""
        history = await self.load(order_id)
        decide = partial(holds.release_hold, hold_id=hold_id)
        if request.note and decide(history.state):
            words = release_words(history.stream, hold_id)
            decide = partial(decide, note=await seal_words(self._vault, placed(history).order, request.note, words))
        cause = command(order_id, f"hold-released:{hold_id}", actor, traceparent)
        return await self._transactor.transact(history, decide, cause=cause, expected=expected)

    async def _repeated(self, stream: str, request: PlaceOrder, unreadable: KeyErased | KeyUnusable) -> Accepted:
        """Nothing more can be sealed for this customer; but what was placed before is still answered, from the log."""
        history = await self._transactor.load(stream)
        if not isinstance(history.state, NotPlaced):
            await self._check_same(history, request)
            return Accepted(history, new=False)
        if isinstance(unreadable, KeyErased):
            raise CustomerErased("this customer's personal data were erased: none can be kept any more") from unreadable
        raise unreadable

    async def _check_same(self, history: History, request: PlaceOrder) -> None:
        """Raises KeyReused."""
        if not await self._is_same(history, request):
            raise KeyReused("this Idempotency-Key was used for another request")

    async def _is_same(self, history: History, request: PlaceOrder) -> bool:
        """Whether a repeat says what the first request said. Personal data are compared where they can be read, not hashed:
        a hash in the log would outlive their erasure."""
        first = history.events[0].event
        if not isinstance(first, OrderCreated) or first.request_hash != request_hash(request):
            return False
        if first.contact is None or not has_contact(request):
            return first.contact is None and not has_contact(request)
        try:
            return await self._vault.open(first.contact, history.stream) == contact_of(request)
        except UNREADABLE:
            return True

    async def _check_same_hold(self, history: History, hold_id: str, request: HoldOrder) -> None:
        """Raises HoldReused."""
        events = (recorded.event for recorded in history.events)
        first = next(event for event in events if isinstance(event, OrderHeld) and event.hold_id == hold_id)
        words = hold_words(history.stream, hold_id)
        same = await words_say(self._vault, first.note, request.note, words)
        if not same and first.note is None:  # or they could not be kept, and cannot be now
            same = await seal_words(self._vault, placed(history).order, request.note, words) is None
        if first.reason != request.reason or not same:
            raise HoldReused("this name was given to another hold of this order")

    async def _created(self, request: PlaceOrder, order_id: OrderId, stream: str) -> OrderCreated:
        contact = None
        if has_contact(request):
            subject = operational_subject(request.customer_id, order_id)
            contact = await self._vault.seal(subject, stream, contact_of(request))
        now = datetime.fromtimestamp(self._now_ms() / 1000, tz=UTC)
        return created_of(request, order_id=order_id, contact=contact, allowances=self._allowances, now=now)


def refund_id_for_key(order_id: str, idempotency_key: str) -> str:
    """The refund that a client's Idempotency-Key names: a repeat meets its own request."""
    return ids.event_id(order_id, f"refund:{idempotency_key}")


def hold_id_of(order_id: str, request: HoldOrder, idempotency_key: str) -> str:
    """The hold that a request means: the one that it names, or the one that its Idempotency-Key does."""
    return request.hold_id or ids.event_id(order_id, f"hold:{idempotency_key}")
