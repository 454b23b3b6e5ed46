"""What an order is waited for, and until when: its stages (`allowances`), and the promises that end by themselves (`timers`), folded from
its events and the moments at which they happened. Pure. Two readers hold it: the view `deadlines`, which lists orders by what is due next,
and the sweeper, which folds it from the log before it does anything.

An order is in one stage at a time (outcomes, dispatch, undo, or none); each parcel under way (delivery), each one that is booked when
others have left (dispatch), each refund, and money that is held (capture) has a deadline beside that. A hold stops the clock of `dispatch`,
which begins anew with the release of the last one; no other clock stops for it. A stage
that is said to be late (`OrderProcessStalled`) is due no more, until somebody does something about it: then its clock begins anew, or,
where it is skipped, nobody is told again. What the order's state says of the same is held to this by a test, event by event.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Final, Literal

from orderstore.domain import events as e
from orderstore.domain.allowances import CAPTURE_WARNED_AT, Allowed, Stage, allowances_of, allowed_s
from orderstore.domain.several import NONE, Several
from orderstore.domain.timers import Timer, promise_question

Phase = Literal["received", "confirmed", "in_fulfilment", "completed", "cancelling", "ended"]
_STAGE_OF: Final[dict[Phase, Allowed]] = {"received": "outcomes", "confirmed": "dispatch", "cancelling": "undo"}
_BOUND: Final = ("received", "confirmed", "in_fulfilment")


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """Something that is late from `due_at` on. `subject` is the refund, the parcel or the question; None where there is but one, and for
    those that are not kept singly. A stage has begun at `since`."""

    what: Stage | Timer
    due_at: datetime
    since: datetime | None = None
    subject: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadlines:
    """`since` is when the stage of `phase` began. `silent` are the stages (each with its refund, or "") that are told to be late, or that
    nobody wants to hear of again. `payment_until` belongs to the payment's last word: declined, waiting for the customer, or held (since
    `payment_since`). Of the order's pieces, `to_leave` have not left; `booked` are parcels that have not."""

    allowances: e.Allowances
    phase: Phase
    since: datetime
    holds: tuple[str, ...] = ()
    parcels: Several = NONE
    booked: Several = NONE
    refunds: Several = NONE
    questions: Several = NONE
    """`since` is the deadline here."""
    payment: Literal["", "failed", "action", "authorized"] = ""
    payment_until: datetime | None = None
    payment_since: datetime | None = None
    reserved_until: datetime | None = None
    silent: tuple[tuple[Stage, str], ...] = ()
    grace_until: datetime | None = None
    ship_by: datetime | None = None
    promise_asked: bool = False
    to_leave: int = 0

    @property
    def stage(self) -> Stage | None:
        """The stage that the order itself is in; None when it waits for nothing."""
        return _STAGE_OF.get(self.phase, "delivery" if self.parcels else None)

    def waits_in(self, stage: Stage, subject: str) -> bool:
        """Whether the order is in this stage, told or not."""
        match stage:
            case "delivery":
                return self.parcels.has(subject)
            case "refund":
                return self.refunds.has(subject)
            case "capture":
                return self.payment == "authorized" and self.phase in _BOUND
            case "dispatch" if subject:
                return self.phase == "in_fulfilment" and self._runs(stage) and self.booked.has(subject)
            case "outcomes" | "dispatch" | "undo":
                return _STAGE_OF.get(self.phase) == stage and self._runs(stage)

    def dues(self) -> tuple[Due, ...]:
        """Everything that is due at some time, the earliest first."""
        return tuple(sorted((*self._stages(), *self._timers()), key=attrgetter("due_at", "what")))

    def _stages(self) -> Iterator[Due]:
        own = _STAGE_OF.get(self.phase)
        if own is not None and self._runs(own):
            yield from self._late(own, self.since)
        if self.payment == "authorized" and self.payment_since is not None and self.payment_until is not None:
            warned = self.payment_since + CAPTURE_WARNED_AT * (self.payment_until - self.payment_since)
            if self.phase in _BOUND and ("capture", "") not in self.silent:
                yield Due(what="capture", since=self.payment_since, due_at=warned)
        one_by_one: list[tuple[Allowed, Several]] = [("delivery", self.parcels), ("refund", self.refunds)]
        if self.phase == "in_fulfilment" and self._runs("dispatch"):
            one_by_one.append(("dispatch", self.booked))
        for stage, several in one_by_one:
            for one in several.kept:
                yield from self._late(stage, one.since, one.subject)
            if several.more_since is not None:
                yield from self._late(stage, several.more_since)

    def _runs(self, stage: Stage) -> bool:
        """Whether its clock does, in an order that is in it."""
        match stage:
            case "outcomes":
                return self.grace_until is None
            case "dispatch":
                return not self.holds
            case "capture" | "delivery" | "undo" | "refund":
                return True

    def _late(self, stage: Allowed, since: datetime, subject: str | None = None) -> Iterator[Due]:
        if (stage, subject or "") not in self.silent:
            ends = since + timedelta(seconds=allowed_s(self.allowances, stage))
            yield Due(what=stage, since=since, due_at=ends, subject=subject)

    def _timers(self) -> Iterator[Due]:
        """What `timers.dues` says of the order's state."""
        if self.phase not in _BOUND:
            return
        if self.grace_until is not None and self.phase == "received":
            yield Due(what="grace", due_at=self.grace_until)
        if self.ship_by is not None and not self.promise_asked and self.to_leave > 0:
            yield Due(what="promise", due_at=self.ship_by)
        for question in self.questions.kept:
            yield Due(what="answer", due_at=question.since, subject=question.subject)
        if self.payment_until is not None:
            if self.payment == "authorized":
                yield Due(what="authorization", due_at=self.payment_until)
            elif self.phase != "in_fulfilment":
                yield Due(
                    what="payment_retry" if self.payment == "failed" else "payment_action", due_at=self.payment_until
                )
        if self.phase == "received" and self.payment in ("failed", "action") and self.reserved_until is not None:
            yield Due(what="reservation", due_at=self.reserved_until)


