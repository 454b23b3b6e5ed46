"""The business verbs. One door for everybody: the API, the importer and the workers extend an order only through here.

What people want of an order is a `Wish` (`orderstore/wishes`), and `Orders.ask` carries it out. The verbs that are methods here are those
that need more than the order: a new one, or two of them.
"""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

from orderstore import withdrawal
from orderstore.asked import contact_of, created_of, has_contact, request_hash
from orderstore.asked_terms import NOTHING_PROMISED, USUAL, Promises
from orderstore.asking import Asking
from orderstore.change_requests import DelayOrder, RequestReturn
from orderstore.domain import decisions, ids
from orderstore.domain.allowances import DEFAULTS
from orderstore.domain.events import Allowances, Event, OrderCreated, Terms
from orderstore.domain.ids import OrderId
from orderstore.domain.rejections import ApprovalNeeded, CommandRejected, ExchangeRefused
from orderstore.domain.state import Cancelled, Cancelling, NotPlaced, State
from orderstore.exchanges import replacement
from orderstore.expected import Expected, WrongVersion, check_expected
from orderstore.history import History, Standing
from orderstore.order_log import SOURCE, command, placed
from orderstore.privacy.keys import KeyErased, KeyUnusable
from orderstore.privacy.subjects import operational_subject
from orderstore.privacy.words import UNREADABLE, Vault
from orderstore.recorded import Actor
from orderstore.requests import CancelOrder, HoldOrder, PlaceOrder, ReleaseHold, RequestRefund
from orderstore.transact import ANY, Transactor
from orderstore.wishes import holding, returning, telling, undoing
from orderstore.wishes.wish import CustomerErased, Granted, KeyReused

__all__ = ("SOURCE", "CustomerErased", "KeyReused", "placed")  # beside everything that is defined here


class HooksRefused(Exception):
    """The request uses the sandbox's test hooks, and this service does not run with sandbox providers. Nothing was stored."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The order's history after the request; `new` is False when a repeat met its own first commit."""

    history: History
    new: bool


