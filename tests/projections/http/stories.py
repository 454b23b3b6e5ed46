"""Orders with a past, for tests that begin in the middle."""

from datetime import UTC, datetime
from typing import Any

from orderstore.domain import billing, decisions
from tests.builders import BOOKED, DISPATCHED, PAID_AT_ONCE, RESERVED
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


async def invoiced(api: Api, number: int = 1, **changes: Any) -> str:
    order_id = await dispatched(api, **changes)
    inputs = {"series": "INV", "number": number, "issued_at": NOON, "supplied_at": NOON}
    await api.record(order_id, billing.issue_invoice, purpose="invoice", **inputs)
    return order_id
