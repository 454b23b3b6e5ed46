"""Reading orders of one tenant and recording what workers report; the base of the business verbs (`orderstore/orders.py`)."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

from orderstore.domain import decisions, ids
from orderstore.domain.events import DiscrepancyFound, PaymentDiscrepancyFound, PersonalDataErased
from orderstore.domain.rejections import UnknownOrder
from orderstore.domain.state import NotPlaced, Placed
from orderstore.expected import Exactly, WrongVersion
from orderstore.history import History, Standing
from orderstore.recorded import Actor, Cause
from orderstore.tracing import continued
from orderstore.transact import ATTEMPTS_MAX, Contended, Decide, DecideNumbered, Transactor

SOURCE: Final = "order-service"


class OrderLog:
    """The log of one tenant's orders."""

    def __init__(
        self,
        transactor: Transactor,
        *,
        tenant: str,
        look: Callable[[str], Awaitable[Standing]] | None = None,
    ) -> None:
        """`look` reads where a stream stands with less than its whole history, if it can (`orderstore.snapshots.standing`)."""
        self._look = look or transactor.load
        self._transactor = transactor
        self._tenant = tenant

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

    async def caught_up(self, history: History) -> History:
        """The same with what others have written since: see `Transactor.caught_up`. Raises StoreError."""
        return await self._transactor.caught_up(history)

    async def note_erased(self, history: History, erasure: PersonalDataErased, *, cause: Cause) -> History:
        """Append that the order's personal data are erased, once for each cause, whoever else appends meanwhile.

        Raises CommandRejected, Contended, StoreError.
        """
        return await self._note(history, partial(decisions.erase_personal_data, erasure=erasure), cause=cause)

    async def note_discrepancy(
        self, history: History, finding: PaymentDiscrepancyFound | DiscrepancyFound, *, cause: Cause
    ) -> History:
        """Append what a reconciliation found, once for each cause. Raises CommandRejected, Contended, StoreError."""
        return await self._note(history, partial(decisions.note_discrepancy, finding=finding), cause=cause)

    async def _note(self, history: History, decide: Decide, *, cause: Cause) -> History:
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

    async def record_on_top(self, history: History, decide: Decide, *, cause: Cause) -> History:
        """Append an outcome of which only the log tells whether it is there already: on top of what was looked through, or not at all.

        Raises WrongVersion: somebody else came first, look again.
        """
        return await self._transactor.transact(history, decide, cause=cause, expected=Exactly(history.version))

    async def record_numbered(self, history: History, decide: DecideNumbered, *, counter: str, cause: Cause) -> History:
        """Append an outcome that takes the next number of a series, in one transaction."""
        return await self._transactor.transact_numbered(history, decide, counter=counter, cause=cause)


def placed(order: Standing) -> Placed:
    """The state of an order that is known to exist."""
    if isinstance(order.state, NotPlaced):
        raise UnknownOrder(f"there is no order in {order.stream}")
    return order.state


def command(order_id: str, purpose: str, actor: Actor, traceparent: str | None) -> Cause:
    """The cause of what somebody asked for: doing it twice is doing it once."""
    return Cause(
        causation_id=order_id,
        purpose=purpose,
        correlation_id=order_id,
        actor=actor,
        source=SOURCE,
        traceparent=continued(None) if traceparent is None else traceparent,
    )
