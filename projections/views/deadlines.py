"""What each order is waited for, and until when: one small document per order, listed by what is due next while anything is.

What is due follows from the log alone (`orderstore/domain/deadlines.py`): stages that take too long, by the order's own allowances, and
promises that end by themselves. What is said to be late already is due no more: it stands in the view `exceptions`.

Lists are sharded by a hash of the order id and sorted by due time: the overdue orders of any age are the beginnings of `SHARDS` lists.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from zlib import crc32

from orderstore.codec import timestamp
from orderstore.domain import deadlines as d
from orderstore.domain import events as e
from orderstore.domain.deadlines import Several, Waiting
from orderstore.recorded import Recorded
from projections.views.view import Listing, OutOfPlace, View

NAME: Final = "deadlines"
SCHEMA: Final = 2
SHARDS: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """Something that is late from `due_at` on: a stage that has begun at `since`, or a promise (`since` is None). Times are ISO 8601 in
    UTC; `subject` is the refund or the question, where it is one that is kept singly."""

    what: str
    due_at: str
    since: str | None = None
    subject: str | None = None


@dataclass(frozen=True, slots=True)
class Deadlines:
    """An order, and what it is waited for."""

    order_id: str
    waited: d.Deadlines

    def dues(self) -> tuple[Due, ...]:
        """Everything that is due at some time, the earliest first."""
        return tuple(
            Due(
                what=due.what,
                due_at=timestamp(due.due_at),
                since=None if due.since is None else timestamp(due.since),
                subject=due.subject,
            )
            for due in self.waited.dues()
        )


def evolve(view: Deadlines | None, recorded: Recorded) -> Deadlines:
    """The view after one more event of the order, in the order of the log. Raises OutOfPlace."""
    event = recorded.event
    if isinstance(event, e.OrderCreated):
        if view is not None:
            raise OutOfPlace(f"{recorded.order_id} is created a second time by commit {recorded.commit}")
        return Deadlines(recorded.order_id, d.begun(event, recorded.occurred_at))
    if view is None:
        raise OutOfPlace(f"{recorded.order_id}: {recorded.name} in commit {recorded.commit}, and no order before it")
    after = d.evolve(view.waited, event, recorded.occurred_at)
    return view if after is view.waited else Deadlines(view.order_id, after)


def to_document(view: Deadlines) -> dict[str, Any]:
    """The view as JSON values. These names are written down here and nowhere derived; what says nothing is left out."""
    waited, dues = view.waited, view.waited.dues()
    allowances = waited.allowances
    said = {
        "since": timestamp(waited.since),
        "holds": list(waited.holds),
        "parcels": _several(waited.parcels),
        "refunds": _several(waited.refunds),
        "questions": _several(waited.questions),
        "payment": waited.payment,
        "paymentUntil": _text(waited.payment_until),
        "reservedUntil": _text(waited.reserved_until),
        "silent": [list(one) for one in waited.silent],
    }
    return {
        "orderId": view.order_id,
        "next": {"what": dues[0].what, "dueAt": timestamp(dues[0].due_at)} if dues else None,
        "phase": waited.phase,
        **{name: value for name, value in said.items() if value},
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
    waited = d.Deadlines(
        allowances=e.Allowances(
            outcomes_s=allowances["outcomesS"],
            dispatch_s=allowances["dispatchS"],
            delivery_s=allowances["deliveryS"],
            undo_s=allowances["undoS"],
            refund_s=allowances["refundS"],
        ),
        phase=document["phase"],
        since=datetime.fromisoformat(document["since"]),
        holds=tuple(document.get("holds", ())),
        parcels=_several_of(document.get("parcels")),
        refunds=_several_of(document.get("refunds")),
        questions=_several_of(document.get("questions")),
        payment=document.get("payment", ""),
        payment_until=_moment(document.get("paymentUntil")),
        reserved_until=_moment(document.get("reservedUntil")),
        silent=tuple((stage, subject) for stage, subject in document.get("silent", ())),
    )
    return Deadlines(document["orderId"], waited)


def due_list(shard: int) -> str:
    """One of the `SHARDS` lists of what is due."""
    return f"due/{shard:02d}"


def shard_of(order_id: str) -> int:
    """The list that an order stands in: any that spreads them evenly, and the same in every release and process."""
    return crc32(order_id.encode()) % SHARDS


def _listing(view: Deadlines) -> Listing | None:
    dues = view.waited.dues()
    if not dues:
        return None
    return Listing(due_list(shard_of(view.order_id)), f"{timestamp(dues[0].due_at)}/{view.order_id}")


def _several(several: Several) -> dict[str, Any] | None:
    if not several:
        return None
    beside = {"more": several.more, "moreSince": _text(several.more_since)} if several.more else {}
    return {"kept": [[one.subject, timestamp(one.since)] for one in several.kept], **beside}


def _several_of(stored: Mapping[str, Any] | None) -> Several:
    if stored is None:
        return d.NONE
    kept = tuple(Waiting(subject, datetime.fromisoformat(since)) for subject, since in stored["kept"])
    return Several(kept, stored.get("more", 0), _moment(stored.get("moreSince")))


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else timestamp(moment)


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _moves_nothing_yet(event: e.Event) -> bool:
    """Events that are always followed by another that the document is written for, before what they change can be due: a first payment
    and a reservation without an end by the order's confirmation, its undoing, or the word that the outcomes are late."""
    match event:
        case e.PaymentCompleted():
            return event.attempt == 1
        case e.InventoryReserved() | e.InventoryPartiallyReserved():
            return event.expires_at is None
        case _:
            return False


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
            e.OrderCompleted,
            e.OrderHeld,
            e.OrderHoldReleased,
            e.OrderActionRequired,
            e.OrderActionAnswered,
            e.OrderProcessStalled,
            e.OrderProcessResumed,
            e.PaymentAttemptStarted,
            e.PaymentActionRequired,
            e.PaymentCompleted,
            e.PaymentFailed,
            e.PaymentAuthorizationExpired,
            e.InventoryReserved,
            e.InventoryPartiallyReserved,
            e.ShipmentDispatched,
            e.ShipmentDelivered,
            e.ShipmentFailed,
            e.RefundRequested,
            e.RefundIssued,
        }
    ),
    unmoved_by=_moves_nothing_yet,
)
