"""Every timer of the order service on a virtual clock: nothing a moment too early, and what follows when its time is over.

The timers that live elsewhere, and where they are tested: how long webhooks are tried (`tests/workers/webhooks`), how long an event waits
for its publication (`tests/projections/publishing`, `orderstore_unpublished_oldest_age_seconds`), the days in which goods may come back
(`orderstore/withdrawal.py`). The grace before the work, the promised day, and the warning before held money is let go: see
`test_grace_and_promises.py`.
"""

from collections.abc import Callable
from datetime import timedelta
from functools import partial

import anyio
import pytest

from orderstore.domain import decisions as d
from orderstore.domain import events as e
from orderstore.domain.state import Cancelling, Confirmed, InFulfilment
from tests.builders import BOOKED, CAPTURED, DISPATCHED, PAID, RESERVED, SHORT
from tests.virtual_time import run_virtual
from tests.workers.sweeping.sweep_world import SweepWorld

MINUTE_S, HOUR_S, DAY_S = 60, 3_600, 86_400
LATEST_S = 60
"""A sweep every half minute, and a projector a moment behind: so much later everything that is due is done."""
MISSING = (e.Pieces(line=1, quantity=1),)
PAY = partial(d.complete_payment, outcome=PAID)
RESERVE = partial(d.reserve_inventory, outcome=RESERVED)
BOOK = partial(d.create_shipment, outcome=BOOKED)
SEND = partial(d.dispatch_shipment, outcome=DISPATCHED)
CAPTURE = partial(d.capture_payment, outcome=CAPTURED)
UNTAKEN = e.OrderProcessResumed(stage="capture", action="resume")


async def before_and_after(world: SweepWorld, order_id: str, due_s: float) -> tuple[list[str], list[e.Event]]:
    """The names of what had happened just before the time was over, and what has happened since, shortly after it."""
    await anyio.sleep(due_s - anyio.current_time() - 300)
    async with world.running(world.sweeper()):
        await anyio.sleep(299)
        names = await world.names(order_id)
        await anyio.sleep(1 + LATEST_S)
        return names, (await world.events(order_id))[len(names) :]


def test_payment_retry_ends_an_order_that_nobody_paid_for() -> None:
    """A soft decline keeps the goods until then: the order expires, and is undone because of its payment."""

    async def scenario() -> None:
        world = SweepWorld()
        order_id = await world.place()
        declined = e.PaymentFailed(attempt=1, category="soft", code="no_funds", retry_until=world.inside(minutes=10))
        history = await world.happen(order_id, RESERVE, partial(d.fail_payment, outcome=declined))

        before, since = await before_and_after(world, order_id, 10 * MINUTE_S)
        assert len(before) == history.version
        assert since == [
            e.OrderExpired(deadline="payment_retry"),
            e.OrderCancellationRequested(reason="payment_failed"),
        ]
        assert world.seen.counts["payment_retry"] == 1

    run_virtual(scenario)


def test_payment_action_ends_an_order_whose_customer_never_came_back() -> None:
    """A challenge that nobody answers is no decline, and no payment either."""

    async def scenario() -> None:
        world = SweepWorld()
        order_id = await world.place(allowances=e.Allowances(outcomes_s=2 * DAY_S))
        asked = e.PaymentActionRequired(attempt=1, provider_reference="pi", deadline=world.inside(days=1))
        history = await world.happen(order_id, RESERVE, partial(d.require_payment_action, outcome=asked))

        before, since = await before_and_after(world, order_id, DAY_S)
        assert len(before) == history.version
        assert since == [
            e.OrderExpired(deadline="payment_action"),
            e.OrderCancellationRequested(reason="payment_failed"),
        ]

    run_virtual(scenario)


def test_reservation_ends_and_the_goods_go_back_when_nobody_paid_by_then() -> None:
    """Before the time to pay is over; a paid order keeps its goods."""

    async def scenario() -> None:
        world = SweepWorld()
        unpaid, paid = await world.place(1), await world.place(2)
        declined = e.PaymentFailed(attempt=1, category="soft", code="no_funds", retry_until=world.inside(hours=1))
        kept = partial(
            d.reserve_inventory, outcome=e.InventoryReserved(reservation_id="r", expires_at=world.inside(minutes=14))
        )
        await world.happen(unpaid, partial(d.fail_payment, outcome=declined), kept)
        held = await world.happen(paid, kept, PAY)

        before, since = await before_and_after(world, unpaid, 14 * MINUTE_S)
        assert before[-1] == "InventoryReserved"
        assert since == [
            e.OrderExpired(deadline="reservation"),
            e.ReservationExpired(reservation_id="r"),
            e.OrderCancellationRequested(reason="payment_failed"),
        ]
        assert (await world.orders.load(paid)).version == held.version

    run_virtual(scenario)


