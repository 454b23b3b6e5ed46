"""Orders on the logs of the conformance suite: the write path that production runs, over every backend."""

from functools import partial

from orderstore.domain import decisions
from orderstore.domain.events import Pieces
from orderstore.history import History
from orderstore.recorded import Cause
from orderstore.transact import Decide, Transactor
from tests.builders import PAID, RESERVED, line, order_created
from tests.contract.event_logs import STREAM, Log
from tests.ordering import TickingClock, cause

PIECES = 64


def transactor_over(log: Log) -> Transactor:
    return Transactor(log.store, now_ms=TickingClock())


async def order_of_two_events(log: Log) -> History:
    """Placed, and its goods set aside: versions 1 | 2."""
    transactor = transactor_over(log)
    created = order_created((line(quantity=PIECES, unit_price="10"),))
    place = partial(decisions.place, order=created)
    reserve = partial(decisions.reserve_inventory, outcome=RESERVED)
    placed = await transactor.transact(History(stream=STREAM), place, cause=cause("order-created"))
    return await transactor.transact(placed, reserve, cause=cause("inventory-outcome"))


def confirming() -> tuple[Decide, Cause]:
    """The payment comes last, so it confirms the order: two events in one commit."""
    return partial(decisions.complete_payment, outcome=PAID), cause("payment-outcome")


async def order_of_four_events(log: Log) -> History:
    """Versions 1 | 2 | 3 and 4."""
    decide, because = confirming()
    history = await transactor_over(log).transact(await order_of_two_events(log), decide, cause=because)
    assert [recorded.commit for recorded in history.events] == [1, 2, 3, 3]
    return history


def refund(name: str) -> tuple[Decide, Cause]:
    """One piece given back; each name is a refund of its own, `PIECES` of them fit into the order."""
    lines = (Pieces(line=0, quantity=1),)
    decide = partial(decisions.request_refund, refund_id=name, lines=lines, reason=None)
    return decide, cause("refund-requested", causation_id=name)


def placing(reference: str) -> tuple[Decide, Cause]:
    """Writes an order's first event, whatever is there: only the expected version can keep it from doing so twice."""
    created = order_created(reference=reference)
    return lambda _: (created,), cause("order-created", causation_id=reference)
