"""The operations by which an order grows: lines that are added to it, and second thoughts about them."""

from collections.abc import Mapping
from typing import Any, Final

from fastapi import APIRouter
from starlette.responses import Response

from orderstore.change_requests import EditOrder, Nothing
from orderstore.wishes import editing
from projections.http import change_schemas as schemas
from projections.http.asking import Asked, Keyed, add_verb
from projections.http.auth import Writer
from projections.http.change_examples import NOTHING
from projections.http.change_places import EditIdOf

EDIT: Final[Mapping[str, Any]] = {
    "more": {
        "summary": "Two more pieces of something else",
        "value": {"items": [{"sku": "CHARGER-003", "quantity": 2, "price": "19.99", "description": "65 W"}]},
    }
}


def add_routes(router: APIRouter) -> None:
    """The two operations."""
    add_verb(
        router,
        "/edits",
        edit_order,
        summary="Add lines to an order",
        takes=EditOrder,
        examples=EDIT,
        gives=schemas.EditRequested,
        means="The pieces are being set aside, and then the money is held. The order is changed when both are done, or not at all.",
        refused=(
            "order_closed",
            "too_early_to_edit",
            "too_late_to_edit",
            "edit_under_way",
            "edit_refused",
            "too_many_attempts",
        ),
        keyed=True,
    )
    add_verb(
        router,
        "/edits/{editId}/withdrawal",
        withdraw_edit,
        summary="Take an edit back that is not applied yet",
        takes=Nothing,
        examples=NOTHING,
        required=False,
        gives=schemas.EditDeclined,
        means="Nothing is added to the order. Asking again is answered the same, as is an edit that was declined by itself.",
        refused=("unknown_edit", "too_late_to_edit"),
    )


async def edit_order(writer: Writer, asking: Keyed) -> Response:
    """Of an order that is confirmed, whose money is held and not taken, and of which no carrier expects anything; one edit at a time. With
    `If-Match`, only the order that was seen. What became of it stands in the order (`edits`); until then nothing of the order is booked."""
    request = await asking.read(EditOrder)
    wish = editing.edit(asking.order_id, request, idempotency_key=asking.key)
    granted = await asking.ask(wish, writer.actor)
    event = granted.event
    return asking.told(
        granted,
        "EDIT_REQUESTED",
        editId=event.edit_id,
        amountMinor=event.amount_minor,
        dueMinor=event.due_minor,
        attempt=event.attempt,
    )


async def withdraw_edit(writer: Writer, asking: Asked, edit_id: EditIdOf) -> Response:
    """What was set aside for it goes back, and what was held for it is let go. The body may be absent."""
    await asking.read(Nothing, empty_is=Nothing())
    granted = await asking.ask(editing.withdraw_edit(edit_id), writer.actor)
    return asking.told(granted, "EDIT_DECLINED", editId=edit_id, reason=granted.event.reason)