def test_authorization_that_was_not_taken_begins_another_attempt() -> None:
    """`capture_before` of the provider: what is held no longer is asked for anew, with the same method; and somebody sees it."""

    async def scenario() -> None:
        world = SweepWorld()
        order_id = await world.place(allowances=e.Allowances(dispatch_s=20 * DAY_S))
        paid = e.PaymentCompleted(
            attempt=1,
            mode="authorized",
            amount_minor=90_000,
            provider_reference="ch",
            capture_before=world.inside(days=7),
        )
        await world.happen(order_id, partial(d.complete_payment, outcome=paid), RESERVE)

        before, since = await before_and_after(world, order_id, 7 * DAY_S)
        assert before[3:] == ["OrderConfirmed", "OrderProcessStalled"]  # it was told that the money is not taken
        assert since == [e.PaymentAuthorizationExpired(provider_reference="ch"), UNTAKEN]
        assert await world.open_kinds(order_id) == ["unpaid"]

    run_virtual(scenario)


@pytest.mark.parametrize("captured", [True, False])
def test_an_authorization_that_was_taken_in_time_expires_nothing(captured: bool) -> None:
    """The list of the views may still have it: the log decides."""

    async def scenario() -> None:
        world = SweepWorld()
        order_id = await world.place(allowances=e.Allowances(dispatch_s=20 * DAY_S, delivery_s=20 * DAY_S))
        paid = e.PaymentCompleted(
            attempt=1,
            mode="authorized",
            amount_minor=90_000,
            provider_reference="ch",
            capture_before=world.inside(days=7),
        )
        steps = (partial(d.complete_payment, outcome=paid), RESERVE, BOOK, SEND, *((CAPTURE,) if captured else ()))
        await world.happen(order_id, *steps)

        _, since = await before_and_after(world, order_id, 7 * DAY_S)
        assert since == ([] if captured else [e.PaymentAuthorizationExpired(provider_reference="ch"), UNTAKEN])

    run_virtual(scenario)


def test_answer_to_what_is_missing_the_order_goes_on_without_it() -> None:
    """72 hours: silence means that the missing lines are cancelled."""

    async def scenario() -> None:
        world = SweepWorld()
        order_id = await world.place(terms=e.Terms(missing_stock="ask"), allowances=e.Allowances(outcomes_s=9 * DAY_S))
        partly = e.InventoryPartiallyReserved(
            reservation_id="r",
            allocations=(
                e.Allocation(location="main", lines=(e.Pieces(line=0, quantity=1), e.Pieces(line=1, quantity=1))),
            ),
            missing=MISSING,
            answer_by=world.inside(hours=72),
        )
        history = await world.happen(order_id, PAY, partial(d.partly_reserve_inventory, outcome=partly))

        before, since = await before_and_after(world, order_id, 72 * HOUR_S)
        assert len(before) == history.version
        assert [type(event).__name__ for event in since] == ["OrderActionAnswered", "LinesCancelled", "OrderConfirmed"]
        assert since[0] == e.OrderActionAnswered(action_id="missing_stock", answer="expired")

    run_virtual(scenario)


def test_answer_to_a_delay_without_consent_the_order_is_undone() -> None:
    """Silence is no consent (16 CFR 435.2)."""

    async def scenario() -> None:
        world = SweepWorld()
        order_id = await world.place(allowances=e.Allowances(dispatch_s=20 * DAY_S))
        late = e.ShipmentDelayed(
            delay_id="d1", promised_at=world.inside(days=40), reason="supplier", consent_by=world.inside(days=3)
        )
        await world.happen(order_id, PAY, RESERVE, partial(d.delay_shipment, outcome=late))

        before, since = await before_and_after(world, order_id, 3 * DAY_S)
        assert before[-1] == "OrderActionRequired"
        assert since == [
            e.OrderActionAnswered(action_id="delay:d1", answer="expired"),
            e.OrderCancellationRequested(reason="customer"),
        ]

    run_virtual(scenario)


