"""The article's three scenarios against whole processes: what a customer, an operator and the bookkeeper see."""

import uuid
from typing import Any

import pytest

from tests.e2e.emulated import Emulated, Queued
from tests.e2e.programs import Program
from tests.waiting import eventually

pytestmark = pytest.mark.e2e

ALARM = "orderstore-local-{queue}-dlq-not-empty"
RECEIVES_MAX = 3


def order_of_the_article(**hooks: str) -> dict[str, Any]:
    """E038, E039: one laptop at 850 and two mice at 25 make 900 dollars."""
    return {
        "customerEmail": "customer@example.com",
        "currency": "USD",
        "items": [
            {"sku": "LAPTOP-001", "quantity": 1, "price": 850},
            {"sku": "MOUSE-002", "quantity": 2, "price": 25},
        ],
        **hooks,
    }


def place(served: Program, **hooks: str) -> str:
    """Place the order of the article; its id."""
    answer = served.api.call("POST", "/orders", order_of_the_article(**hooks))
    assert answer.status == 202, answer.text
    assert set(answer.document) == {"orderId", "eventId", "commit", "status"}
    uuid.UUID(answer.document["eventId"])
    assert answer.document["status"] == "ORDER_RECEIVED"
    order_id: str = answer.document["orderId"]
    return order_id


def wait_for(served: Program, order_id: str, **wanted: str) -> dict[str, Any]:
    """The order's status view once it shows what is wanted."""

    def look() -> dict[str, Any]:
        view = served.api.order(order_id)
        return view if all(view.get(name) == value for name, value in wanted.items()) else {}

    return eventually(look, what=f"order {order_id} shows {wanted}", process=served.process)


def notifications(served: Program, order_id: str, states: tuple[str, ...], templates: set[str]) -> dict[str, str]:
    """State by template of the order's mails, once all these are there and in one of these states."""
    emulated = Emulated.of(served.state_dir)

    def look() -> dict[str, str]:
        mails = [row for row in emulated.rows("notifications") if row["notification"].endswith(":email")]
        rows = {row["template"]: row["state"] for row in mails if row["order"] == order_id}
        return rows if templates <= rows.keys() and set(rows.values()) <= set(states) else {}

    return eventually(look, what=f"notifications {templates} of {order_id}", process=served.process)


def names_of(served: Program, order_id: str) -> list[str]:
    """The order's events by name, in order."""
    return [event["eventType"] for event in served.api.events(order_id)]


def wait_until_published(served: Program, order_id: str) -> dict[str, Any]:
    """The status view once every event of it is with the topic."""

    def look() -> dict[str, Any]:
        view = served.api.order(order_id)
        return view if view and view["publication"]["state"] == "EVENT_PUBLISHED" else {}

    return eventually(look, what=f"order {order_id} is published", process=served.process)


def test_an_approved_and_reserved_order_is_stored_paid_reserved_published_and_told_of(served: Program) -> None:
    """Test 1: 202; then stored, payment approved, inventory reserved, both notifications, and no dead letters."""
    order_id = place(served, paymentOutcome="approved", inventoryOutcome="reserved")

    assert served.api.order(order_id, strong=True)["totalMinor"] == 90_000, "stored before it was acknowledged"
    view = wait_for(served, order_id, status="COMPLETED")
    assert (view["total"], view["currency"]) == ("900.00", "USD")
    assert view["payment"]["status"] == "CAPTURED"
    assert view["inventory"]["status"] in ("RESERVED", "COMMITTED"), "stock hears of the parcel when it has left"
    names = names_of(served, order_id)
    assert names.count("PaymentCompleted") == names.count("InventoryReserved") == names.count("OrderConfirmed") == 1
    told = notifications(served, order_id, ("sent",), {"payment_completed.v1", "inventory_reserved.v1"})
    assert set(told) == {"payment_completed.v1", "inventory_reserved.v1", "shipment_dispatched.v1"}
    assert Emulated.of(served.state_dir).dead_letters(order_id) == []
    assert wait_until_published(served, order_id)["publication"]["status"] == "published"  # E093 E038 E039 E040 E041


def test_a_declined_and_out_of_stock_order_is_two_business_answers_and_no_trouble(served: Program) -> None:
    """Test 2: both failures are events, the customer is told, and every message was handled at its first receive."""
    order_id = place(served, paymentOutcome="declined", inventoryOutcome="out_of_stock")

    wait_for(served, order_id, status="REJECTED")
    names = names_of(served, order_id)
    assert names.count("PaymentFailed") == names.count("InventoryFailed") == 1
    assert not {"PaymentCompleted", "InventoryReserved", "OrderConfirmed", "ShipmentCreated"} & set(names)
    told = notifications(served, order_id, ("sent",), {"payment_failed.v1", "inventory_failed.v1", "order_rejected.v1"})
    assert len(told) == 3
    assert Emulated.of(served.state_dir).dead_letters(order_id) == []
    handled = [entry for entry in served.log_entries() if entry.get("orderId") == order_id and "queue" in entry]
    assert handled
    assert {(entry["event"], entry["receiveCount"]) for entry in handled} == {("handled", 1)}  # E094 E055 E056 E057


