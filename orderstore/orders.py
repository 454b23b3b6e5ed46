"""The business verbs. One door for everybody: the API, the importer and the workers extend an order only through here."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Final
from uuid import uuid4

from orderstore.asked import contact_of, has_contact, hooks_of, request_hash
from orderstore.domain import decisions, ids
from orderstore.domain.events import (
    CancellationReason,
    Event,
    OrderCreated,
    OrderLine,
    PersonalDataErased,
    RefundedLine,
    RefundRequested,
)
from orderstore.domain.ids import OrderId
from orderstore.domain.money import round_to_minor
from orderstore.domain.rejections import UnknownOrder
from orderstore.domain.state import NotPlaced, Placed, State
from orderstore.expected import Exactly, Expected, WrongVersion
from orderstore.history import History, Standing
from orderstore.privacy.keys import KeyErased, KeyUnusable
from orderstore.privacy.subjects import operational_subject
from orderstore.privacy.words import (
    UNREADABLE,
    Vault,
    cancellation_words,
    refund_words,
    seal_words,
    words_say,
)
from orderstore.recorded import Actor, Cause
from orderstore.requests import CancelOrder, PlaceOrder, RequestRefund
from orderstore.transact import ANY, ATTEMPTS_MAX, Contended, Decide, DecideNumbered, Transactor

SOURCE: Final = "order-service"


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


class Orders:
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
    ) -> None:
        """`look` reads where a stream stands with less than its whole history, if it can (`orderstore.snapshots.standing`)."""
        self._look = look or transactor.load
        self._transactor = transactor
        self._tenant = tenant
        self._vault = vault
        self._hooks_allowed = hooks_allowed
        self._now_ms = now_ms

    async def load(self, order_id: str) -> History:
        """The order as the log has it now. Raises UnknownOrder."""
        history = await self._transactor.load(ids.stream_of(self._tenant, order_id))
        if isinstance(history.state, NotPlaced):
            raise UnknownOrder(f"there is no order {order_id}")
        return history

    async def look(self, order_id: str) -> Standing:
        """Where the order stands: its whole history, but for a very long one that was read from a snapshot on. Raises UnknownOrder."""
        standing = await self._look(ids.stream_of(self._tenant, order_id))
        placed(standing)
        return standing

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
        cause = self._command(order_id, "order-created", actor, traceparent)
        new = True

        def decide(state: State) -> tuple[Event, ...]:
            nonlocal new
            new = isinstance(state, NotPlaced)
            return decisions.place(state, order=created)

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
        cause = self._command(order_id, "cancellation", actor, traceparent)
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
        lines = tuple(RefundedLine(line=line.line, quantity=line.quantity) for line in request.lines)
        history = await self.load(order_id)
        decide = partial(decisions.request_refund, refund_id=refund_id, lines=lines, reason=None)
        if request.reason and decide(history.state):
            words = await seal_words(
                self._vault, placed(history).order, request.reason, refund_words(history.stream, refund_id)
            )
            decide = partial(decisions.request_refund, refund_id=refund_id, lines=lines, reason=words)
        cause = self._command(order_id, f"refund-requested:{key}", actor, traceparent)
        return await self._transactor.transact(history, decide, cause=cause, expected=expected)

    async def is_same_refund(self, history: History, refund: RefundRequested, request: RequestRefund) -> bool:
        """Whether a repeat says what the refund in the log said. Raises StoreError."""
        lines = tuple(RefundedLine(line=line.line, quantity=line.quantity) for line in request.lines)
        purpose = refund_words(history.stream, refund.refund_id)
        return refund.lines == lines and await words_say(self._vault, refund.reason, request.reason, purpose)

    async def note_erased(self, history: History, erasure: PersonalDataErased, *, cause: Cause) -> History:
        """Append that the order's personal data are erased, once for each cause, whoever else appends meanwhile.

        Raises CommandRejected, Contended, StoreError.
        """
        decide = partial(decisions.erase_personal_data, erasure=erasure)
        for _ in range(ATTEMPTS_MAX):
            if any(recorded.event_id == cause.event_id(0) for recorded in history.events):
                return history
            try:
                # The state does not tell whether it is noted already: so only on top of what was looked through.
                here = Exactly(history.version)
                return await self._transactor.transact(history, decide, cause=cause, expected=here)
            except WrongVersion:
                history = await self._transactor.load(history.stream)
        raise Contended(f"{history.stream}: other writers won {ATTEMPTS_MAX} rounds; nothing was stored")

    async def record(self, history: History, decide: Decide, *, cause: Cause) -> History:
        """Append a worker's outcome; an outcome that stands in the log already adds nothing."""
        return await self._transactor.transact(history, decide, cause=cause)

    async def record_numbered(self, history: History, decide: DecideNumbered, *, counter: str, cause: Cause) -> History:
        """Append an outcome that takes the next number of a series, in one transaction."""
        return await self._transactor.transact_numbered(history, decide, counter=counter, cause=cause)

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

    async def _created(self, request: PlaceOrder, order_id: OrderId, stream: str) -> OrderCreated:
        contact = None
        if has_contact(request):
            subject = operational_subject(request.customer_id, order_id)
            contact = await self._vault.seal(subject, stream, contact_of(request))
        total_exact = request.total_exact
        now = datetime.fromtimestamp(self._now_ms() / 1000, tz=UTC)
        return OrderCreated(
            order_id=order_id,
            customer_id=request.customer_id,
            channel=request.channel,
            currency=request.currency,
            country=request.country,
            lines=tuple(
                OrderLine(sku=item.sku, quantity=item.quantity, unit_price=item.price, description=item.description)
                for item in request.items
            ),
            total_exact=total_exact,
            total_minor=round_to_minor(total_exact, request.currency),
            placed_at=request.placed_at or now,
            request_hash=request_hash(request),
            contact=contact,
            reference=request.reference,
            hooks=hooks_of(request),
        )

    def _command(self, order_id: str, purpose: str, actor: Actor, traceparent: str | None) -> Cause:
        return Cause(
            causation_id=order_id,
            purpose=purpose,
            correlation_id=order_id,
            actor=actor,
            source=SOURCE,
            traceparent=traceparent,
        )


def placed(order: Standing) -> Placed:
    """The state of an order that is known to exist."""
    if isinstance(order.state, NotPlaced):
        raise UnknownOrder(f"there is no order in {order.stream}")
    return order.state


def refund_id_for_key(order_id: str, idempotency_key: str) -> str:
    """The refund that a client's Idempotency-Key names: a repeat meets its own request."""
    return ids.event_id(order_id, f"refund:{idempotency_key}")
