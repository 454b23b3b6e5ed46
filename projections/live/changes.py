"""An order's changes: one for each commit, with where the order stood then and what the world may know of what happened. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from orderstore.codec import timestamp
from orderstore.contract import public_data
from orderstore.recorded import Recorded
from orderstore.registry import BY_NAME
from projections.views import order_status
from projections.views.order_status import OrderStatus

FINAL_STATUSES = frozenset({"COMPLETED", "CANCELLED", "REJECTED"})
RETURNS_UNDER_WAY = frozenset({"REQUESTED", "APPROVED", "RECEIVED"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One commit of an order. `order` is its status document after it; `events` its public events, perhaps none."""

    order_id: str
    commit: int
    order: Mapping[str, Any]
    events: tuple[Mapping[str, Any], ...]

    @property
    def document(self) -> Mapping[str, Any]:
        """As a client is told."""
        return {"orderId": self.order_id, "commit": self.commit, "order": self.order, "events": list(self.events)}


def fold(
    view: OrderStatus | None, recorded: Sequence[Recorded], *, told_to: int
) -> tuple[OrderStatus | None, tuple[Change, ...]]:
    """The view with these events, which follow it; and each commit after `told_to` as a change. Raises OutOfPlace."""
    changes: list[Change] = []
    for commit, group in groupby(recorded, key=lambda one: one.commit):
        events = tuple(group)
        for event in events:
            view = order_status.evolve(view, event)
        if view is not None and commit > told_to:
            changes.append(_change(view, events))
    return view, tuple(changes)


def standing(view: OrderStatus) -> Change:
    """Where the order stands now, as a change of which no event is told."""
    return _change(view, ())


def is_final(order: Mapping[str, Any]) -> bool:
    """Whether nothing is under way for the order with this status document: no refund, no return. Either may still be asked for one day,
    and a refund that could not be given waits for a person."""
    return order["status"] in FINAL_STATUSES and order["payment"]["refundPendingMinor"] == 0 and not _comes_back(order)


def _comes_back(order: Mapping[str, Any]) -> bool:
    return any(one["status"] in RETURNS_UNDER_WAY for one in order["returns"])


def _change(view: OrderStatus, events: Sequence[Recorded]) -> Change:
    return Change(
        order_id=view.order_id,
        commit=view.commit,
        order=order_status.to_answer(view),
        events=tuple(_event(one) for one in events if BY_NAME[one.name].published),
    )


def _event(recorded: Recorded) -> Mapping[str, Any]:
    return {
        "version": recorded.version,
        "eventId": recorded.event_id,
        "eventType": recorded.name,
        "occurredAt": timestamp(recorded.occurred_at),
        "data": public_data(recorded.event),
    }
