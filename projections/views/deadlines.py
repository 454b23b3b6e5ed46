"""What each order is waited for, and until when: one small document per order, listed by what is due next while anything is.

A deadline is the time of the event that began the stage plus the order's own allowance (`orderstore/domain/allowances.py`): it follows from
the log alone. An order is in one stage at a time (outcomes, dispatch, delivery, undo, or none), and each of its pending refunds has a
deadline beside that. A hold stops the clock of `dispatch`, which begins anew with the release of the last one; no other clock stops for it.
A cancellation that is declined ends `undo` through the `ShipmentDispatched` of the same commit.

Lists are sharded by a hash of the order id and sorted by due time: the overdue orders of any age are the beginnings of `SHARDS` lists.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any, Final
from zlib import crc32

from orderstore.codec import timestamp
from orderstore.domain import events as e
from orderstore.domain.allowances import Stage, allowances_of, allowed_s
from orderstore.recorded import Recorded
from projections.views.view import Listing, OutOfPlace, View

NAME: Final = "deadlines"
SCHEMA: Final = 1
SHARDS: Final = 16
REFUNDS_MAX: Final = 100
"""Pending refunds of one order that are kept singly; of the others the count, and the time of the oldest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """Something that is waited for since `since`, and late from `due_at` on (ISO 8601 in UTC). `refund_id` is None for a stage of the order
    itself, and for the refunds that are not kept singly."""

    stage: Stage
    since: str
    due_at: str
    refund_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingRefund:
    """Money that is promised since `since` (ISO 8601 in UTC)."""

    refund_id: str
    since: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadlines:
    """`stage` is where the order itself stands since `since`, None when it waits for nothing. `more_refunds` are pending beyond those that
    are kept, the oldest of them since `more_since`."""

    order_id: str
    allowances: e.Allowances
    stage: Stage | None
    since: str
    holds: tuple[str, ...] = ()
    refunds: tuple[PendingRefund, ...] = ()
    more_refunds: int = 0
    more_since: str | None = None

    @property
    def held(self) -> bool:
        """Whether somebody stopped the order."""
        return bool(self.holds)

    def dues(self) -> tuple[Due, ...]:
        """Everything that is due at some time, the earliest first."""
        return tuple(sorted(self._dues(), key=attrgetter("due_at", "stage")))

    def _dues(self) -> Iterator[Due]:
        if self.stage is not None and not (self.stage == "dispatch" and self.held):
            yield self._due(self.stage, self.since)
        for refund in self.refunds:
            yield self._due("refund", refund.since, refund.refund_id)
        if self.more_refunds and self.more_since is not None:
            yield self._due("refund", self.more_since)

    def _due(self, stage: Stage, since: str, refund_id: str | None = None) -> Due:
        ends = datetime.fromisoformat(since) + timedelta(seconds=allowed_s(self.allowances, stage))
        return Due(stage=stage, since=since, due_at=timestamp(ends), refund_id=refund_id)


def evolve(view: Deadlines | None, recorded: Recorded) -> Deadlines:
    """The view after one more event of the order, in the order of the log. Raises OutOfPlace."""
    event, now = recorded.event, timestamp(recorded.occurred_at)
    if isinstance(event, e.OrderCreated):
        if view is not None:
            raise OutOfPlace(f"{recorded.order_id} is created a second time by commit {recorded.commit}")
        return Deadlines(order_id=recorded.order_id, allowances=allowances_of(event), stage="outcomes", since=now)
    if view is None:
        raise OutOfPlace(f"{recorded.order_id}: {recorded.name} in commit {recorded.commit}, and no order before it")
    match event:
        case e.OrderConfirmed():
            return replace(view, stage="dispatch", since=now)
        case e.OrderCancellationRequested():
            return replace(view, stage="undo", since=now)
        case e.ShipmentDispatched():
            return replace(view, stage="delivery", since=now)
        case e.ShipmentDelivered():
            return replace(view, stage=None, since=now)
        case (
            e.OrderCancelled() | e.OrderRejected()
        ):  # nothing is promised any more; a refund that waited for money waits in vain
            return Deadlines(order_id=view.order_id, allowances=view.allowances, stage=None, since=now)
        case e.OrderHeld():
            return replace(view, holds=(*view.holds, event.hold_id))
        case e.OrderHoldReleased():
            return _released(view, event.hold_id, now)
        case e.OrderCompleted():
            return replace(view, holds=())
        case e.RefundRequested():
            return _promised(view, PendingRefund(refund_id=event.refund_id, since=now))
        case e.RefundIssued():
            return _given(view, event.refund_id)
        case _:
            return view


