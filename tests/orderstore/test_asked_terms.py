"""The terms of an order: those of its request, else those of the deployment, and none where that is what always held."""

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from orderstore.asked_terms import AskedTerms, Promises, moments_of, terms_of
from orderstore.domain.events import FraudReviewRequested, OrderCreated, Terms
from orderstore.orders import Orders
from orderstore.store.memory import MemoryEventStore
from orderstore.transact import Transactor
from tests.builders import NOON
from tests.ordering import ACTOR, TENANT, PlainVault, TickingClock, request
from tests.virtual_time import run_virtual

USUAL = Terms()
OWN = Terms(missing_stock="ask", payment_retry_s=3_600, answer_s=86_400, review=True)


def asked(**changes: Any) -> AskedTerms:
    return AskedTerms.model_validate(changes)


@pytest.mark.parametrize(
    ("wanted", "usual", "kept"),
    [
        (None, USUAL, None),
        (None, OWN, OWN),
        (asked(), OWN, OWN),
        (asked(missingStock="refuse", paymentRetryS=0, answerS=259_200), Terms(missing_stock="ask"), None),
        (asked(charge="per_shipment"), USUAL, Terms(charge="per_shipment")),
        (
            asked(answerS=60),
            OWN,
            Terms(missing_stock="ask", payment_retry_s=3_600, answer_s=60, review=True),
        ),
        (asked(review=True), USUAL, Terms(review=True)),
        (asked(review=False), Terms(review=True), Terms(review=True)),
    ],
)
def test_a_request_changes_what_it_names(wanted: AskedTerms | None, usual: Terms, kept: Terms | None) -> None:
    """And nothing else; a review of every order is not waived by one of them."""
    assert terms_of(wanted, usual) == kept


@pytest.mark.parametrize(
    ("wanted", "usual", "seconds"),
    [
        (None, Promises(), (None, None)),
        (None, Promises(grace_s=60, ship_within_s=90), (60, 90)),
        (asked(), Promises(grace_s=60, ship_within_s=90), (60, 90)),
        (asked(graceS=0, shipWithinS=3_600), Promises(grace_s=60, ship_within_s=90), (None, 3_600)),
        (asked(graceS=30), Promises(), (30, None)),
    ],
)
def test_a_request_may_state_its_own_promises(
    wanted: AskedTerms | None, usual: Promises, seconds: tuple[int | None, int | None]
) -> None:
    """The order keeps the moments that follow from when it was accepted; no promise is none, as for orders from before."""
    expected = tuple(None if one is None else NOON + timedelta(seconds=one) for one in seconds)
    assert moments_of(wanted, usual, now=NOON) == expected
    assert terms_of(wanted, USUAL) is None


@pytest.mark.parametrize(
    "wrong", [{"graceS": -1}, {"graceS": 86_401}, {"shipWithinS": 59}, {"shipWithinS": 31_622_401}]
)
def test_a_promise_has_its_bounds(wrong: dict[str, int]) -> None:
    """A day of grace at most, and a year to send it."""
    with pytest.raises(ValidationError):
        asked(**wrong)


def test_an_order_is_placed_with_the_promises_of_the_deployment() -> None:
    """From the moment at which it is accepted, whenever it says that it was placed."""

    async def scenario() -> None:
        store, clock = MemoryEventStore(), TickingClock()
        promises = Promises(grace_s=60, ship_within_s=2_592_000)
        orders = Orders(
            Transactor(store, now_ms=clock),
            tenant=TENANT,
            vault=PlainVault(),
            hooks_allowed=True,
            now_ms=clock,
            promises=promises,
        )
        placed = await orders.place(request(placedAt="2020-01-01T00:00:00Z"), actor=ACTOR, idempotency_key="k")
        first = placed.history.events[0]
        created = first.event
        assert isinstance(created, OrderCreated)
        assert created.grace_until is not None
        assert created.ship_by is not None
        assert created.ship_by - created.grace_until == timedelta(days=30, seconds=-60)
        assert abs(created.grace_until - first.occurred_at - timedelta(seconds=60)) < timedelta(seconds=1)

    run_virtual(scenario)


def test_an_order_keeps_the_terms_that_it_was_placed_with() -> None:
    """Another setting tomorrow changes nothing of today's orders, and a repeat is a repeat."""

    async def scenario() -> None:
        store, clock = MemoryEventStore(), TickingClock()
        common: dict[str, Any] = {"tenant": TENANT, "vault": PlainVault(), "hooks_allowed": True, "now_ms": clock}
        today = Orders(Transactor(store, now_ms=clock), terms=OWN, **common)
        tomorrow = Orders(Transactor(store, now_ms=clock), **common)
        first = await today.place(request(), actor=ACTOR, idempotency_key="k")
        repeat = await tomorrow.place(request(), actor=ACTOR, idempotency_key="k")
        created = first.history.events[0].event

        assert isinstance(created, OrderCreated)
        assert created.terms == OWN
        assert isinstance(first.history.events[-1].event, FraudReviewRequested)
        assert (repeat.new, repeat.history.events) == (False, first.history.events)

    run_virtual(scenario)
