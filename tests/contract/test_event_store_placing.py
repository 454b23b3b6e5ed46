"""Placing an order twice is placing it once: the log itself remembers the key, for ever, over every backend."""

from typing import Any

import anyio
import pytest

from orderstore.domain.rejections import OrderClosed
from orderstore.orders import Accepted, KeyReused, Orders
from orderstore.requests import CancelOrder, RequestRefund
from orderstore.store.errors import Unavailable
from projections.http.translation import problem_of
from tests.contract.event_logs import QUICK, WRITERS, Log, everywhere, over_a_wire, time_out
from tests.ordering import ACTOR, TickingClock, orders_over, request

CLOCK = TickingClock()  # one for all processes: it never shows two of them the same millisecond


def process(log: Log) -> Orders:
    """A process of its own over the same log."""
    return orders_over(log.store, now_ms=CLOCK)


async def place(orders: Orders, key: str = "key-1", **changes: Any) -> Accepted:
    return await orders.place(request(**changes), actor=ACTOR, idempotency_key=key)


async def streams(log: Log) -> list[str]:
    return [stream async for stream in log.store.streams()]


@everywhere
async def test_the_same_key_and_the_same_request_meet_the_first_order(log: Log) -> None:
    """Another process, another day: the same order id, the same first event, one commit, and no read to find out."""  # E049
    first = await place(process(log))
    if log.wire is not None:
        log.wire.calls.clear()

    again = await place(process(log))

    assert (first.new, again.new) == (True, False)
    assert again.history.events == first.history.events
    if log.wire is not None:
        assert log.wire.calls == {"put_item": 1}
    assert len(await log.store.read(first.history.stream)) == 1


@everywhere
@pytest.mark.parametrize(
    "changes",
    [{"currency": "EUR"}, {"reference": "PO-2"}, {"customerEmail": "eve@example.com"}],
    ids=lambda c: next(iter(c)),
)
async def test_the_same_key_and_another_request_is_refused(log: Log, changes: dict[str, str]) -> None:
    """422, for what was ordered and for whom; the first order stays as it was, and the answer tells nothing of it."""
    first = await place(process(log))

    with pytest.raises(KeyReused) as refused:
        await place(process(log), **changes)

    assert problem_of(refused.value).kind.status == 422
    assert await log.store.read(first.history.stream) == (first.history.head,)
    assert await streams(log) == [first.history.stream]


@everywhere
async def test_another_key_is_another_order(log: Log) -> None:
    """As no key at all is."""
    orders = process(log)
    for key in ("key-1", "key-2", None, None):
        assert (await orders.place(request(), actor=ACTOR, idempotency_key=key)).new

    assert len(await streams(log)) == 4


@everywhere
async def test_of_64_repeats_at_once_one_is_new(log: Log) -> None:
    """And all have the same answer."""
    answers: list[Accepted] = []

    async def repeat() -> None:
        answers.append(await place(process(log)))

    async with anyio.create_task_group() as repeating:
        for _ in range(WRITERS):
            repeating.start_soon(repeat)

    assert len(await streams(log)) == 1
    assert len({answer.history.events[0].event_id for answer in answers}) == 1
    assert sum(answer.new for answer in answers) == 1


@everywhere
async def test_a_command_that_the_order_is_past_is_refused_and_its_repeat_is_not(log: Log) -> None:
    """409 where the state says no; the answer of the first time where it is so already."""
    orders = process(log)
    order_id = (await place(orders)).history.events[0].order_id
    cancelled = await orders.cancel(order_id, CancelOrder(), actor=ACTOR)
    asked = RequestRefund.model_validate({"lines": [{"line": 0, "quantity": 1}]})

    with pytest.raises(OrderClosed) as refused:
        await orders.request_refund(order_id, asked, actor=ACTOR, idempotency_key="refund-1")
    again = await orders.cancel(order_id, CancelOrder(), actor=ACTOR)

    assert problem_of(refused.value).kind.status == 409
    assert again.events == cancelled.events


@over_a_wire
@pytest.mark.parametrize("landed", [True, False], ids=["landed", "lost"])
async def test_a_doubtful_order_repeated_with_its_key_is_one_order(log: Log, *, landed: bool) -> None:
    """Every try timed out: 503 says that it may have been stored; the repeat finds it, or stores it: never twice."""  # D03
    assert log.wire is not None
    if landed:
        log.wire.fail_after("put_item", time_out())
    log.wire.fail_before("put_item", *(time_out() for _ in range(QUICK.tries_max - landed)))

    with pytest.raises(Unavailable) as doubt:
        await place(process(log))
    problem = problem_of(doubt.value)
    again = await place(process(log))

    assert doubt.value.ambiguous
    assert (problem.kind.status, "may have been stored" in problem.detail) == (503, True)
    assert again.new is not landed
    assert await log.store.read(again.history.stream) == (again.history.head,)
    assert await streams(log) == [again.history.stream]
