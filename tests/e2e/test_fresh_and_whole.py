"""Whole processes, read back: each write at once, then its publication event by event, what was sold, and nobody who needs somebody."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.e2e.programs import Program
from tests.e2e.test_article_scenarios import order_of_the_article, wait_for
from tests.waiting import eventually

pytestmark = pytest.mark.e2e


def test_a_writer_sees_its_write_at_once_and_an_operator_what_became_of_it(served: Program) -> None:
    """No projector is as quick as the next request of whoever has just written."""  # E040, E041, K3
    api, day = served.api, datetime.now(UTC).date().isoformat()

    def sold() -> int:
        told = api.call("GET", f"/sales?from={day}&to={day}&currency=CHF").document
        assert told["totals"] == [
            {name: value for name, value in item.items() if name != "day"} for item in told["items"]
        ]
        return sum(item["placed"]["amountMinor"] for item in told["items"])

    before = sold()
    for _ in range(5):
        placed = api.call("POST", "/orders", {**order_of_the_article(), "currency": "CHF"})
        order_id, commit = placed.document["orderId"], placed.document["commit"]
        # The hold first: a read waits for the view, and the order may be complete before it is answered.
        held = api.call("POST", f"/orders/{order_id}/holds", {"holdId": "h-1", "reason": "stock"})
        read = api.call("GET", f"/orders/{order_id}?minCommit={commit}")
        shown = api.call("GET", f"/orders/{order_id}?minCommit={held.document['commit']}")
        released = api.call("POST", f"/orders/{order_id}/holds/h-1/release", {})
        invoices = api.call("GET", f"/orders/{order_id}/invoices?minCommit={released.document['commit']}")

        assert (placed.status, read.status, held.status, shown.status, released.status) == (202, 200, 201, 200, 200)
        assert [hold["holdId"] for hold in shown.document["holds"]] == ["h-1"]
        assert shown.document["commit"] >= held.document["commit"]
        assert invoices.status == 200

    wait_for(served, order_id, status="COMPLETED")

    def published() -> list[dict[str, Any]]:
        events = api.events(order_id)
        return events if {event["publication"] for event in events} == {"published", "internal"} else []

    events = eventually(published, what="every event is published", process=served.process)
    assert {event["eventType"] for event in events if event["publication"] == "internal"} == {
        "PaymentCaptured",
        "InventoryCommitted",
        "InvoiceDocumentStored",
    }
    assert eventually(lambda: sold() == before + 5 * 90_000, what="the day's sales", process=served.process)
    for kind in ("held", "parked", "compensation_failed", "cancellation_declined"):
        listed = api.call("GET", f"/exceptions?kind={kind}")
        assert order_id not in {item["orderId"] for item in listed.document["items"]}
