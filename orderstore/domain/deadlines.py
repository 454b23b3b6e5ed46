"""What an order is waited for, and until when: its stages (`allowances`), and the promises that end by themselves (`timers`), folded from
its events and the moments at which they happened. Pure. Two readers hold it: the view `deadlines`, which lists orders by what is due next,
and the sweeper, which folds it from the log before it does anything.

An order is in one stage at a time (outcomes, dispatch, undo, or none); each parcel under way (delivery) and each refund has a deadline
beside that. A hold stops the clock of `dispatch`, which begins anew with the release of the last one; no other clock stops for it. A stage
that is said to be late (`OrderProcessStalled`) is due no more, until somebody does something about it: then its clock begins anew, or,
where it is skipped, nobody is told again. What the order's state says of the same is held to this by a test, event by event.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Final, Literal

from orderstore.domain import events as e
from orderstore.domain.allowances import Stage, allowances_of, allowed_s
from orderstore.domain.timers import Timer

Phase = Literal["received", "confirmed", "in_fulfilment", "completed", "cancelling", "ended"]
_STAGE_OF: Final[dict[Phase, Stage]] = {"received": "outcomes", "confirmed": "dispatch", "cancelling": "undo"}
KEPT_MAX: Final = 100
"""Parcels, refunds and questions that are kept singly; of the others the count, and since when the oldest waits."""
_BOUND: Final = ("received", "confirmed", "in_fulfilment")


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """Something that is late from `due_at` on. `subject` is the refund, the parcel or the question; None where there is but one, and for
    those that are not kept singly. A stage has begun at `since`."""

    what: Stage | Timer
    due_at: datetime
    since: datetime | None = None
    subject: str | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """A parcel that is under way since then, or a refund that is promised since then."""

    subject: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Several:
    """The first `KEPT_MAX` of something, and how many there are beside them; the oldest of those has waited since `more_since`, unless
    that has been told already."""

    kept: tuple[Waiting, ...] = ()
    more: int = 0
    more_since: datetime | None = None

    def __bool__(self) -> bool:
        """Whether there is one."""
        return bool(self.kept or self.more)

    def has(self, subject: str) -> bool:
        """Whether this one is kept singly."""
        return any(one.subject == subject for one in self.kept)

    def with_one(self, subject: str, now: datetime) -> "Several":
        """With one more."""
        if len(self.kept) < KEPT_MAX:
            return replace(self, kept=(*self.kept, Waiting(subject, now)))
        oldest = now if self.more_since is None else min(self.more_since, now)
        return replace(self, more=self.more + 1, more_since=oldest)

    def without(self, subject: str) -> "Several":
        """Without this one."""
        left = tuple(one for one in self.kept if one.subject != subject)
        if len(left) < len(self.kept):
            return replace(self, kept=left)
        more = max(0, self.more - 1)
        return replace(self, more=more, more_since=self.more_since if more else None)

    def anew(self, now: datetime, subject: str) -> "Several":
        """The same with the clock of one begun anew."""
        if not self.has(subject):
            return replace(self, more_since=now if self.more else None)
        kept = tuple(Waiting(subject, now) if one.subject == subject else one for one in self.kept)
        return replace(self, kept=kept)


NONE: Final = Several()


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadlines:
    """`since` is when the stage of `phase` began. `silent` are the stages (each with its refund, or "") that are told to be late, or that
    nobody wants to hear of again. `payment_until` belongs to the payment's last word: declined, waiting for the customer, or held."""

    allowances: e.Allowances
    phase: Phase
    since: datetime
    holds: tuple[str, ...] = ()
    parcels: Several = NONE
    refunds: Several = NONE
    questions: Several = NONE
    """`since` is the deadline here."""
    payment: Literal["", "failed", "action", "authorized"] = ""
    payment_until: datetime | None = None
    reserved_until: datetime | None = None
    silent: tuple[tuple[Stage, str], ...] = ()

    @property
    def stage(self) -> Stage | None:
        """The stage that the order itself is in; None when it waits for nothing."""
        return _STAGE_OF.get(self.phase, "delivery" if self.parcels else None)

    def dues(self) -> tuple[Due, ...]:
        """Everything that is due at some time, the earliest first."""
        return tuple(sorted((*self._stages(), *self._timers()), key=attrgetter("due_at", "what")))

    def _stages(self) -> Iterator[Due]:
        own = _STAGE_OF.get(self.phase)
        if own is not None and not (own == "dispatch" and self.holds):
            yield from self._late(own, self.since)
        one_by_one: tuple[tuple[Stage, Several], ...] = (("delivery", self.parcels), ("refund", self.refunds))
        for stage, several in one_by_one:
            for one in several.kept:
                yield from self._late(stage, one.since, one.subject)
            if several.more_since is not None:
                yield from self._late(stage, several.more_since)

    def _late(self, stage: Stage, since: datetime, subject: str | None = None) -> Iterator[Due]:
        if (stage, subject or "") not in self.silent:
            ends = since + timedelta(seconds=allowed_s(self.allowances, stage))
            yield Due(what=stage, since=since, due_at=ends, subject=subject)

    def _timers(self) -> Iterator[Due]:
        """What `timers.dues` says of the order's state."""
        if self.phase not in _BOUND:
            return
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
    return Deadlines(allowances=allowances_of(created), phase="received", since=now)


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
            )
        case e.InventoryReserved() | e.InventoryPartiallyReserved():
            return replace(view, reserved_until=event.expires_at)
        case e.OrderConfirmed():
            return replace(view, phase="confirmed", since=now)
        case e.ShipmentDispatched():
            gone = replace(view, parcels=view.parcels.with_one(event.shipment_id, now))
            return gone if view.phase == "in_fulfilment" else replace(gone, phase="in_fulfilment", since=now)
        case e.PaymentCaptured():
            # of what is held still, where it was one parcel's, the rest goes with the next one, or is for a person
            return replace(view, payment="", payment_until=None)
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
            return replace(view, holds=left, since=now if view.phase == "confirmed" and not left else view.since)
        case e.RefundRequested():
            return replace(view, refunds=view.refunds.with_one(event.refund_id, now))
        case e.RefundIssued():
            return replace(view, refunds=view.refunds.without(event.refund_id))
        case e.OrderActionRequired() if event.kind != "payment":
            return replace(view, questions=view.questions.with_one(event.action_id, event.deadline))
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


