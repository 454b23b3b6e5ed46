"""What cannot be undone ends in the list of exceptions, never silently, and goes on when somebody has it tried again."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from orderstore.change_requests import ActOnStage
from orderstore.domain import decisions as d
from orderstore.domain import events as e
from orderstore.recorded import Actor
from orderstore.wishes import resuming
from projections.views import exceptions
from tests.virtual_time import run_virtual
from tests.workers.sweeping.sweep_world import CountingSweeps
from tests.workers.world import World
from workers.hinting import message_for
from workers.payment.gateway import GatewayRefused, GatewayUnavailable
from workers.sweeping.order_sweep import OrderSweep

OPS = Actor("operator", "olga")
HOUR_MS = 3_600_000


class Queues(CountingSweeps):
    """Hints that reach the workers."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world

    async def hint(self, department: str, history: Any) -> None:
        self.hints.append((department, history.stream))
        self.world.send(department, message_for(department, history))


async def open_entries(world: World, order_id: str) -> list[tuple[str, str, str | None]]:
    view = None
    for recorded in (await world.orders.load(order_id)).events:
        view = exceptions.evolve(view, recorded)
    return [] if view is None else [(one.kind, one.cause, one.reference) for one in view.open]


async def try_for_an_hour(world: World) -> None:
    """The messages come back until the queue gives them up: they are dead letters then."""
    with suppress(AssertionError):
        await world.deliver(rounds_max=60)
    world.messages.clear()
    world.time_ms += HOUR_MS


def broken(kind: str, error: Exception) -> Callable[[Any], Any]:
    """A port of which this call fails."""

    class Broken:
        def __init__(self, real: Any) -> None:
            self._real = real

        def __getattr__(self, name: str) -> Any:
            if name == kind:

                async def failing(*_arguments: object, **_named: object) -> None:
                    raise error

                return failing
            return getattr(self._real, name)

    return Broken


CASES: dict[str, Callable[[World], Callable[[], None]]] = {}


def break_void(world: World) -> Callable[[], None]:
    """The provider refuses the void; what mends it."""
    handler = world.handlers["payment"]
    real = handler._gateway_for
    handler._gateway_for = lambda order: broken("void", GatewayUnavailable("down"))(real(order))
    return lambda: setattr(handler, "_gateway_for", real)


def break_release(world: World) -> Callable[[], None]:
    """The stock's table cannot be written."""
    handler = world.handlers["inventory"]
    real = handler._stock_for
    handler._stock_for = lambda order: broken("release", ConnectionError("down"))(real(order))
    return lambda: setattr(handler, "_stock_for", real)


@pytest.mark.parametrize("breaking", [break_void, break_release])
def test_what_cannot_be_let_go_stalls_and_is_done_when_somebody_says_so(breaking) -> None:
    """The void is refused, or the release fails, until the messages are dead letters: then a person sees it, and has it tried again."""

    async def scenario() -> None:
        world = World()
        world.wants = lambda queue, _: queue in ("payment", "inventory")
        order_id = await world.place()
        await world.deliver()
        assert await world.status(order_id) == "Confirmed"
        mend = breaking(world)
        await world.cancel(order_id)
        await try_for_an_hour(world)
        assert await world.status(order_id) == "Cancelling"

        seen = Queues(world)
        sweep = OrderSweep(world.orders, seen, now_ms=world.now_ms, observer=seen)
        assert await sweep.sweep(order_id)
        assert await open_entries(world, order_id) == [("compensation_failed", "undo", None)]
        await try_for_an_hour(world)
        assert await world.status(order_id) == "Cancelling", "woken once more, and still broken"
        assert not await sweep.sweep(order_id), "told once"

        mend()
        asked = ActOnStage(stage="undo", action="retry", reason="it is back")
        granted = await world.orders.ask(order_id, resuming.act(asked, idempotency_key="k"), actor=OPS)
        assert (granted.event.action, granted.recorded.actor) == ("retry", OPS)
        assert await sweep.wake(granted.history)
        await world.deliver()

        assert await world.status(order_id) == "Cancelled"
        assert await open_entries(world, order_id) == []

    run_virtual(scenario)


def test_a_refund_that_failed_is_listed_by_name_until_it_is_given() -> None:
    """No stage has stalled yet: the failure itself is the exception. Whoever has it tried again is on record with why."""

    async def scenario() -> None:
        world = World(capture="at_once")
        order_id = await world.place()
        await world.deliver()
        handler = world.handlers["payment"]
        real = handler._gateway_for
        handler._gateway_for = lambda order: broken("refund", GatewayRefused("account_closed"))(real(order))
        await world.refund(order_id, 1, 1)
        await try_for_an_hour(world)
        [(kind, _, refund_id)] = await open_entries(world, order_id)
        assert kind == "refund_failed"

        handler._gateway_for = real
        asked = ActOnStage(stage="refund", subject=refund_id, action="retry", reason="she gave another account")
        granted = await world.orders.ask(order_id, resuming.act(asked, idempotency_key="k"), actor=OPS)
        assert [recorded.name for recorded in granted.history.events[-2:]] == ["OrderProcessResumed", "RefundRetried"]
        assert granted.event.note.sealed is not None
        assert await open_entries(world, order_id) == []
        await world.deliver()

        assert "RefundIssued" in await world.events(order_id)
        assert await open_entries(world, order_id) == []

    run_virtual(scenario)


def test_a_refund_that_cannot_be_given_at_all_stalls_too() -> None:
    """The failure is listed at once; that the money is owed for fourteen days is another entry, for the same refund."""

    async def scenario() -> None:
        world = World(capture="at_once")
        order_id = await world.place()
        await world.deliver()
        history = await world.orders.load(order_id)
        refund = e.RefundFailed(refund_id="r1", attempt=1, code="gone")
        asked = d.request_refund(history.state, refund_id="r1", lines=(e.Pieces(line=1, quantity=1),), reason=None)
        world.wants = lambda *_: False
        for events in (asked, (refund,)):
            history = await world.orders.record(history, lambda _state, events=events: events, cause=_cause(events))
        world.time_ms += 15 * 24 * HOUR_MS
        seen = Queues(world)
        assert await OrderSweep(world.orders, seen, now_ms=world.now_ms, observer=seen).sweep(order_id)

        assert await open_entries(world, order_id) == [
            ("refund_failed", "gone", "r1"),
            ("compensation_failed", "refund", "r1"),
        ]

    run_virtual(scenario)


def _cause(events: tuple[e.Event, ...]) -> Any:
    from tests.ordering import cause

    return cause(type(events[0]).__name__)