def test_a_technical_failure_is_retried_three_times_then_dead_lettered_and_raises_its_alarm_alone(
    served: Program,
) -> None:
    """Test 3: not approved; received 1, 2, 3 times; then in payment's dead letters, whose alarm goes off. Nothing else suffers."""
    emulated = Emulated.of(served.state_dir)
    order_id = place(served, simulateTechnicalFailure="payment")
    healthy = place(served)
    seen: list[Queued] = []

    def dead() -> list[str]:
        seen.extend(message for message in emulated.queued("-payment") if message.order_id == order_id)
        return emulated.dead_letters(order_id)

    assert eventually(dead, what="it is dead-lettered", process=served.process) == ["orderstore-local-payment-dlq"]
    counts = [message.receive_count for message in seen]
    assert counts == sorted(counts), "the receive count only grows"
    assert max(counts) == RECEIVES_MAX
    (letter,) = (message for message in emulated.queued("-payment-dlq") if message.order_id == order_id)
    assert letter.receive_count == RECEIVES_MAX
    tries = [
        entry for entry in served.log_entries() if entry.get("orderId") == order_id and entry["event"] == "not handled"
    ]
    assert [entry["queue"] for entry in tries] == ["payment"] * RECEIVES_MAX

    alarm = ALARM.format(queue="payment")
    eventually(lambda: alarm in emulated.alarms("ALARM"), what=f"{alarm} is in ALARM", process=served.process)
    assert ALARM.format(queue="inventory") in emulated.alarms("OK")

    view = served.api.order(order_id, strong=True)
    assert view["payment"]["status"] == "PENDING", "trouble is never an answer, neither yes nor no"
    assert not {"PaymentCompleted", "PaymentFailed"} & set(names_of(served, order_id))
    assert view["inventory"]["status"] == "RESERVED", "the others went on"
    notifications(served, order_id, ("sent",), {"inventory_reserved.v1"})
    assert not [row for row in emulated.rows("sandbox") if row["order"] == order_id], "no money moved"
    wait_for(served, healthy, status="COMPLETED")
    assert emulated.dead_letters(healthy) == [], "the poison held up nobody else"  # E095 E061 E062 E105


def test_an_order_ends_well_though_none_of_its_mails_can_be_sent(served: Program) -> None:
    """Notification fails for good: the order is completed, and only notification's dead letters fill."""
    order_id = place(served, simulateTechnicalFailure="notification")

    view = wait_for(served, order_id, status="COMPLETED")
    assert (view["payment"]["status"], view["shipment"]["status"]) == ("CAPTURED", "DELIVERED")
    emulated = Emulated.of(served.state_dir)
    letters = eventually(
        lambda: found if len(found := emulated.dead_letters(order_id)) == 3 else None,
        what="its three mails are dead-lettered",
        process=served.process,
    )
    assert set(letters) == {"orderstore-local-notification-dlq"}
    assert not [event for event in served.api.events(order_id) if event["actor"]["id"] == "notification"]  # D10 E105


def test_a_repeat_with_its_key_is_the_same_order_and_another_body_is_refused(served: Program) -> None:
    """The client never learnt of its first answer and asks again: one order, one charge."""
    body, key = order_of_the_article(), str(uuid.uuid4())
    first = served.api.call("POST", "/orders", body, key=key)
    again = served.api.call("POST", "/orders", body, key=key)

    assert (again.status, again.document) == (202, first.document)
    other = served.api.call("POST", "/orders", {**body, "currency": "EUR"}, key=key)
    assert (other.status, other.document["code"]) == (422, "idempotency_key_reused")
    order_id = first.document["orderId"]
    wait_for(served, order_id, status="COMPLETED")
    rows = [row for row in Emulated.of(served.state_dir).rows("sandbox") if row["order"] == order_id]
    assert sorted(row["kind"] for row in rows) == ["authorize", "booking", "capture", "dispatched"]  # E044


@pytest.mark.parametrize("path", ["/orders?customerId=1", "/metrics", "/orders"])
def test_a_wrong_token_opens_nothing(served: Program, path: str) -> None:
    """401 with a challenge, for reading, writing and the metrics alike."""
    method, body = ("POST", order_of_the_article()) if path == "/orders" else ("GET", None)
    answer = served.api.call(method, path, body, token="not-the-token")

    assert (answer.status, answer.document["code"]) == (401, "unauthenticated")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_bad_order_is_refused_field_by_field_and_nothing_is_stored(served: Program) -> None:
    """Every wrong field is named, and the log has not grown."""
    before = served.api.metric("orderstore_events_appended_total", event_type="OrderCreated")
    body = order_of_the_article(paymentOutcome="maybe")
    body["items"][0]["quantity"] = 0
    body["currency"] = "ABC"
    answer = served.api.call("POST", "/orders", body)

    assert answer.status == 422
    assert {error["pointer"] for error in answer.document["errors"]} == {
        "/currency",
        "/items/0/quantity",
        "/paymentOutcome",
    }
    assert served.api.metric("orderstore_events_appended_total", event_type="OrderCreated") == before
