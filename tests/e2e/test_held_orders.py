"""A held order against whole processes: paid, reserved and confirmed, but nothing leaves until somebody lets it go on."""

import pytest

from tests.e2e.emulated import Emulated
from tests.e2e.programs import Program
from tests.e2e.test_article_scenarios import names_of, place, wait_for
from tests.waiting import eventually

pytestmark = pytest.mark.e2e

TRIES_MAX = 10


def held_before_it_was_confirmed(served: Program) -> str:
    """An order with a hold that was there first; the workers are quick, so this may take several orders."""
    for _ in range(TRIES_MAX):
        order_id = place(served)
        answer = served.api.call("POST", f"/orders/{order_id}/holds", {"holdId": "review-1", "reason": "fraud_review"})
        if answer.status == 201 and "OrderConfirmed" not in names_of(served, order_id):
            return order_id
    raise AssertionError(f"{TRIES_MAX} orders were confirmed before they could be held")


def test_a_held_order_is_confirmed_and_stays_until_its_release_then_it_is_delivered(served: Program) -> None:
    """The shipping worker is told of the confirmation and does nothing; the release wakes it."""
    order_id = held_before_it_was_confirmed(served)

    view = wait_for(served, order_id, status="CONFIRMED")
    assert [(hold["holdId"], hold["reason"]) for hold in view["holds"]] == [("review-1", "fraud_review")]
    eventually(
        lambda: [
            entry
            for entry in served.log_entries()
            if (entry.get("orderId"), entry.get("queue"), entry["event"]) == (order_id, "shipping", "handled")
        ],
        what="the shipping worker has seen the confirmed order",
        process=served.process,
    )
    assert not {"ShipmentCreated", "ShipmentDispatched", "InvoiceIssued"} & set(names_of(served, order_id))

    released = served.api.call("POST", f"/orders/{order_id}/holds/review-1/release", {"note": "looked at it"})
    assert (released.status, released.document["status"]) == (200, "HOLD_RELEASED")
    view = wait_for(served, order_id, status="COMPLETED")
    assert view["holds"] == []
    names = names_of(served, order_id)
    assert [names.count(name) for name in ("OrderHeld", "OrderHoldReleased", "ShipmentDispatched")] == [1, 1, 1]
    assert names.index("OrderHoldReleased") < names.index("ShipmentCreated")
    assert Emulated.of(served.state_dir).dead_letters(order_id) == []
