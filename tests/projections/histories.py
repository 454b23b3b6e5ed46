"""Logs of orders for the read side's tests: legal histories, their commits, and the stream records that tell of them."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import partial

from hypothesis import strategies as st

from orderstore.codec import decode, encode
from orderstore.domain import billing
from orderstore.domain import decisions as d
from orderstore.domain import events as e
from orderstore.domain import holds as h
from orderstore.domain.ids import stream_of
from orderstore.domain.rejections import CommandRejected
from orderstore.domain.state import INITIAL, Placed, State, fold
from orderstore.recorded import Actor, Cause, Recorded
from orderstore.store import items
from orderstore.store.chain import seal
from orderstore.store.port import Commit
from projections.stream import Record
from tests.builders import (
    BOOKED,
    BOOKING_CANCELLED,
    CAPTURED,
    DECLINED,
    DELIVERED,
    DISPATCHED,
    NOON,
    PAID,
    PAID_AT_ONCE,
    RELEASED,
    RESERVED,
    SHORT,
    VOIDED,
    order_created,
)

TENANT = "main"
ORDER = "6f0c0ac4-5a7c-5b11-8f2e-0d7a4f6f0001"
START_MS = 1_780_000_000_000
REFUND = partial(
    d.request_refund,
    refund_id="r1",
    lines=(e.Pieces(line=1, quantity=1),),
    reason=e.FreeText(plain="damaged"),
)


def issue_pending_refund(state: State) -> tuple[e.Event, ...]:
    """What the payment worker does: the refund that has waited longest, with the amount that was asked for."""
    if not isinstance(state, Placed) or not state.payment.refunds_pending:
        return ()
    refund = state.payment.refunds_pending[0]
    outcome = e.RefundIssued(refund_id=refund.refund_id, amount_minor=refund.amount_minor, provider_reference="re_1")
    return d.issue_refund(state, outcome=outcome)


DECISIONS = (
    partial(d.complete_payment, outcome=PAID),
    partial(d.complete_payment, outcome=PAID_AT_ONCE),
    partial(d.fail_payment, outcome=DECLINED),
    partial(d.capture_payment, outcome=CAPTURED),
    partial(d.void_payment, outcome=VOIDED),
    partial(d.reserve_inventory, outcome=RESERVED),
    partial(d.fail_inventory, outcome=SHORT),
    partial(d.release_inventory, outcome=RELEASED),
    partial(d.create_shipment, outcome=BOOKED),
    partial(d.cancel_shipment, outcome=BOOKING_CANCELLED),
    partial(d.dispatch_shipment, outcome=DISPATCHED),
    partial(d.deliver_shipment, outcome=DELIVERED),
    partial(billing.issue_invoice, series="INV-2026", number=1, issued_at=NOON, supplied_at=NOON),
    partial(d.request_cancellation, reason="customer"),
    REFUND,
    partial(issue_pending_refund),
    partial(h.hold, hold_id="h1", reason="fraud_review"),
    partial(h.hold, hold_id="h2", reason="address"),
    partial(h.release_hold, hold_id="h1"),
    partial(h.release_hold, hold_id="h2"),
    partial(d.request_refund, refund_id="r2", lines=(e.Pieces(line=1, quantity=1),), reason=None),
)

Groups = tuple[tuple[e.Event, ...], ...]


def groups_of(sequence: Iterable[partial], *, order_id: str = ORDER, **changes: object) -> Groups:
    """What these decisions append, one group a commit; those that the order refuses append nothing."""
    created = order_created(order_id=order_id, **changes)
    groups: list[tuple[e.Event, ...]] = [(created,)]
    state: State = fold(INITIAL, (created,))
    for decide in sequence:
        try:
            events = decide(state)
        except CommandRejected:
            continue
        if events:
            groups.append(events)
            state = fold(state, events)
    return tuple(groups)


def histories() -> st.SearchStrategy[Groups]:
    """Any legal history: decisions in any order, also the ones that lead far."""
    loose = st.lists(st.sampled_from(DECISIONS), max_size=30)
    paths = st.sampled_from([HAPPY, PAID_FIRST, CANCELLED_LATE]).flatmap(
        lambda path: st.lists(st.sampled_from(DECISIONS), max_size=6).map(lambda noise: [*path, *noise])
    )
    return st.one_of(loose, paths).map(groups_of)


def _chosen(*wanted: e.Event) -> tuple[partial, ...]:
    return tuple(
        next(decide for decide in DECISIONS if decide.keywords.get("outcome") == outcome) for outcome in wanted
    )


INVOICE = DECISIONS[12]
HAPPY = (*_chosen(PAID, RESERVED, BOOKED, DISPATCHED, CAPTURED), INVOICE, *_chosen(DELIVERED))
PAID_FIRST = (*_chosen(PAID_AT_ONCE, RESERVED, BOOKED), REFUND)
CANCELLED_LATE = (*_chosen(PAID, RESERVED, BOOKED), DECISIONS[13], *_chosen(BOOKING_CANCELLED, VOIDED, RELEASED))


def happy_groups(order_id: str = ORDER, **changes: object) -> Groups:
    """A whole life: eight commits, the seventh with the invoice."""
    invoice = partial(
        billing.issue_invoice,
        series="INV-2026",
        number=int(order_id.replace("-", "")[-6:], 16),
        issued_at=NOON,
        supplied_at=NOON,
    )
    return groups_of([invoice if step is INVOICE else step for step in HAPPY], order_id=order_id, **changes)


def commits_for(
    groups: Groups,
    *,
    order_id: str = ORDER,
    tenant: str = TENANT,
    start_ms: int = START_MS,
    moments: Sequence[datetime] | None = None,
) -> list[Commit]:
    """The log of one order: a commit a second, each of which tells of the moment that is given for it, or of noon."""
    commits: list[Commit] = []
    version = 1
    for number, events in enumerate(groups, start=1):
        cause = Cause(
            causation_id=f"{order_id}-{number}",
            purpose="test",
            correlation_id=order_id,
            actor=Actor("service", "test"),
            source="test",
        )
        commits.append(
            seal(
                stream=stream_of(tenant, order_id),
                number=number,
                recorded_at_ms=start_ms + number * 1_000,
                body=encode(
                    events,
                    cause=cause,
                    first_version=version,
                    occurred_at=NOON if moments is None else moments[number - 1],
                ),
                previous=commits[-1] if commits else None,
            )
        )
        version += len(events)
    return commits


def happy_commits(order_id: str = ORDER, *, start_ms: int = START_MS, **changes: object) -> list[Commit]:
    return commits_for(happy_groups(order_id, **changes), order_id=order_id, start_ms=start_ms)


def recorded_of(commits: Iterable[Commit]) -> list[Recorded]:
    return [recorded for commit in commits for recorded in decode(commit)]


def record_of(commit: Commit) -> Record:
    """The stream's record of an append."""
    image = items.encode(commit).item
    return Record(
        sequence_number=f"{commit.recorded_at_ms:021d}",
        event_name="INSERT",
        keys={"stream": image["stream"], "commit": image["commit"]},
        image=image,
        created_at_ms=commit.recorded_at_ms,
    )


def records_of(commits: Sequence[Commit]) -> list[Record]:
    return [record_of(commit) for commit in commits]


def order_number(index: int) -> str:
    """A different order id for each index."""
    return f"00000000-0000-4000-8000-{index:012x}"