def begun(created: e.OrderCreated, now: datetime) -> Deadlines:
    """What a new order is waited for."""
    return Deadlines(
        allowances=allowances_of(created),
        phase="received",
        since=now,
        grace_until=created.grace_until,
        ship_by=created.ship_by,
        to_leave=sum(line.quantity for line in created.lines),
    )


def evolve(view: Deadlines, event: e.Event, now: datetime) -> Deadlines:
    """The same after one more event, which happened `now`."""
    after = _evolve(view, event, now)
    return _heard(after) if after.silent else after


def _evolve(view: Deadlines, event: e.Event, now: datetime) -> Deadlines:
    match event:
        case e.PaymentCompleted():
            held = event.mode == "authorized"
            return replace(
                view,
                payment="authorized" if held else "",
                payment_until=event.capture_before if held else None,
                payment_since=now if held else None,
                silent=tuple(one for one in view.silent if one != ("capture", "")),  # told of what was held before
            )
        case e.InventoryReserved() | e.InventoryPartiallyReserved():
            return replace(view, reserved_until=event.expires_at)
        case e.OrderConfirmed():
            return replace(view, phase="confirmed", since=now)
        case e.OrderGraceEnded():
            return replace(view, grace_until=None, since=now)
        case e.ShipmentCreated():
            pieces = sum(part.quantity for part in event.lines) if event.lines else view.to_leave
            return replace(view, booked=view.booked.with_one(event.shipment_id, now, pieces=pieces))
        case e.ShipmentCancelled():
            return replace(view, booked=view.booked.without(event.shipment_id))
        case e.ShipmentDispatched():
            return _left(view, event.shipment_id, now)
        case e.OrderEditApplied():
            return replace(view, to_leave=view.to_leave + sum(line.quantity for line in event.lines))
        case e.LinesCancelled():
            return replace(view, to_leave=view.to_leave - sum(part.quantity for part in event.lines))
        case e.ShipmentDelayed():
            later = view.ship_by is not None and event.promised_at > view.ship_by
            return _promised(view, event.promised_at) if later else view
        case e.PaymentCaptured():
            # of what is held still, where it was one parcel's, the rest goes with the next one, or is for a person
            return replace(view, payment="", payment_until=None)
        case e.ShipmentFailed() if view.booked.has(event.shipment_id):
            return replace(view, booked=view.booked.without(event.shipment_id))
        case e.ShipmentDelivered() | e.ShipmentFailed():
            known = view.parcels.has(event.shipment_id) or view.parcels.more
            return replace(view, parcels=view.parcels.without(event.shipment_id)) if known else view
        case e.OrderCompleted():
            return replace(view, phase="completed", since=now, holds=(), questions=NONE)
        case e.OrderCancellationRequested():
            return replace(view, phase="cancelling", since=now)
        case e.OrderCancelled() | e.OrderRejected():
            # nothing is promised any more; a refund that waited for money waits in vain
            return Deadlines(allowances=view.allowances, phase="ended", since=now)
        case e.OrderHeld():
            return replace(view, holds=(*view.holds, event.hold_id))
        case e.OrderHoldReleased():
            left = tuple(hold for hold in view.holds if hold != event.hold_id)
            if left:
                return replace(view, holds=left)
            since = now if view.phase == "confirmed" else view.since
            return replace(view, holds=(), since=since, booked=view.booked.all_anew(now))
        case e.RefundRequested():
            return replace(view, refunds=view.refunds.with_one(event.refund_id, now))
        case e.RefundIssued():
            return replace(view, refunds=view.refunds.without(event.refund_id))
        case e.OrderActionRequired() if event.kind != "payment":
            asked = view.ship_by is not None and event.action_id == promise_question(view.ship_by)
            questions = view.questions.with_one(event.action_id, event.deadline)
            return replace(view, questions=questions, promise_asked=view.promise_asked or asked)
        case e.OrderActionAnswered():
            known = view.questions.has(event.action_id)
            return replace(view, questions=view.questions.without(event.action_id)) if known else view
        case e.PaymentFailed():
            return replace(view, payment="failed", payment_until=event.retry_until)
        case e.PaymentActionRequired():
            return replace(view, payment="action", payment_until=event.deadline)
        case e.PaymentAttemptStarted() | e.PaymentAuthorizationExpired() | e.PaymentVoided():
            return replace(view, payment="", payment_until=None)
        case e.OrderProcessStalled():
            return _told(view, event)
        case e.OrderProcessResumed():
            return _resumed(view, event, now)
        case _:
            return view