# Stages: how long they may take before a person is told

Case = tuple[str, float, tuple[Callable, ...], str | None, list[str], tuple[str, ...]]
STAGES: list[Case] = [
    ("outcomes", 15 * MINUTE_S, (), None, ["stalled", "payment_unknown"], ("payment", "inventory")),
    ("dispatch", 48 * HOUR_S, (PAY, RESERVE), None, ["stalled"], ("shipping",)),
    ("dispatch", 48 * HOUR_S, (PAY, RESERVE, BOOK), None, ["stalled"], ("shipping",)),
    (
        "delivery",
        5 * DAY_S,
        (PAY, RESERVE, BOOK, SEND),
        DISPATCHED.shipment_id,
        ["stalled"],
        ("payment", "inventory", "shipping", "billing"),
    ),
    (
        "undo",
        HOUR_S,
        (PAY, RESERVE, partial(d.request_cancellation, reason="customer")),
        None,
        ["compensation_failed"],
        ("payment", "inventory"),
    ),
]


@pytest.mark.thorough
@pytest.mark.parametrize("case", STAGES)
def test_a_stage_that_takes_too_long_is_told_once_and_its_workers_are_woken(case: Case) -> None:
    """Payment outcome missing, aged unshipped, booked and not dispatched, dispatched and not delivered, undone too slowly."""
    stage, allowed_s, way, subject, kinds, woken = case

    async def scenario() -> None:
        world = SweepWorld()
        order_id = await world.place()
        history = await world.happen(order_id, *way)

        before, since = await before_and_after(world, order_id, allowed_s)
        assert len(before) == history.version
        begun = since[0]
        assert isinstance(begun, e.OrderProcessStalled)
        assert (begun.stage, begun.subject) == (stage, subject)
        assert begun.due_at - begun.since == timedelta(seconds=allowed_s)
        assert await world.open_kinds(order_id) == kinds
        assert [department for department, _ in world.seen.hints] == list(woken)
        async with world.running(world.sweeper()):
            await anyio.sleep(HOUR_S / 2)
        assert [name for name in await world.names(order_id) if name == "OrderProcessStalled"] == [
            "OrderProcessStalled"
        ]

    run_virtual(scenario)


def test_a_refund_that_is_not_given_in_fourteen_days_is_told_by_name() -> None:
    """Promised money is the operator's, with the refund that it is about."""

    async def scenario() -> None:
        world = SweepWorld()
        order_id = await world.place(allowances=e.Allowances(delivery_s=300 * DAY_S))
        refund = partial(d.request_refund, refund_id="r9", lines=MISSING, reason=None)
        await world.happen(order_id, PAY, RESERVE, BOOK, SEND, CAPTURE, refund)

        before, since = await before_and_after(world, order_id, 14 * DAY_S)
        assert before[-1] == "RefundRequested"
        [told] = since
        assert isinstance(told, e.OrderProcessStalled)
        assert (told.stage, told.subject) == ("refund", "r9")
        assert await world.open_kinds(order_id) == ["compensation_failed"]

    run_virtual(scenario)


def test_what_goes_on_is_told_no_more_and_the_list_is_empty_again() -> None:
    """Late with its outcomes; then both come: the order says itself that it went on."""

    async def scenario() -> None:
        world = SweepWorld()
        order_id = await world.place()
        await before_and_after(world, order_id, 15 * MINUTE_S)
        history = await world.happen(order_id, PAY, RESERVE)

        assert isinstance(history.state, Confirmed)
        assert [recorded.name for recorded in history.events[-4:]].count("OrderProcessResumed") >= 1
        assert await world.open_kinds(order_id) == []

    run_virtual(scenario)


def test_a_short_order_whose_payment_never_comes_is_told_and_not_decided() -> None:
    """Never treated as a decline."""

    async def scenario() -> None:
        world = SweepWorld()
        order_id = await world.place()
        await world.happen(order_id, partial(d.fail_inventory, outcome=SHORT))

        _, since = await before_and_after(world, order_id, 15 * MINUTE_S)
        assert [type(event).__name__ for event in since] == ["OrderProcessStalled", "PaymentOutcomeUnknown"]
        state = (await world.orders.load(order_id)).state
        assert not isinstance(state, Cancelling | InFulfilment)

    run_virtual(scenario)
