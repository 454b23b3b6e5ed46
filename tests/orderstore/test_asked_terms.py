"""The terms of an order: those of its request, else those of the deployment, and none where that is what always held."""

from typing import Any

import pytest

from orderstore.asked_terms import AskedTerms, terms_of
from orderstore.domain.events import FraudReviewRequested, OrderCreated, Terms
from orderstore.orders import Orders
from orderstore.store.memory import MemoryEventStore
from orderstore.transact import Transactor
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