def _promised(view: Deadlines, ship_by: datetime) -> Deadlines:
    """A promise is asked about once, and two of them within a second are one."""
    same = view.ship_by is not None and promise_question(view.ship_by) == promise_question(ship_by)
    return replace(view, ship_by=ship_by, promise_asked=view.promise_asked and same)


def _left(view: Deadlines, shipment_id: str, now: datetime) -> Deadlines:
    gone = replace(
        view,
        parcels=view.parcels.with_one(shipment_id, now),
        booked=view.booked.without(shipment_id),
        to_leave=view.to_leave - view.booked.pieces_of(shipment_id),
    )
    return gone if view.phase == "in_fulfilment" else replace(gone, phase="in_fulfilment", since=now)


def _told(view: Deadlines, stalled: e.OrderProcessStalled) -> Deadlines:
    stage, subject = stalled.stage, stalled.subject or ""
    if stage == "refund" and not view.refunds.has(subject):
        return replace(view, refunds=replace(view.refunds, more_since=None))
    if stage == "delivery" and not view.parcels.has(subject):
        return replace(view, parcels=replace(view.parcels, more_since=None))
    if stage == "dispatch" and subject and not view.booked.has(subject):
        return replace(view, booked=replace(view.booked, more_since=None))
    return replace(view, silent=(*view.silent, (stage, subject)))


def _resumed(view: Deadlines, resumed: e.OrderProcessResumed, now: datetime) -> Deadlines:
    if resumed.action == "skip":
        return view
    subject = resumed.subject or ""
    silent = tuple(one for one in view.silent if one != (resumed.stage, subject))
    match resumed.stage:
        case "delivery":
            return replace(view, silent=silent, parcels=view.parcels.anew(now, subject))
        case "refund":
            return replace(view, silent=silent, refunds=view.refunds.anew(now, subject))
        case "dispatch" if subject:
            return replace(view, silent=silent, booked=view.booked.anew(now, subject))
        case "capture":
            return replace(view, silent=silent, payment_since=now if silent != view.silent else view.payment_since)
        case stage:
            anew = _STAGE_OF.get(view.phase) == stage and silent != view.silent
            return replace(view, silent=silent, since=now if anew else view.since)


def _heard(view: Deadlines) -> Deadlines:
    """Without what is told of stages that are over."""
    left = tuple(one for one in view.silent if view.waits_in(*one))
    return view if left == view.silent else replace(view, silent=left)
