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
from orderstore.domain.allowances import CAPTURE_WARNED_AT, OUTCOMES_LONGEST_S
from orderstore.domain.several import NONE, Several, Waiting
from orderstore.recorded import Recorded
from projections.views.view import Listing, OutOfPlace, View

NAME: Final = "deadlines"
SCHEMA: Final = 3
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
        "booked": _several(waited.booked),
        "refunds": _several(waited.refunds),
        "questions": _several(waited.questions),
        "payment": waited.payment,
        "paymentUntil": _text(waited.payment_until),
        "paymentSince": _text(waited.payment_since),
        "reservedUntil": _text(waited.reserved_until),
        "graceUntil": _text(waited.grace_until),
        "shipBy": _text(waited.ship_by),
        "promiseAsked": waited.promise_asked,
        "toLeave": waited.to_leave,
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
        booked=_several_of(document.get("booked")),
        refunds=_several_of(document.get("refunds")),
        questions=_several_of(document.get("questions")),
        payment=document.get("payment", ""),
        payment_until=_moment(document.get("paymentUntil")),
        payment_since=_moment(document.get("paymentSince")),
        reserved_until=_moment(document.get("reservedUntil")),
        grace_until=_moment(document.get("graceUntil")),
        ship_by=_moment(document.get("shipBy")),
        promise_asked=document.get("promiseAsked", False),
        to_leave=document.get("toLeave", 0),
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
    kept = [[one.subject, timestamp(one.since), *((one.pieces,) if one.pieces else ())] for one in several.kept]
    return {"kept": kept, **beside}


def _several_of(stored: Mapping[str, Any] | None) -> Several:
    if stored is None:
        return NONE
    kept = tuple(Waiting(subject, datetime.fromisoformat(since), *pieces) for subject, since, *pieces in stored["kept"])
    return Several(kept, stored.get("more", 0), _moment(stored.get("moreSince")))


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else timestamp(moment)


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _moves_nothing_yet(recorded: Recorded) -> bool:
    """Events that are always followed by another that the document is written for, before what they change can be due: a first payment
    whose money is held for long enough and a reservation without an end by the order's confirmation, its undoing, or the word that the
    outcomes are late; the booking of everything in one parcel by its leaving, or the word that it does not."""
    event = recorded.event
    match event:
        case e.PaymentCompleted():
            return event.attempt == 1 and _is_held_for_long(event, recorded.occurred_at)
        case e.ShipmentCreated():
            return not event.lines
        case e.InventoryReserved() | e.InventoryPartiallyReserved():
            return event.expires_at is None
        case _:
            return False


def _is_held_for_long(paid: e.PaymentCompleted, since: datetime) -> bool:
    """Whether nobody is to be told of its end before the outcomes are late, however long an order may be allowed for these."""
    if paid.capture_before is None:
        return True
    return CAPTURE_WARNED_AT * (paid.capture_before - since).total_seconds() > OUTCOMES_LONGEST_S


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
            e.OrderGraceEnded,
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
            e.ShipmentCreated,
            e.ShipmentCancelled,
            e.ShipmentDispatched,
            e.ShipmentDelivered,
            e.ShipmentFailed,
            e.ShipmentDelayed,
            e.LinesCancelled,
            e.OrderEditApplied,
            e.RefundRequested,
            e.RefundIssued,
        }
    ),
    unmoved_by=_moves_nothing_yet,
)
