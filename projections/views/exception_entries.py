"""One thing of an order that wants a person: its kind, who acts, and what can be done."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from orderstore.domain import events as e
from orderstore.domain.allowances import Stage

Kind = Literal[
    "cancellation_declined",
    "compensation_failed",
    "discrepancy",
    "dispute",
    "held",
    "payment_unknown",
    "refund_failed",
    "return",
    "review",
    "shipment_failed",
    "stalled",
    "unpaid",
]
Owner = Literal["order", "payment", "inventory", "shipping", "billing", "operations"]
"""The departments of `orderstore/registry.py`, and who runs the service."""
Action = Literal["release", "hold", "cancel", "refund", "retry", "skip", "resume", "review", "note", "return", "pay"]
"""What the API offers: `retry`, `skip`, `resume` and `cancel` of a stage are `POST /orders/{orderId}/exceptions/actions`, the others verbs
of the order (`pay`: another payment attempt). The order's own rules have the last word: what came too late is refused."""

HOLD_OWNERS: Final[Mapping[e.HoldReason, Owner]] = {
    "fraud_review": "payment",
    "payment": "payment",
    "stock": "inventory",
    "address": "shipping",
    "operator": "order",
}
"""Who acts on a hold, by its reason."""
AREA_OWNERS: Final[Mapping[e.DiscrepancyArea, Owner]] = {
    "money": "payment",
    "stock": "inventory",
    "view": "operations",
    "invoice": "billing",
}
STAGE_KINDS: Final[Mapping[Stage, Kind]] = {
    "outcomes": "stalled",
    "capture": "stalled",
    "dispatch": "stalled",
    "delivery": "stalled",
    "undo": "compensation_failed",
    "refund": "compensation_failed",
}
STAGE_OWNERS: Final[Mapping[Stage, Owner]] = {
    "outcomes": "order",
    "capture": "payment",
    "dispatch": "shipping",
    "delivery": "shipping",
    "undo": "order",
    "refund": "payment",
}
STAGE_ACTIONS: Final[Mapping[Stage, tuple[Action, ...]]] = {
    "outcomes": ("retry", "resume", "skip", "cancel"),
    "capture": ("retry", "resume", "skip", "cancel"),
    "dispatch": ("retry", "resume", "skip", "cancel", "hold"),
    "delivery": ("retry", "resume", "skip", "refund"),
    "undo": ("retry", "resume", "skip"),
    "refund": ("retry", "resume", "skip"),
}
"""`retry`: its workers look again, and its clock begins anew; `resume`: the clock alone; `skip`: of a delivery, it has arrived; of the
others, nobody is told again. `cancel`: the order is undone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One thing that wants (`ended_at` is None) or wanted a person. Times are ISO 8601 in UTC, `ended_by` is the name of an event,
    `reference` the id of a hold, a refund, a parcel, a dispute or a return, or (of an unknown payment) the subject to name. `due_at` is
    there for a stage that is late."""

    kind: Kind
    cause: str
    since: str
    owner: Owner
    actions: tuple[Action, ...]
    reference: str | None = None
    due_at: str | None = None
    ended_at: str | None = None
    ended_by: str | None = None

    @property
    def open(self) -> bool:
        """Whether somebody is still to act."""
        return self.ended_at is None
