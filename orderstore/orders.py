"""The business verbs. One door for everybody: the API, the importer and the workers extend an order only through here."""

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Final
from uuid import uuid4

import orjson

from orderstore.domain import decisions, ids
from orderstore.domain.events import (
    CancellationReason,
    OrderCreated,
    OrderLine,
    RefundedLine,
    SandboxHooks,
    SealedText,
)
from orderstore.domain.ids import OrderId
from orderstore.domain.money import round_to_minor
from orderstore.domain.rejections import UnknownOrder
from orderstore.domain.state import NotPlaced, Placed
from orderstore.history import History
from orderstore.recorded import Actor, Cause
from orderstore.requests import CancelOrder, PlaceOrder, RequestRefund
from orderstore.transact import Decide, DecideNumbered, Transactor

SOURCE: Final = "order-service"

# Encrypts personal data with the key of a subject: (subject, stream, plain text) -> sealed. See `orderstore/privacy`.
Seal = Callable[[str, str, bytes], Awaitable[SealedText]]


class HooksRefused(Exception):
    """The request uses the sandbox's test hooks, and this service does not run with sandbox providers. Nothing was stored."""


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
        self, transactor: Transactor, *, tenant: str, seal: Seal, hooks_allowed: bool, now_ms: Callable[[], int]
    ) -> None:
        self._transactor = transactor
        self._tenant = tenant
        self._seal = seal
        self._hooks_allowed = hooks_allowed
        self._now_ms = now_ms

    async def load(self, order_id: str) -> History:
        """The order as the log has it now. Raises UnknownOrder."""
        history = await self._transactor.load(ids.stream_of(self._tenant, order_id))
        if isinstance(history.state, NotPlaced):
            raise UnknownOrder(f"there is no order {order_id}")
        return history

    async def place(
        self, request: PlaceOrder, *, actor: Actor, idempotency_key: str | None, traceparent: str | None = None
    ) -> Accepted:
        """Make the order durable, nothing else. A repeat of the same key and request answers the same.

        Raises HooksRefused, KeyReused, StoreError.
        """
        if request.uses_sandbox_hooks and not self._hooks_allowed:
            raise HooksRefused("test hooks are only for the sandbox providers")
        order_id = OrderId(str(uuid4()))
        if idempotency_key is not None:
            order_id = ids.order_id_for_key(self._tenant, idempotency_key)
        stream = ids.stream_of(self._tenant, order_id)
        created = await self._created(request, order_id, stream)
        cause = self._command(order_id, "order-created", actor, traceparent)
        before = History(stream=stream)
        after = await self._transactor.transact(before, partial(decisions.place, order=created), cause=cause)
        first = after.events[0].event
        if not isinstance(first, OrderCreated) or first.request_hash != created.request_hash:
            raise KeyReused("this Idempotency-Key was used for another request")
        return Accepted(after, new=first == created)

    async def cancel(
        self, order_id: str, request: CancelOrder, *, actor: Actor, traceparent: str | None = None
    ) -> History:
        """Ask for the order to be undone. Raises UnknownOrder, OrderClosed, TooLateToCancel."""
        reason: CancellationReason = "operator" if actor.type == "operator" else "customer"
        decide = partial(decisions.request_cancellation, reason=reason, note=request.reason)
        cause = self._command(order_id, "cancellation", actor, traceparent)
        return await self._transactor.transact(await self.load(order_id), decide, cause=cause)

    async def request_refund(
        self,
        order_id: str,
        request: RequestRefund,
        *,
        actor: Actor,
        idempotency_key: str | None,
        traceparent: str | None = None,
    ) -> History:
        """Set money aside to be given back. Raises UnknownOrder, OrderClosed, RefundTooLarge, NothingToRefund."""
        key = idempotency_key if idempotency_key is not None else str(uuid4())
        refund_id = ids.event_id(order_id, f"refund:{key}")
        lines = tuple(RefundedLine(line=line.line, quantity=line.quantity) for line in request.lines)
        decide = partial(decisions.request_refund, refund_id=refund_id, lines=lines, reason=request.reason)
        cause = self._command(order_id, f"refund-requested:{key}", actor, traceparent)
        return await self._transactor.transact(await self.load(order_id), decide, cause=cause)

    async def record(self, history: History, decide: Decide, *, cause: Cause) -> History:
        """Append a worker's outcome; an outcome that stands in the log already adds nothing."""
        return await self._transactor.transact(history, decide, cause=cause)

    async def record_numbered(self, history: History, decide: DecideNumbered, *, counter: str, cause: Cause) -> History:
        """Append an outcome that takes the next number of a series, in one transaction."""
        return await self._transactor.transact_numbered(history, decide, counter=counter, cause=cause)

    async def _created(self, request: PlaceOrder, order_id: OrderId, stream: str) -> OrderCreated:
        contact = None
        if request.customer_email is not None or request.customer_name is not None:
            subject = request.customer_id or f"guest-{order_id}"
            plain = orjson.dumps({"email": request.customer_email, "name": request.customer_name})
            contact = await self._seal(subject, stream, plain)
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
            hooks=_hooks(request),
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


def placed(history: History) -> Placed:
    """The state of an order that is known to exist."""
    if isinstance(history.state, NotPlaced):
        raise UnknownOrder(f"there is no order in {history.stream}")
    return history.state


def request_hash(request: PlaceOrder) -> str:
    """SHA-256 of the request as it was understood: 850 and "850.00" are the same price, another price is another request."""
    understood = request.model_dump(mode="json")
    for item, line in zip(request.items, understood["items"], strict=True):
        line["price"] = format(item.price.normalize(), "f")
    return hashlib.sha256(orjson.dumps(understood, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _hooks(request: PlaceOrder) -> SandboxHooks | None:
    if not request.uses_sandbox_hooks:
        return None
    return SandboxHooks(
        payment_outcome=request.payment_outcome,
        inventory_outcome=request.inventory_outcome,
        technical_failure=request.simulate_technical_failure,
    )
