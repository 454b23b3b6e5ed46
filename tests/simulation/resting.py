"""Where orders may rest: at their end, or with a person who is named. Nobody waits for anything else once nothing is due any more."""

from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, assert_never

from orderstore.codec import CodecError
from orderstore.domain import events as e
from orderstore.domain import timers
from orderstore.domain.deadlines import Due
from orderstore.domain.next_steps import inventory_step
from orderstore.domain.rejections import UnknownOrder
from orderstore.domain.state import (
    INITIAL,
    Cancelled,
    Cancelling,
    Completed,
    Confirmed,
    InFulfilment,
    Placed,
    Received,
    Rejected,
    ReturnStatus,
    State,
    evolve,
)
from orderstore.history import History
from orderstore.orders import placed
from orderstore.store.errors import StoreError
from projections.views import exceptions
from projections.views.exceptions import Exceptions
from tests.projections.stream.fake_stream import wall_ms
from tests.simulation.desk import is_attended
from workers.sweeping.order_sweep import waited_for

if TYPE_CHECKING:
    from tests.simulation.run import Run

SOON_S: Final = 1_800.0
"""What is due within this is waited for before anybody looks: the longest term of an order here is minutes."""
CLOCKS_S: Final = 7.0
"""By so much two clocks may differ."""
QUIET_S: Final = 30.0
"""For so long nobody may have written anything: people look every ten seconds."""
BEGUN: Final = (
    e.PaymentCompleted,
    e.PaymentFailed,
    e.PaymentActionRequired,
    e.InventoryReserved,
    e.InventoryPartiallyReserved,
    e.InventoryFailed,
)
"""What shows that somebody has begun with an order."""
PROMISE: Final = "promise:"
UNREADABLE: Final = (StoreError, CodecError, UnknownOrder)


async def restless(run: "Run") -> str:
    """What is still to come of itself; "" for nothing."""
    if run.habits.plain:
        return ""
    now_ms = wall_ms()
    for order_id in run.customers.placed.values():
        try:
            history = await run.known.order(order_id)
        except UNREADABLE:
            continue  # it is told when everything is looked at
        if now_ms - history.events[-1].recorded_at_ms < QUIET_S * 1_000:
            return f"{order_id} has just moved"
        if waits := inventory_step(history.state):
            return f"{order_id}: {waits} is still to come"
        if due := next((due for due in _dues(history) if (due.due_at.timestamp() - now_ms / 1_000) < SOON_S), None):
            return f"{order_id}: {due} is still to come"
    return ""


def _dues(history: History) -> tuple[Due, ...]:
    return waited_for(history).dues()


async def resting(run: "Run", histories: Mapping[str, History]) -> AsyncIterator[str]:
    """Orders that wait, and nobody is named who is to do anything; or for whom a promise has ended, and nobody has noticed."""
    for order_id, history in histories.items():
        order, view = placed(history), _exceptions_of(history)
        named = bool(view is not None and view.open) or ran_out(history)
        if (problem := _wrongly_at_rest(order, named=named)) is not None:
            yield f"order {order_id}: {problem}"
        if (
            is_attended(run, order_id)
            and order_id not in run.customers.held
            and not (_ended(order) or ran_out(history))
        ):
            yield f"order {order_id}: people care for it, and it rests as {type(order).__name__}: {_said(view)}"
        if is_attended(run, order_id) and isinstance(order, Completed) and order.payment.refunds_owed:
            yield f"order {order_id}: people care for it, and its customer still waits for money"
        for problem in _too_early(history):
            yield f"order {order_id}: {problem}"
        over = timers.first_over(history.state, now=datetime.fromtimestamp(wall_ms() / 1_000, tz=UTC))
        if over is not None:
            yield f"order {order_id}: {over} is over, and nothing followed"


def _too_early(history: History) -> Iterator[str]:
    """What time brought, and was not yet over by then; clocks are off by seconds."""
    state: State = INITIAL
    for recorded in history.events:
        event, by = recorded.event, datetime.fromtimestamp(recorded.recorded_at_ms / 1_000 + CLOCKS_S, tz=UTC)
        over = [due for due in timers.dues(state) if due.at <= by]
        early = False
        match event:
            case e.OrderExpired():
                early = not any(due.timer == event.deadline for due in over)
            case e.OrderActionAnswered(answer="expired"):
                early = not any(due.subject == event.action_id for due in over)
            case e.OrderGraceEnded():
                early = not any(due.timer == "grace" for due in over)
            case e.OrderActionRequired() if event.action_id.startswith(PROMISE):
                early = not any(due.timer == "promise" for due in over)
            case _ if isinstance(event, BEGUN):
                early = isinstance(state, Received) and state.grace_until is not None
            case _:
                pass
        if early:
            yield f"{event} came too early: {timers.dues(state)}"
        state = evolve(state, event)


def ran_out(history: History) -> bool:
    """Whether the rest of its money is held nowhere, and a person was told of it: nobody else can do anything about that."""
    return any(
        isinstance(recorded.event, e.DiscrepancyFound) and recorded.event.kind == "hold_ran_out"
        for recorded in history.events
    )


def _ended(order: Placed) -> bool:
    return isinstance(order, Completed | Cancelled | Rejected)


def _wrongly_at_rest(order: Placed, *, named: bool) -> str | None:
    """Whether an order may stay where it is."""
    match order:
        case Completed() | Cancelled() | Rejected():
            if named or not _owes(order):
                return None
            return "it has ended, something is owed, and nobody is named who is to see to it"
        case Received() | Confirmed() | InFulfilment() | Cancelling():
            return None if named else f"it rests as {type(order).__name__}, and nobody is named who is to act"
        case _:
            assert_never(order)  # type: ignore[arg-type]  # the union of statuses is closed


def _owes(order: Placed) -> bool:
    refunds = bool(order.payment.refunds_owed) and isinstance(order, Completed)
    looked_at = (ReturnStatus.REQUESTED, ReturnStatus.RECEIVED)
    return refunds or any(one.status in looked_at for one in order.returns)


def _exceptions_of(history: History) -> Exceptions | None:
    """Folded from the log; that the stored view is equal is checked with all views."""
    view: Exceptions | None = None
    for recorded in history.events:
        view = exceptions.evolve(view, recorded)
    return view


def _said(view: Exceptions | None) -> list[str]:
    return [] if view is None else [f"{entry.kind} {entry.cause}" for entry in view.open]
