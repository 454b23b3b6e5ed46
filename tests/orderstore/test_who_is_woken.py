"""Whoever has something to do for an order is told of it: the registry's consumers, held to the order's own steps."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from functools import partial
from random import Random

import pytest

from orderstore.domain import decisions as d
from orderstore.domain import events as e
from orderstore.domain import next_steps, timers
from orderstore.domain.rejections import CommandRejected
from orderstore.domain.state import INITIAL, PaymentStatus, State, fold
from orderstore.registry import BY_CLASS
from tests.builders import BOOKED, DISPATCHED, NOON, PAID, RESERVED, given, order_created
from tests.orderstore.domain.walking import EAGER_ONE_IN, LINES, Decide, Walk
from workers.payment.outcomes import wakes_shipping

STEPS: dict[str, Callable[[State], object | None]] = {
    "payment": next_steps.payment_step,
    "inventory": next_steps.inventory_step,
    "shipping": next_steps.shipping_step,
    "billing": next_steps.billing_step,
}
WALKS = 600


class Sleepers(Walk):
    """Workers who sleep until one of their messages comes; then they do what there is to do, and sleep again."""

    def __init__(self, random: Random, terms: e.Terms, kind: int) -> None:
        super().__init__(random, terms, kind=kind)
        self.woken: dict[str, None] = {}

    def append(self, decided: tuple[e.Event, ...]) -> bool:
        """What is appended is published, to whom the registry says."""
        for event in decided:
            self.woken.update(dict.fromkeys(name for name in BY_CLASS[type(event)].consumers if name in STEPS))
        happened = super().append(decided)
        renewed = any(isinstance(event, e.PaymentCompleted) and event.attempt > 1 for event in decided)
        if renewed and wakes_shipping(self.state):  # the payment worker's own hint: no event says so
            self.woken["shipping"] = None
        return happened

    def people(self) -> Decide:
        """Also what the carrier says unasked, and what operators do about refunds."""
        order, random = self.order, self.random
        more: list[Decide] = [
            partial(d.fail_shipment, outcome=e.ShipmentFailed(shipment_id=shipment.shipment_id, code="address"))
            for shipment in order.shipments
        ]
        more += [partial(d.retry_refund, refund_id=refund.refund_id) for refund in order.payment.refunds_owed]
        return random.choice(more) if more and random.random() < 0.2 else super().people()

    def run(self, steps: int = 1_000) -> None:
        """Every message is handled, in any order; or so many steps are taken before the next thing happens."""
        departments: dict[str, Callable[[], Decide | None]] = {
            "payment": self._payment,
            "inventory": self._inventory,
            "shipping": self._shipping,
            "billing": self._billing,
        }
        while self.woken and steps:
            steps -= 1
            worker = self.random.choice(list(self.woken))
            decide = departments[worker]()
            if decide is None or not self.append(decide(self.state)):
                self.woken.pop(worker, None)

    def forgotten(self) -> list[object]:
        """What is still to be done though nobody has a message: but for what waits for something that is no event."""
        return [step for ask in STEPS.values() if (step := ask(self.state)) is not None and not self._waits(step)]

    def _waits(self, step: object) -> bool:
        match step:
            case next_steps.FillBackorder():  # goods come in
                return True
            case next_steps.Authorize():  # the customer, at the provider
                return self.order.payment.status is PaymentStatus.ACTION_REQUIRED
            case _:
                return False


@pytest.mark.thorough
@pytest.mark.parametrize("first", range(0, WALKS, 100))
def test_no_worker_sleeps_while_an_order_wants_something_of_it(first: int) -> None:
    """Whatever happens to an order, by whomever, in whatever order: after the last message nothing is left that a worker could do.
    The step that somebody forgot would wait for a person."""
    for seed in range(first, first + 100):
        random = Random(seed)
        terms = e.Terms(
            missing_stock=random.choice(("refuse", "ask", "backorder", "cancel_lines")),
            charge=random.choice(("per_order", "per_shipment")),
            payment_retry_s=random.choice((0, 120)),
            reservation_s=random.choice((0, 200)),
            answer_s=80,
            review=random.random() < 0.3,
        )
        walk = Sleepers(random, terms, random.choice((0, 10, 40)))
        walk.eager = seed % EAGER_ONE_IN == 1
        grace_until = NOON + timedelta(seconds=50) if random.random() < 0.3 else None
        ship_by = NOON + timedelta(seconds=500) if random.random() < 0.5 else None
        created = order_created(lines=LINES, terms=terms, grace_until=grace_until, ship_by=ship_by)
        walk.append(d.place(INITIAL, order=created))
        for _ in range(40):
            if random.random() < 0.5:
                walk.run(random.randrange(4))
            else:
                walk.run()
                assert not walk.woken
                forgotten = walk.forgotten()
                told = [type(event).__name__ for event in walk.events]
                assert forgotten == [], f"seed {seed}: nobody was told, after {told}"
            if random.random() < 0.3:
                walk.now = walk.in_(random.choice((1, 30, 100, 600)))
                walk.append(timers.expire(walk.state, now=walk.now))
                continue
            try:
                walk.append(walk.people()(walk.state))
            except CommandRejected:
                continue


def wakes(decided: tuple[e.Event, ...]) -> set[str]:
    """Whom a commit's events are told to."""
    return {name for event in decided for name in BY_CLASS[type(event)].consumers}