def _told(view: Deadlines, stalled: e.OrderProcessStalled) -> Deadlines:
    subject = stalled.subject or ""
    if stalled.stage == "refund" and not view.refunds.has(subject):
        return replace(view, refunds=replace(view.refunds, more_since=None))
    if stalled.stage == "delivery" and not view.parcels.has(subject):
        return replace(view, parcels=replace(view.parcels, more_since=None))
    return replace(view, silent=(*view.silent, (stalled.stage, subject)))


def _resumed(view: Deadlines, resumed: e.OrderProcessResumed, now: datetime) -> Deadlines:
    if resumed.action == "skip":
        return view
    silent = tuple(one for one in view.silent if one != (resumed.stage, resumed.subject or ""))
    match resumed.stage:
        case "delivery":
            return replace(view, silent=silent, parcels=view.parcels.anew(now, resumed.subject or ""))
        case "refund":
            return replace(view, silent=silent, refunds=view.refunds.anew(now, resumed.subject or ""))
        case stage:
            anew = _STAGE_OF.get(view.phase) == stage and silent != view.silent
            return replace(view, silent=silent, since=now if anew else view.since)


def _heard(view: Deadlines) -> Deadlines:
    """Without what is told of stages that are over."""
    own = _STAGE_OF.get(view.phase)
    left = tuple(
        (stage, subject)
        for stage, subject in view.silent
        if (stage == own and not (stage == "dispatch" and view.holds))
        or (stage == "delivery" and view.parcels.has(subject))
        or (stage == "refund" and view.refunds.has(subject))
    )
    return view if left == view.silent else replace(view, silent=left)
