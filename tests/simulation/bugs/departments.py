"""Bugs in payment, inventory and billing."""

from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any, Final, cast
from unittest.mock import patch

from orderstore.domain import next_steps
from orderstore.domain.next_steps import IssueInvoice
from orderstore.domain.state import Cancelling, State
from tests.simulation.bugs.bug import Bug, another
from workers.billing import handler as billing_handler
from workers.inventory import reservation
from workers.inventory.table_stock import TableStock
from workers.payment import handler as payment_handler
from workers.payment import outcomes
from workers.payment.attempts import Attempt, TableAttempts
from workers.payment.gateway import Declined, PaymentGateway


def _new_key_for_each_try() -> AbstractContextManager[Any]:
    """The provider is asked under another key each time."""
    real = outcomes.own_key
    return patch.object(payment_handler, "own_key", lambda order: f"{real(order)}:{another()}")


def _time_out_is_a_decline() -> AbstractContextManager[Any]:
    real = payment_handler.PaymentHandler._outcome

    async def outcome(self: Any, order: Any, gateway: Any, attempt: Any) -> Any:
        try:
            return await real(self, order, gateway, attempt)
        except Exception:  # noqa: BLE001 - that is the bug
            return Declined("soft", "time_out")

    return patch.object(payment_handler.PaymentHandler, "_outcome", outcome)


def _cancellation_ignores_the_attempt() -> AbstractContextManager[Any]:
    """A payment that is under way is taken for one that was never begun."""

    async def abandon(self: TableAttempts, key: str, *, order_id: str) -> Any:
        return Attempt(key=key, state="abandoned")

    return patch.object(TableAttempts, "abandon", abandon)


def _refund_under_a_new_key() -> AbstractContextManager[Any]:
    """A refund whose answer was lost is made again."""
    real = payment_handler.PaymentHandler._refund

    async def refund(self: Any, history: Any, gateway: Any, one: Any) -> Any:
        class Again:
            async def refund(self, key: str, *, reference: str, amount: Any) -> Any:
                return await gateway.refund(key + another(), reference=reference, amount=amount)

        return await real(self, history, cast("PaymentGateway", Again()), one)

    return patch.object(payment_handler.PaymentHandler, "_refund", refund)


def _stock_without_a_record() -> AbstractContextManager[Any]:
    """A reservation that is repeated takes the goods again."""
    real = reservation.hold_whole

    def hold_whole(reservation_id: str, held: Any, **told: Any) -> Any:
        head, *takes = real(reservation_id, held, **told)
        return (replace(head, key={"key": f"{head.key['key']}/{another()}"}), *takes)

    return patch.object(reservation, "hold_whole", hold_whole)


def _stock_is_not_released() -> AbstractContextManager[Any]:
    real = next_steps.inventory_step

    def step(state: State) -> Any:
        return None if isinstance(state, Cancelling) else real(state)

    return patch.object(next_steps, "inventory_step", step)


def _goods_do_not_leave() -> AbstractContextManager[Any]:
    """The log says that a parcel's goods are gone, and stock was never told."""

    async def commit(self: Any, *_: Any) -> None:
        return

    return patch.object(TableStock, "commit", commit)


def _billing_hears_of_no_refund() -> AbstractContextManager[Any]:
    """Only goods that leave ask billing for anything, as before there were credit notes."""
    real = next_steps.billing_step

    def step(state: State) -> Any:
        wanted = real(state)
        return wanted if isinstance(wanted, IssueInvoice) else None

    return patch.object(billing_handler, "billing_step", step)


BUGS: Final = (
    Bug("another payment key for each try", _new_key_for_each_try),
    Bug("a time-out is a decline", _time_out_is_a_decline),
    Bug("a cancellation ignores the payment under way", _cancellation_ignores_the_attempt),
    Bug("a refund is made again under a new key", _refund_under_a_new_key),
    Bug("a reservation is taken again", _stock_without_a_record),
    Bug("a cancellation keeps the stock", _stock_is_not_released),
    Bug("the goods of a parcel stay set aside", _goods_do_not_leave),
    Bug("billing does not hear of refunds", _billing_hears_of_no_refund),
)