def _released(view: Deadlines, hold_id: str, now: str) -> Deadlines:
    left = tuple(hold for hold in view.holds if hold != hold_id)
    anew = view.stage == "dispatch" and not left
    return replace(view, holds=left, since=now if anew else view.since)


def _promised(view: Deadlines, refund: PendingRefund) -> Deadlines:
    if len(view.refunds) < REFUNDS_MAX:
        return replace(view, refunds=(*view.refunds, refund))
    oldest = refund.since if view.more_since is None else min(view.more_since, refund.since)
    return replace(view, more_refunds=view.more_refunds + 1, more_since=oldest)


def _given(view: Deadlines, refund_id: str) -> Deadlines:
    left = tuple(refund for refund in view.refunds if refund.refund_id != refund_id)
    if len(left) < len(view.refunds):
        return replace(view, refunds=left)
    more = max(0, view.more_refunds - 1)
    return replace(view, more_refunds=more, more_since=view.more_since if more else None)


def to_document(view: Deadlines) -> dict[str, Any]:
    """The view as JSON values. These names are the API's: they are written down here and nowhere derived."""
    dues = view.dues()
    allowances = view.allowances
    return {
        "orderId": view.order_id,
        "next": {"stage": dues[0].stage, "dueAt": dues[0].due_at} if dues else None,
        "stage": view.stage,
        "since": view.since,
        "holds": list(view.holds),
        "refunds": [{"refundId": refund.refund_id, "since": refund.since} for refund in view.refunds],
        "moreRefunds": view.more_refunds,
        "moreSince": view.more_since,
        "allowances": {
            "outcomesS": allowances.outcomes_s,
            "dispatchS": allowances.dispatch_s,
            "deliveryS": allowances.delivery_s,
            "undoS": allowances.undo_s,
            "refundS": allowances.refund_s,
        },
    }


def from_document(document: Mapping[str, Any]) -> Deadlines:
    """The view in a document that `to_document` made. Raises KeyError for any other."""
    allowances = document["allowances"]
    return Deadlines(
        order_id=document["orderId"],
        allowances=e.Allowances(
            outcomes_s=allowances["outcomesS"],
            dispatch_s=allowances["dispatchS"],
            delivery_s=allowances["deliveryS"],
            undo_s=allowances["undoS"],
            refund_s=allowances["refundS"],
        ),
        stage=document["stage"],
        since=document["since"],
        holds=tuple(document["holds"]),
        refunds=tuple(
            PendingRefund(refund_id=refund["refundId"], since=refund["since"]) for refund in document["refunds"]
        ),
        more_refunds=document["moreRefunds"],
        more_since=document["moreSince"],
    )


def due_list(shard: int) -> str:
    """One of the `SHARDS` lists of what is due."""
    return f"due/{shard:02d}"


def shard_of(order_id: str) -> int:
    """The list that an order stands in: any that spreads them evenly, and the same in every release and process."""
    return crc32(order_id.encode()) % SHARDS


def _listing(view: Deadlines) -> Listing | None:
    dues = view.dues()
    if not dues:
        return None
    return Listing(due_list(shard_of(view.order_id)), f"{dues[0].due_at}/{view.order_id}")


VIEW: Final[View[Deadlines]] = View(
    name=NAME,
    schema=SCHEMA,
    evolve=evolve,
    to_document=to_document,
    from_document=from_document,
    listing=_listing,
    reacts_to=frozenset(
        {
            e.OrderCreated,
            e.OrderConfirmed,
            e.OrderRejected,
            e.OrderCancellationRequested,
            e.OrderCancelled,
            e.OrderHeld,
            e.OrderHoldReleased,
            e.ShipmentDispatched,
            e.ShipmentDelivered,
            e.RefundRequested,
            e.RefundIssued,
        }
    ),
)
