"""Orders with a past, for tests that begin in the middle."""

from datetime import UTC, datetime, timedelta
from typing import Any

from orderstore.domain import billing, decisions
from orderstore.domain.events import InventoryPartiallyReserved, PaymentFailed, Pieces
from tests.builders import BOOKED, DELIVERED, DISPATCHED, PAID, PAID_AT_ONCE, RESERVED
from tests.projections.http.api import Api

NOWHERE = "6f1d6b0e-6c0f-5b8e-9a53-0c2f3a3d7a11"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


async def dispatched(api: Api, **changes: Any) -> str:
    """An order whose goods have left."""
    order_id = await api.place(**changes)
    for purpose, decide, outcome in (
        ("payment-outcome", decisions.complete_payment, PAID_AT_ONCE),
        ("inventory-outcome", decisions.reserve_inventory, RESERVED),
        ("shipment-outcome", decisions.create_shipment, BOOKED),
        ("dispatch-outcome", decisions.dispatch_shipment, DISPATCHED),
    ):
        await api.record(order_id, decide, purpose=purpose, outcome=outcome)
    return order_id


async def reserved(api: Api, **changes: Any) -> str:
    """An order that is paid for and set aside."""
    order_id = await api.place(**changes)
    await api.record(order_id, decisions.complete_payment, purpose="payment-outcome", outcome=PAID)
    await api.record(order_id, decisions.reserve_inventory, purpose="inventory-outcome", outcome=RESERVED)
    return order_id


async def held(api: Api, **changes: Any) -> str:
    """An order that is confirmed, and whose goods somebody keeps here."""
    order_id = await reserved(api, **changes)
    assert (await api.post(f"/orders/{order_id}/holds", {"reason": "operator"})).status_code == 201
    return order_id


async def declined(api: Api, **changes: Any) -> str:
    """An order whose first card was declined, and whose customer may try another for an hour."""
    order_id = await api.place(terms={"paymentRetryS": 3_600}, **changes)
    later = datetime.fromtimestamp(api.clock.ms / 1000 + 3_600, tz=UTC)
    outcome = PaymentFailed(attempt=1, category="soft", code="insufficient_funds", retry_until=later)
    await api.record(order_id, decisions.fail_payment, purpose="payment-outcome", outcome=outcome)
    return order_id


async def short(api: Api) -> str:
    """An order of which one mouse is missing, and whose customer is asked."""
    order_id = await api.place(terms={"missingStock": "ask"})
    deadline = datetime.fromtimestamp(api.clock.ms / 1000, tz=UTC) + timedelta(days=3)
    outcome = InventoryPartiallyReserved(
        reservation_id="r-1", allocations=(), missing=(Pieces(line=1, quantity=1),), answer_by=deadline
    )
    await api.record(order_id, decisions.complete_payment, purpose="payment-outcome", outcome=PAID)
    await api.record(order_id, decisions.partly_reserve_inventory, purpose="inventory-outcome", outcome=outcome)
    return order_id


async def under_review(api: Api) -> str:
    """An order that is paid for and set aside, and that somebody is to look at."""
    return await reserved(api, terms={"review": True})


async def stalled(api: Api) -> str:
    """An order that is being undone, for longer than that may take."""
    order_id = await reserved(api)
    assert (await api.post(f"/orders/{order_id}/cancel")).status_code == 202
    since = datetime.fromtimestamp(api.clock.ms / 1000, tz=UTC)
    clock: dict[str, Any] = {"stage": "undo", "since": since, "due_at": since + timedelta(minutes=15)}
    await api.record(order_id, decisions.stall, purpose="stalled:undo", **clock)
    return order_id


async def delivered(api: Api, **changes: Any) -> str:
    """An order that has arrived."""
    order_id = await dispatched(api, **changes)
    await api.record(order_id, decisions.deliver_shipment, purpose="delivery", outcome=DELIVERED)
    return order_id


async def invoiced(api: Api, number: int = 1, **changes: Any) -> str:
    order_id = await dispatched(api, **changes)
    inputs = {"series": "INV", "number": number, "issued_at": NOON, "supplied_at": NOON}
    await api.record(order_id, billing.issue_invoice, purpose="invoice", **inputs)
    return order_id