def test_who_waits_for_a_parcel_of_an_order_that_is_undone_is_told_that_the_carrier_has_it_no_longer() -> None:
    """The carrier may let it go by itself, before anybody cancels the booking: money and goods were waiting for that."""
    order = given(PAID, RESERVED, e.OrderConfirmed(), BOOKED, e.OrderCancellationRequested(reason="customer"))
    assert (next_steps.payment_step(order), next_steps.inventory_step(order)) == (None, None)

    decided = d.fail_shipment(order, outcome=e.ShipmentFailed(shipment_id=BOOKED.shipment_id, code="address"))

    after = fold(order, decided)
    assert (next_steps.payment_step(after), next_steps.inventory_step(after)) == (
        next_steps.VoidPayment(),
        next_steps.Release(),
    )
    assert {"payment", "inventory"} <= wakes(decided)


def test_who_books_parcels_is_told_that_one_of_them_is_not_to_leave() -> None:
    """Its own message may be gone by then, and the other parcel's tells it nothing."""
    laptop, mice = (e.Pieces(line=0, quantity=1),), (e.Pieces(line=1, quantity=2),)
    at = tuple(e.Allocation(location=name, lines=lines) for name, lines in (("north", laptop), ("south", mice)))
    first, second = (replace(BOOKED, shipment_id=one.location, location=one.location, lines=one.lines) for one in at)
    asked = e.OrderActionRequired(action_id="delay:1", kind="delay_consent", deadline=NOON)
    left = replace(DISPATCHED, shipment_id="north")
    spread = replace(RESERVED, allocations=at)
    order = given(PAID, spread, e.OrderConfirmed(), first, second, left, asked)

    decided = d.answer(order, action_id="delay:1", answer="expired")

    assert next_steps.shipping_step(fold(order, decided)) == next_steps.CancelBooking("south")
    assert "shipping" in wakes(decided)


def test_who_takes_the_money_parcel_by_parcel_is_told_that_the_last_one_will_not_come() -> None:
    """What nobody took with a parcel, such as the cost of shipping, is due with the end of the order, whatever brings it about."""
    priced = e.PricedLine(net_minor=85_000, tax_minor=0, tax_rate_percent=Decimal(0))
    pricing = e.Pricing(
        tax_mode="inclusive",
        tax_rounding="line",
        lines=(priced, replace(priced, net_minor=5_000)),
        shipping=replace(priced, net_minor=500),
    )
    created = order_created(pricing=pricing, terms=e.Terms(charge="per_shipment"), total_minor=90_500)
    laptop, mice = (e.Pieces(line=0, quantity=1),), (e.Pieces(line=1, quantity=2),)
    at = tuple(e.Allocation(location=name, lines=lines) for name, lines in (("north", laptop), ("south", mice)))
    first = replace(BOOKED, location="north", lines=laptop)
    capture = e.PaymentCaptured(amount_minor=85_000, provider_reference="c", shipment_id=first.shipment_id, final=False)
    order = fold(
        INITIAL,
        (created, PAID, replace(RESERVED, allocations=at), e.OrderConfirmed(), first, DISPATCHED, capture),
    )
    assert next_steps.payment_step(order) is None

    decided = d.cancel_lines(order, cancellation_id="c", lines=mice, reason="customer")

    assert next_steps.payment_step(fold(order, decided)) == next_steps.Capture(500)
    assert {"payment", "billing"} <= wakes(decided)
