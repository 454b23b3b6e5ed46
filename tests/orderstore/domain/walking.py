"""Walks through an order's life: workers that answer as they may, people who change their minds, clocks that run out, all at random.

A walk takes what the order's own steps ask for, so it holds the steps and the decisions to one another.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from random import Random

from orderstore.domain import billing, next_steps, timers
from orderstore.domain import decisions as d
from orderstore.domain import events as e
from orderstore.domain.decide_returns import returnable
from orderstore.domain.going_on import with_what_went_on
from orderstore.domain.holds import hold, release_hold
from orderstore.domain.parcels import pieces_of, unbooked
from orderstore.domain.rejections import CommandRejected
from orderstore.domain.state import (
    INITIAL,
    Confirmed,
    InFulfilment,
    Order,
    PaymentStatus,
    ReturnStatus,
    ShipmentStatus,
    State,
    fold,
)
from orderstore.domain.waiting import waits_in
from tests.builders import NOON, order_created
from tests.orderstore.domain import walking_edits

Decide = Callable[[State], tuple[e.Event, ...]]

LINES = (
    e.OrderLine(sku="LAMP", quantity=3, unit_price=Decimal("19.99")),
    e.OrderLine(sku="CHAIR", quantity=2, unit_price=Decimal("0.333")),
    e.OrderLine(sku="TABLE", quantity=1, unit_price=Decimal("249.50")),
)

EAGER_ONE_IN = 4
"""So many walks; all others are what they were before there were edits."""
RESUMPTIONS: tuple[e.Resumption, ...] = ("retry", "skip", "resume", "cancel")


@dataclass
class Walk:
    """One order, and the clock that its world goes by. `kind` is how often, of a hundred, somebody says no."""

    random: Random
    terms: e.Terms
    kind: int = 25
    now: datetime = NOON
    events: list[e.Event] = field(default_factory=list)
    commits: list[tuple[datetime, tuple[e.Event, ...]]] = field(default_factory=list)
    """The same as they were decided: together, and when."""
    state: State = INITIAL
    asked: int = 0
    eager: bool = False
    """Whether people want more of it, and of nearly every order that is confirmed; it may have taxes then."""

    @property
    def order(self) -> Order:
        assert isinstance(self.state, Order)
        return self.state

    def append(self, decided: tuple[e.Event, ...]) -> bool:
        """Whether anything happened. What went on because of it is told too, as whoever writes to a log tells it."""
        decided = with_what_went_on(self.state, decided)
        self.state = fold(self.state, decided)
        self.events.extend(decided)
        if decided:
            self.commits.append((self.now, decided))
        return bool(decided)

    def says_no(self) -> bool:
        return self.random.randrange(100) < self.kind

    def in_(self, seconds: int) -> datetime:
        return self.now + timedelta(seconds=seconds)

    def work(self) -> Iterator[Decide]:
        """What the workers would record next, as far as the order wants anything of them."""
        for department in (self._payment, self._inventory, self._shipping, self._billing):
            decide = department()
            if decide is not None:
                yield decide

    def _payment(self) -> Decide | None:
        order = self.order
        attempt = order.payment.attempt
        match next_steps.payment_step(order):
            case None:
                return None
            case next_steps.Authorize(amount_minor):
                answer = self.random.randrange(6) if self.kind else 5
                if answer == 0:
                    soft = self.terms.payment_retry_s > 0
                    until = self.in_(self.terms.payment_retry_s) if soft else None
                    return partial(
                        d.fail_payment,
                        outcome=e.PaymentFailed(attempt=attempt, category="soft", code="no", retry_until=until),
                    )
                if answer == 1 and order.payment.action_until is None:
                    return partial(
                        d.require_payment_action,
                        outcome=e.PaymentActionRequired(
                            attempt=attempt, provider_reference=f"pi_{attempt}", deadline=self.in_(60)
                        ),
                    )
                mode: e.PaymentMode = "captured" if answer == 2 else "authorized"
                return partial(
                    d.complete_payment,
                    outcome=e.PaymentCompleted(
                        attempt=attempt,
                        mode=mode,
                        amount_minor=amount_minor,
                        provider_reference=f"pi_{attempt}",
                        capture_before=self.in_(500) if mode == "authorized" else None,
                    ),
                )
            case next_steps.Capture(amount_minor, shipment_id, final):
                return partial(
                    d.capture_payment,
                    outcome=e.PaymentCaptured(
                        amount_minor=amount_minor, provider_reference="cap", shipment_id=shipment_id, final=final
                    ),
                )
            case next_steps.VoidPayment():
                return partial(d.void_payment, outcome=e.PaymentVoided(provider_reference=None))
            case next_steps.AuthorizeEdit(edit):
                answer = self.random.randrange(6) if self.kind else 5
                return walking_edits.covered(
                    order, edit, answer=answer, deadline=self.in_(60), held_until=self.in_(500)
                )
            case next_steps.ReleaseHold(spare):
                let_go = e.PaymentHoldReleased(attempt=spare.attempt, provider_reference=spare.provider_reference)
                return partial(d.release_hold_of_attempt, outcome=let_go)
            case next_steps.IssueRefund(refund):
                if self.says_no():
                    return partial(
                        d.fail_refund,
                        outcome=e.RefundFailed(refund_id=refund.refund_id, attempt=refund.attempt, code="no"),
                    )
                return partial(
                    d.issue_refund,
                    outcome=e.RefundIssued(
                        refund_id=refund.refund_id, amount_minor=refund.amount_minor, provider_reference="re"
                    ),
                )

    def _inventory(self) -> Decide | None:
        match next_steps.inventory_step(self.order):
            case None:
                return None
            case next_steps.Reserve():
                return self._reserve()
            case next_steps.Release():
                return partial(d.release_inventory, outcome=e.InventoryReleased(reservation_id="r"))
            case next_steps.CommitStock(shipment):
                return partial(d.commit_inventory, outcome=e.InventoryCommitted(shipment_id=shipment.shipment_id))
            case next_steps.ReleasePieces(part):
                return partial(d.release_pieces, outcome=e.PiecesReleased(cancellation_id=part.cancellation_id))
            case next_steps.FillBackorder(missing):
                if self.says_no():
                    return None
                come = missing[: self.random.randint(1, len(missing))]
                return partial(
                    d.fill_backorder, outcome=e.BackorderFilled(reservation_id="r", allocations=self._at(come))
                )
            case next_steps.ReserveEdit(edit):
                spread = self._at if self.random.random() < 0.5 else lambda _pieces: ()
                return walking_edits.set_aside(edit, there=not self.says_no(), at=spread)
            case next_steps.ReleaseEdit(edit):
                return partial(d.release_edit, edit_id=edit.edit_id)
            case next_steps.Restock(returned):
                return partial(d.restock, outcome=e.InventoryRestocked(return_id=returned.return_id))

    def _reserve(self) -> Decide:
        until = self.in_(self.terms.reservation_s) if self.terms.reservation_s else None
        everything = tuple(e.Pieces(line=at, quantity=line.quantity) for at, line in enumerate(self.order.order.lines))
        if not self.says_no():
            spread = self._at(everything) if self.random.random() < 0.5 else ()
            return partial(
                d.reserve_inventory,
                outcome=e.InventoryReserved(reservation_id="r", allocations=spread, expires_at=until),
            )
        if self.terms.missing_stock == "refuse":
            short = e.MissingStock(sku="LAMP", wanted=3, available=0)
            return partial(d.fail_inventory, outcome=e.InventoryFailed(missing=(short,)))
        there = [self.random.randint(0, part.quantity) for part in everything]
        if not any(there) and self.terms.missing_stock != "backorder":
            there[0] = 1
        if sum(there) == sum(part.quantity for part in everything):
            there[-1] -= 1
        found = tuple(e.Pieces(line=at, quantity=count) for at, count in enumerate(there) if count)
        missing = tuple(
            e.Pieces(line=part.line, quantity=part.quantity - there[part.line])
            for part in everything
            if part.quantity > there[part.line]
        )
        return partial(
            d.partly_reserve_inventory,
            outcome=e.InventoryPartiallyReserved(
                reservation_id="r",
                allocations=self._at(found),
                missing=missing,
                expires_at=until,
                answer_by=self.in_(self.terms.answer_s),
            ),
        )

    def _at(self, lines: tuple[e.Pieces, ...]) -> tuple[e.Allocation, ...]:
        """The pieces spread over two locations."""
        north: list[e.Pieces] = []
        south: list[e.Pieces] = []
        for part in lines:
            first = self.random.randint(0, part.quantity)
            if first:
                north.append(e.Pieces(line=part.line, quantity=first))
            if part.quantity - first:
                south.append(e.Pieces(line=part.line, quantity=part.quantity - first))
        both = (("north", tuple(north)), ("south", tuple(south)))
        return tuple(e.Allocation(location=location, lines=pieces) for location, pieces in both if pieces)

    def _shipping(self) -> Decide | None:
        match next_steps.shipping_step(self.order):
            case None:
                return None
            case next_steps.Book(shipment_id, parcel):
                return partial(
                    d.create_shipment,
                    outcome=e.ShipmentCreated(
                        shipment_id=shipment_id,
                        carrier="c",
                        label_reference="l",
                        location=parcel.location,
                        lines=parcel.lines,
                    ),
                )
            case next_steps.Dispatch(shipment_id):
                if self.random.random() < self.kind / 300:
                    return partial(d.fail_shipment, outcome=e.ShipmentFailed(shipment_id=shipment_id, code="no"))
                return self._dispatched(shipment_id)
            case next_steps.CancelBooking(shipment_id):
                if self.says_no():
                    return self._dispatched(shipment_id)
                return partial(d.cancel_shipment, outcome=e.ShipmentCancelled(shipment_id=shipment_id))
            case next_steps.Track(shipment_ids):
                shipment_id = self.random.choice(shipment_ids)
                if self.random.random() < self.kind / 200:
                    return partial(d.fail_shipment, outcome=e.ShipmentFailed(shipment_id=shipment_id, code="lost"))
                return partial(
                    d.deliver_shipment, outcome=e.ShipmentDelivered(shipment_id=shipment_id, proof_reference="p")
                )

    def _dispatched(self, shipment_id: str) -> Decide:
        return partial(d.dispatch_shipment, outcome=e.ShipmentDispatched(shipment_id=shipment_id, tracking_number="t"))

    def _billing(self) -> Decide | None:
        match next_steps.billing_step(self.order):
            case None:
                return None
            case next_steps.IssueInvoice():
                return partial(billing.issue_invoice, series="INV", number=1, issued_at=NOON, supplied_at=NOON)
            case next_steps.IssueCreditNote(refund):
                return partial(
                    billing.issue_credit_note,
                    refund_id=refund.refund_id,
                    series="CN",
                    number=len(self.order.credit_notes) + 1,
                    issued_at=NOON,
                )
            case next_steps.StoreDocument(number):
                stored = e.InvoiceDocumentStored(
                    number=number,
                    document="invoice",
                    media_type="text/html",
                    object_key="k",
                    sha256="0" * 64,
                    size=1,
                )
                return partial(billing.store_documents, renderings=(stored,))

    def people(self) -> Decide:
        """Something that somebody asks for, sensible or not."""
        self.asked += 1
        name, order, random = f"a{self.asked}", self.order, self.random
        lines = order.order.lines
        line = random.randrange(len(lines))
        some = (e.Pieces(line=line, quantity=random.randint(1, lines[line].quantity)),)
        left = unbooked(order)
        loose = pieces_of(left)[:1] or some
        back = pieces_of(returnable(order))[:2] or some
        returns = [one.return_id for one in order.returns] or ["none"]
        which = random.choice(returns)
        stages: tuple[e.StalledStage, ...] = ("outcomes", "capture", "dispatch", "delivery", "undo", "refund")
        if self.eager and isinstance(order, Confirmed) and random.random() < 0.6:
            return random.choice(walking_edits.asked_for(name, order, random))
        choices: list[Decide] = [
            partial(d.request_cancellation, reason="customer"),
            partial(d.request_refund, refund_id=name, lines=some, reason=None),
            partial(d.cancel_lines, cancellation_id=name, lines=loose, reason="customer"),
            partial(d.retry_payment, method=None),
            partial(hold, hold_id=name, reason="operator"),
            partial(d.request_return, return_id=name, lines=back, reason="other", approved=random.random() < 0.5),
            partial(d.approve_return, return_id=which),
            partial(d.decline_return, return_id=which),
            partial(d.cancel_return, return_id=which),
            partial(d.receive_return, return_id=which),
            partial(d.inspect_return, return_id=which, pieces=self._looked(which)),
            partial(d.pass_review, outcome=e.FraudReviewPassed()),
            partial(d.fail_review, outcome=e.FraudReviewFailed()),
            partial(d.dispute_payment, outcome=e.PaymentDisputed(dispute_id=name, amount_minor=100, reason="fraud")),
            partial(
                d.delay_shipment,
                outcome=e.ShipmentDelayed(delay_id=name, promised_at=NOON, reason="late", consent_by=self.in_(90)),
            ),
            partial(d.stall, stage=random.choice(stages), since=NOON, due_at=NOON),
            *(
                partial(d.stall, stage=stage, since=NOON, due_at=NOON)
                for stage in stages
                if waits_in(order, stage, None)
            ),
            *(
                partial(d.resume, stage=one.stage, subject=one.subject, action=action, note=None)
                for one in order.stalls
                for action in RESUMPTIONS
            ),
            partial(d.lose_sight_of_payment),
        ]
        if self.eager:
            choices += walking_edits.asked_for(name, order, random)
        choices += [partial(release_hold, hold_id=one.hold_id) for one in order.holds]
        choices += [
            partial(d.answer, action_id=question.action_id, answer=random.choice(("accepted", "declined")))
            for question in order.questions
        ]
        for dispute in order.payment.disputes:
            outcome = e.PaymentDisputeClosed(dispute_id=dispute.dispute_id, outcome=random.choice(("won", "lost")))
            choices.append(partial(d.close_dispute, outcome=outcome))
        return random.choice(choices)

    def _looked(self, return_id: str) -> tuple[e.InspectedPieces, ...]:
        for one in self.order.returns:
            if one.return_id == return_id:
                condition: e.Condition = self.random.choice(("sellable", "damaged", "dismissed"))
                return tuple(
                    e.InspectedPieces(line=part.line, quantity=part.quantity, condition=condition) for part in one.lines
                )
        return ()

    def step(self) -> bool:
        """One more thing that happens."""
        chance = self.random.random()
        wants_more = self.eager and isinstance(self.state, Confirmed)
        if chance < (0.6 if wants_more and not self.order.edits else 0.15):
            try:
                return self.append(self.people()(self.state))
            except CommandRejected:
                return False
        if 0.15 <= chance < 0.25:
            self.now += timedelta(seconds=self.random.choice((1, 30, 100, 600)))
            return self.append(timers.expire(self.state, now=self.now))
        wanted = list(self.work())
        return self.append(self.random.choice(wanted)(self.state)) if wanted else False

    def drain(self, *, steps_max: int = 400) -> None:
        """Nobody asks for anything any more, everybody says yes, and people do what is theirs to do."""
        self.kind = 0
        for _ in range(steps_max):
            wanted = list(self.work())
            if wanted:
                assert self.append(self.random.choice(wanted)(self.state)), f"{wanted[0]} was asked for and refused"
                continue
            if not self._settled_by_people():
                return
        raise AssertionError("the order never comes to rest")

    def _settled_by_people(self) -> bool:
        order = self.order
        if order.holds:
            return self.append(release_hold(order, hold_id=order.holds[0].hold_id))
        if order.review == "open" and self.append(d.pass_review(order, outcome=e.FraudReviewPassed())):
            return True
        for dispute in order.payment.disputes:
            if dispute.status == "open":
                won = e.PaymentDisputeClosed(dispute_id=dispute.dispute_id, outcome="won")
                return self.append(d.close_dispute(order, outcome=won))
        if order.payment.status is PaymentStatus.FAILED and isinstance(order, InFulfilment):
            return self.append(d.retry_payment(order))  # what was held ran out, and the goods were gone
        for refund in order.payment.refunds:
            if refund.failed:
                return self.append(d.retry_refund(order, refund_id=refund.refund_id))
        self.now += timedelta(days=30)
        if self.append(timers.expire(order, now=self.now)):
            return True
        for one in order.returns:
            if one.status is ReturnStatus.REQUESTED:
                return self.append(d.approve_return(order, return_id=one.return_id))
            if one.status is ReturnStatus.APPROVED:
                return self.append(d.receive_return(order, return_id=one.return_id))
            if one.status is ReturnStatus.RECEIVED:
                return self.append(d.inspect_return(order, return_id=one.return_id, pieces=self._looked(one.return_id)))
        return self._lost_parcels_are_refunded()

    def _lost_parcels_are_refunded(self) -> bool:
        for shipment in self.order.shipments:
            if shipment.status is ShipmentStatus.LOST:
                lines = shipment.lines or tuple(
                    e.Pieces(line=at, quantity=one.quantity) for at, one in enumerate(self.order.order.lines)
                )
                for part in lines:
                    for quantity in range(part.quantity, 0, -1):
                        try:
                            refund_id = f"{shipment.shipment_id}:{part.line}:{quantity}"
                            piece = (e.Pieces(line=part.line, quantity=quantity),)
                            if self.append(d.request_refund(self.state, refund_id=refund_id, lines=piece, reason=None)):
                                return True
                        except CommandRejected:
                            continue
        return False


def walk(seed: int, *, steps: int = 60, eager: bool = False) -> Walk:
    """A whole life, from the order to where it comes to rest. `eager`: see `Walk`."""
    random = Random(seed)
    terms = e.Terms(
        missing_stock=random.choice(("refuse", "ask", "backorder", "cancel_lines")),
        charge=random.choice(("per_order", "per_shipment")),
        payment_retry_s=random.choice((0, 300)),
        reservation_s=random.choice((0, 200)),
        answer_s=80,
        review=random.random() < 0.3,
    )
    going = Walk(random, terms, kind=random.choice((0, 10, 40)), eager=eager or seed % EAGER_ONE_IN == 1)
    promised = Random(-1 - seed)
    grace_until = NOON + timedelta(seconds=60) if promised.random() < 0.2 else None
    ship_by = NOON + timedelta(seconds=400) if promised.random() < 0.5 else None
    created = order_created(lines=LINES, terms=terms, grace_until=grace_until, ship_by=ship_by)
    going.append(d.place(INITIAL, order=walking_edits.taxed(created, Random(seed)) if going.eager else created))
    for _ in range(steps):
        going.step()
    going.drain()
    return going
