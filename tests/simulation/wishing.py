"""What an order of a run asks for: terms, a card, and what the carrier does with one of its parcels."""

from random import Random
from typing import Any, Final

from orderstore.requests import PlaceOrder
from tests.simulation.habits import Habits

SKUS: Final = ("LAPTOP", "MOUSE", "CABLE")
ANSWER_S: Final = (60, 150)
RETRY_S: Final = (0, 40, 120)
GRACE_S: Final = (8, 20)
SHIP_WITHIN_S: Final = (60, 100)
GOOD_CARD: Final = "pm_card_visa"
SOFT_DECLINE: Final = "pm_sandbox_declined_soft"


def request_of(random: Random, number: int, habits: Habits) -> PlaceOrder:
    """The order with this number. Whoever has no habits draws nothing more than there was always to draw."""
    lines = random.sample(SKUS, random.choice((1, 1, 2) if habits.plain else (1, 2, 2, 3)))
    body: dict[str, Any] = {
        "items": [{"sku": sku, "quantity": random.choice((1, 1, 2, 3)), "price": "9.90"} for sku in lines],
        "currency": "USD",
        "customerId": f"customer-{number % 3}",
        "customerEmail": "ada@example.com",
        "paymentOutcome": random.choice((None, None, None, None, "declined")),
    }
    if not habits.plain:
        body |= _terms(random, habits) | _card(random, habits) | _parcel(random, habits)
    return PlaceOrder.model_validate({name: value for name, value in body.items() if value is not None})


def _terms(random: Random, habits: Habits) -> dict[str, Any]:
    if random.random() >= habits.terms:
        return {}
    return {
        "terms": {
            "missingStock": random.choice(("refuse", "ask", "ask", "backorder", "backorder", "cancel_lines")),
            "charge": "per_shipment" if random.random() < habits.per_shipment else "per_order",
            "paymentRetryS": random.choice(RETRY_S),
            "reservationS": random.choice((0, 60, 200)),
            "answerS": random.choice(ANSWER_S),
            "review": random.random() < habits.review,
            "graceS": random.choice(GRACE_S) if random.random() < habits.grace else None,
            "shipWithinS": random.choice(SHIP_WITHIN_S) if random.random() < habits.promised else None,
        }
    }


def _card(random: Random, habits: Habits) -> dict[str, Any]:
    drawn = random.random()
    for probability, method in (
        (habits.soft_decline, SOFT_DECLINE),
        (habits.bank_asks, "pm_sandbox_action"),
        (habits.hold_runs_out, f"pm_sandbox_hold_{habits.hold_s}"),
        (habits.taken_once, "pm_sandbox_taken_once"),
        (habits.refund_fails, "pm_sandbox_refund_fails"),
    ):
        if drawn < probability:
            return {"paymentMethod": method}
        drawn -= probability
    return {}


def _parcel(random: Random, habits: Habits) -> dict[str, Any]:
    drawn = random.random()
    for probability, outcome in ((habits.refused, "refused"), (habits.lost, "lost"), (habits.delayed, "delayed")):
        if drawn < probability:
            return {"shippingOutcome": outcome}
        drawn -= probability
    return {}
