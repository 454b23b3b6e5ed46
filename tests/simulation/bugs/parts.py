"""Bugs in what orders do in parts: several attempts and parcels, goods that come, time, people."""

from contextlib import AbstractContextManager
from typing import Any, Final, cast
from unittest.mock import patch

from orderstore.domain import events as e
from projections.views import exception_causes, exceptions
from tests.simulation.bugs.bug import Bug, another
from workers.inventory.storekeeping import Storekeeping
from workers.inventory.table_stock import TableStock
from workers.payment import handler as payment_handler
from workers.payment.gateway import PaymentGateway
from workers.payment.sandbox import SandboxGateway
from workers.sweeping.order_sweep import OrderSweep
from workers.sweeping.rechecking import Rechecking

FAR_MS: Final = 600_000


def _one_key_for_all_attempts() -> AbstractContextManager[Any]:
    """Whatever became of the first attempt is taken for the outcome of each later one."""
    return patch.object(payment_handler, "own_key", lambda order: f"{order.order.order_id}:payment:1")


def _part_as_if_first() -> AbstractContextManager[Any]:
    """What was taken for earlier parcels is forgotten when the next is paid for."""
    real = SandboxGateway.capture

    async def capture(self: SandboxGateway, key: str, **named: Any) -> str:
        return await real(self, key, **{**named, "before_minor": 0})

    return patch.object(SandboxGateway, "capture", capture)


def _refund_under_the_old_key() -> AbstractContextManager[Any]:
    """The provider answers as it did the first time: no."""
    real = payment_handler.PaymentHandler._refund

    async def refund(self: Any, history: Any, gateway: Any, one: Any) -> Any:
        class Again:
            async def refund(self, key: str, *, reference: str, amount: Any) -> Any:
                old = key.removesuffix(f":{one.attempt}") if one.attempt > 1 else key
                return await gateway.refund(old, reference=reference, amount=amount)

        return await real(self, history, cast("PaymentGateway", Again()), one)

    return patch.object(payment_handler.PaymentHandler, "_refund", refund)


def _goods_wake_nobody() -> AbstractContextManager[Any]:
    """Orders that wait for goods hear of none."""

    async def walk(self: Rechecking) -> int:
        return 0

    return patch.object(Rechecking, "walk", walk)


def _the_list_has_the_last_word() -> AbstractContextManager[Any]:
    """An order that stands in a list of what is due: all that it has promised is over, whatever the log says."""
    real = OrderSweep.sweep

    async def sweep(self: OrderSweep, order_id: str) -> bool:
        late = OrderSweep(self._orders, self._hints, now_ms=lambda: self._now_ms() + FAR_MS, observer=self._observer)
        return await real(late, order_id)

    return patch.object(OrderSweep, "sweep", sweep)


def _nobody_is_told_of_a_failed_refund() -> AbstractContextManager[Any]:
    """It is in the log, and in no list."""
    real = exception_causes.begins

    def begins(event: e.Event, since: str) -> Any:
        return None if isinstance(event, e.RefundFailed) else real(event, since)

    return patch.object(exceptions, "begins", begins)


def _cancelled_pieces_stay_set_aside() -> AbstractContextManager[Any]:
    """The log says that they are back, and stock was never told."""

    async def release_part(self: Any, *_: Any, **__: Any) -> None:
        return

    return patch.object(TableStock, "release_part", release_part)


def _a_return_is_restocked_twice() -> AbstractContextManager[Any]:
    """Who does it again puts the goods back again."""
    real = Storekeeping.restock

    async def restock(self: Storekeeping, return_id: str, **named: Any) -> None:
        await real(self, f"{return_id}/{another()}", **named)

    return patch.object(Storekeeping, "restock", restock)


BUGS: Final = (
    Bug("one key for all attempts", _one_key_for_all_attempts),
    Bug("each part is taken as if it were the first", _part_as_if_first),
    Bug("a refund is retried under the old key", _refund_under_the_old_key),
    Bug("goods that come wake nobody", _goods_wake_nobody),
    Bug("the list has the last word", _the_list_has_the_last_word),
    Bug("nobody is told of a failed refund", _nobody_is_told_of_a_failed_refund),
    Bug("cancelled pieces stay set aside", _cancelled_pieces_stay_set_aside),
    Bug("a return is restocked twice", _a_return_is_restocked_twice),
)