class Orders(Asking):
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
        terms: Terms = USUAL,
        promises: Promises = NOTHING_PROMISED,
        return_days: int = withdrawal.DAYS,
    ) -> None:
        """`look` reads where a stream stands with less than its whole history, if it can (`orderstore.snapshots.standing`);
        `allowances`, and `terms` and `promises` where a request asks for none, are those of every order that is placed from now on; for
        `return_days` after its delivery an order may come back without a person deciding on it."""
        super().__init__(transactor, tenant=tenant, vault=vault, look=look)
        self._hooks_allowed = hooks_allowed
        self._now_ms = now_ms
        self._allowances = allowances
        self._terms = terms
        self._promises = promises
        self._return_days = return_days

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
            await self._check_same_order(after, request)
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
        wish = undoing.cancel(request, actor=actor)
        return (await self.ask(order_id, wish, actor=actor, expected=expected, traceparent=traceparent)).history

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
        """Set money aside to be given back. Raises UnknownOrder, OrderClosed, RefundTooLarge, NothingToRefund, KeyReused, WrongVersion."""
        key = idempotency_key if idempotency_key is not None else str(uuid4())
        wish = undoing.refund(order_id, request, idempotency_key=key)
        return (await self.ask(order_id, wish, actor=actor, expected=expected, traceparent=traceparent)).history

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
        wish = holding.hold(order_id, request, idempotency_key=idempotency_key)
        granted = await self.ask(order_id, wish, actor=actor, expected=expected, traceparent=traceparent)
        return Accepted(granted.history, new=granted.new)

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
        wish = holding.release(hold_id, request)
        return (await self.ask(order_id, wish, actor=actor, expected=expected, traceparent=traceparent)).history

    async def delay(
        self,
        order_id: str,
        request: DelayOrder,
        *,
        actor: Actor,
        idempotency_key: str,
        expected: Expected = ANY,
        traceparent: str | None = None,
    ) -> Granted:
        """Say that the goods will leave later; a question to the customer counts from now. Raises UnknownOrder, OrderClosed, PromiseOver,
        TooManyDelays, KeyReused, WrongVersion."""
        wish = telling.delay(order_id, request, idempotency_key=idempotency_key, now=self._now())
        return await self.ask(order_id, wish, actor=actor, expected=expected, traceparent=traceparent)

    async def request_return(
        self,
        order_id: str,
        request: RequestReturn,
        *,
        actor: Actor,
        idempotency_key: str,
        expected: Expected = ANY,
        traceparent: str | None = None,
    ) -> Granted:
        """Announce that pieces come back: allowed at once within the time for it, else for a person to decide. For an exchange the order
        that replaces them is placed first; where the second step fails for technical reasons, a repeat finishes it.

        Raises UnknownOrder, NothingToReturn, TooManyReturns, ApprovalNeeded, ExchangeRefused, KeyReused, CustomerErased,
        WrongVersion.
        """
        return_id = returning.return_id_for_key(order_id, idempotency_key)
        history = await self.load(order_id)
        approved = withdrawal.may_withdraw(history, days=self._return_days, now=self._now())
        exchange_id = None
        if request.exchange is not None:
            exchange_id = ids.order_id_for_key(self._tenant, _exchange_key(return_id))
        wish = returning.request(return_id, request, approved=approved, exchange_order_id=exchange_id)
        if exchange_id is not None and wish.decide(history.state, None):
            if not approved:
                raise ApprovalNeeded(
                    "the time for it is over: ask for the return alone, and place the other order when it is approved"
                )
            check_expected(expected, version=history.version)
            await self._replace(history, request, return_id, actor, traceparent)
        try:
            granted = await self.ask(order_id, wish, actor=actor, expected=expected, traceparent=traceparent)
        except (CommandRejected, WrongVersion):
            if exchange_id is not None and await self._is_for_nothing(order_id, return_id, exchange_id):
                await self.cancel(exchange_id, CancelOrder(), actor=actor, traceparent=traceparent)
            raise
        if exchange_id is not None and not granted.new:
            with suppress(CustomerErased, ExchangeRefused):  # whether it is the same exchange cannot be told any more
                await self._replace(history, request, return_id, actor, traceparent)
        return granted

    async def _replace(
        self, history: History, request: RequestReturn, return_id: str, actor: Actor, traceparent: str | None
    ) -> None:
        """Place the order that replaces what comes back, or find it placed. Raises ExchangeRefused, KeyReused, CustomerErased."""
        assert request.exchange is not None
        wanted = await replacement(placed(history).order, request.exchange, vault=self._vault, stream=history.stream)
        accepted = await self.place(
            wanted, actor=actor, idempotency_key=_exchange_key(return_id), traceparent=traceparent
        )
        if isinstance(accepted.history.state, Cancelling | Cancelled):
            raise ExchangeRefused(
                "the order that was to replace these pieces was cancelled: ask again with another Idempotency-Key"
            )

    async def _is_for_nothing(self, order_id: str, return_id: str, exchange_id: str) -> bool:
        """Whether an order was placed in the place of pieces that do not come back."""
        order = placed(await self.load(order_id))
        if any(one.return_id == return_id for one in order.returns):
            return False
        return not isinstance((await self._transactor.load(ids.stream_of(self._tenant, exchange_id))).state, NotPlaced)

    async def _repeated(self, stream: str, request: PlaceOrder, unreadable: KeyErased | KeyUnusable) -> Accepted:
        """Nothing more can be sealed for this customer; but what was placed before is still answered, from the log."""
        history = await self._transactor.load(stream)
        if not isinstance(history.state, NotPlaced):
            await self._check_same_order(history, request)
            return Accepted(history, new=False)
        if isinstance(unreadable, KeyErased):
            raise CustomerErased("this customer's personal data were erased: none can be kept any more") from unreadable
        raise unreadable

    async def _check_same_order(self, history: History, request: PlaceOrder) -> None:
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
        return created_of(
            request,
            order_id=order_id,
            contact=contact,
            allowances=self._allowances,
            terms=self._terms,
            promises=self._promises,
            now=self._now(),
        )

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._now_ms() / 1000, tz=UTC)


def _exchange_key(return_id: str) -> str:
    """Names the order that replaces what comes back: a repeat meets it."""
    return f"exchange:{return_id}"
