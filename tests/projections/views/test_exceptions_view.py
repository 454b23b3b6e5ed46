"""The exceptions view: a document for the orders that stopped, with what, since when, and who acts; and none for the others."""

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderstore.codec import timestamp
from orderstore.domain import decisions as d
from orderstore.domain import events as e
from orderstore.domain.holds import EVER_MAX, OPEN_MAX
from orderstore.domain.state import INITIAL, Cancelled, Rejected, fold
from orderstore.registry import EVENT_TYPES
from projections.projecting.folding import NOTHING, known_from, step, write_of
from projections.projecting.projector import ViewProjector
from projections.projecting.targets import Target
from projections.view_store import Stored
from projections.view_store.memory import MemoryViewStore
from projections.views import exceptions
from projections.views.exception_causes import BEGIN
from projections.views.exception_entries import HOLD_OWNERS, STAGE_KINDS
from projections.views.exceptions import HISTORY_MAX, Exceptions
from projections.views.exceptions import OPEN_MAX as LISTED_MAX
from projections.views.view import Generation, OutOfPlace
from tests.builders import (
    BOOKED,
    CAPTURED,
    DECLINED,
    DELIVERED,
    DISPATCHED,
    NOON,
    PAID,
    RELEASED,
    RESERVED,
    SHORT,
    VOIDED,
)
from tests.projections.bringing_up import bring_up_all
from tests.projections.histories import (
    ORDER,
    TENANT,
    commits_for,
    groups_of,
    happy_commits,
    happy_groups,
    histories,
    recorded_of,
    records_of,
)
from tests.projections.read_side import CountingStore
from tests.projections.rich_histories import rich_histories
from tests.virtual_time import run_virtual

TARGET = Target(exceptions.VIEW, Generation(exceptions.NAME, 1))
HELD = e.OrderHeld(hold_id="h1", reason="fraud_review")
HELD_AGAIN = e.OrderHeld(hold_id="h2", reason="address")
LET_GO = e.OrderHoldReleased(hold_id="h1")
LET_GO_AGAIN = e.OrderHoldReleased(hold_id="h2")
TOO_LATE = e.OrderCancellationDeclined(reason="dispatched")
REFUND = e.RefundRequested(refund_id="r1", amount_minor=1)
COMPLETED = e.OrderCompleted()
CANCELLED = e.OrderCancelled(reason="customer", compensations=())
REJECTED = e.OrderRejected(reasons=("payment_failed",))


def commits_after(*events: e.Event, **changes: object):
    """A log with these events, a commit and a minute each; OrderCreated comes first by itself."""
    groups = (happy_groups(**changes)[0], *((event,) for event in events))
    return commits_for(groups, moments=[NOON + timedelta(minutes=number) for number in range(len(groups))])


def after(*events: e.Event, **changes: object) -> Exceptions | None:
    view = None
    for recorded in recorded_of(commits_after(*events, **changes)):
        view = exceptions.evolve(view, recorded)
    return view


def at(number: int) -> str:
    return timestamp(NOON + timedelta(minutes=number))


def open_kinds(view: Exceptions | None) -> list[str]:
    return [] if view is None else [entry.kind for entry in view.open]


def list_of(view: Exceptions) -> str | None:
    listing = exceptions.VIEW.listing(view)
    return None if listing is None else listing.name


# Cost


@pytest.mark.parametrize(
    "way",
    [
        (PAID, RESERVED, e.OrderConfirmed(), BOOKED, DISPATCHED, CAPTURED, DELIVERED, COMPLETED, REFUND),
        (DECLINED, SHORT, REJECTED),
        (e.OrderCancellationRequested(reason="customer"), VOIDED, RELEASED, CANCELLED),
    ],
    ids=["happy and refunded", "rejected", "cancelled"],
)
def test_an_ordinary_order_costs_no_write(way: tuple[e.Event, ...]) -> None:
    """Delivered, refunded, rejected or cancelled in time: no document, commit by commit or all at once."""

    async def scenario() -> None:
        for batch_size in (1, 100):
            store, views = CountingStore(), WriteCounting()
            projector = ViewProjector(store, views, [TARGET])
            commits = commits_after(*way)
            for commit in commits:
                await store.append(commit)
            for start in range(0, len(commits), batch_size):
                await projector.apply(records_of(commits[start : start + batch_size]))
            await bring_up_all(projector)

            assert (views.writes, views._documents) == (0, {})

    run_virtual(scenario)


def test_a_happy_order_is_looked_up_once() -> None:
    """No write, and one look at its end, which also ends holds: no other commit of it makes this view read anything."""

    async def scenario() -> None:
        store, views = CountingStore(), WriteCounting()
        projector = ViewProjector(store, views, [TARGET])
        for commit in happy_commits():
            await store.append(commit)
            await projector.apply(records_of([commit]))

        assert (views.gets, store.reads, views.writes) == (1, 1, 0)

    run_virtual(scenario)


class WriteCounting(MemoryViewStore):
    """Counts documents written and calls that read."""

    def __init__(self) -> None:
        super().__init__()
        self.writes = self.gets = 0

    async def get(self, keys):
        self.gets += 1
        return await super().get(keys)

    async def write(self, writes):
        self.writes += len(writes)
        return await super().write(writes)


# Holds


def test_a_hold_says_why_since_when_and_who_acts() -> None:
    """The whole entry, and its place in the list of the held."""
    view = after(PAID, HELD)

    assert view is not None
    assert exceptions.to_document(view) == {
        "orderId": ORDER,
        "entries": [
            {
                "kind": "held",
                "cause": "fraud_review",
                "since": "2026-03-01T12:02:00.000Z",
                "dueAt": None,
                "owner": "payment",
                "actions": ["release", "cancel"],
                "reference": "h1",
                "endedAt": None,
                "endedBy": None,
            }
        ],
        "forgotten": 0,
        "unlisted": 0,
    }
    assert exceptions.VIEW.listing(view) == ("open", f"2026-03-01T12:02:00.000Z/{ORDER}")


def test_a_released_hold_is_unlisted_and_stays_as_history() -> None:
    """When it ended, and by what."""
    view = after(PAID, HELD, LET_GO)

    assert view is not None
    assert list_of(view) is None
    [entry] = view.entries
    assert (entry.ended_at, entry.ended_by) == (at(3), "OrderHoldReleased")


def test_an_order_is_listed_until_its_last_hold_is_released() -> None:
    """By the oldest that is still open."""
    first_released = after(HELD, HELD_AGAIN, LET_GO)
    second_released = after(HELD, HELD_AGAIN, LET_GO_AGAIN)

    assert exceptions.VIEW.listing(after(HELD, HELD_AGAIN)) == ("open", f"{at(1)}/{ORDER}")
    assert exceptions.VIEW.listing(first_released) == ("open", f"{at(2)}/{ORDER}")
    assert exceptions.VIEW.listing(second_released) == ("open", f"{at(1)}/{ORDER}")
    assert list_of(after(HELD, HELD_AGAIN, LET_GO, LET_GO_AGAIN)) is None


@pytest.mark.parametrize("end", [COMPLETED, CANCELLED, REJECTED])
def test_the_end_of_an_order_ends_its_holds(end: e.Event) -> None:
    """A hold on an order that has ended stops nothing; the domain takes no release of it either."""
    view = after(HELD, HELD_AGAIN, end)

    assert view is not None
    assert open_kinds(view) == []
    assert {entry.ended_by for entry in view.entries} == {type(end).__name__}


def test_what_is_over_ended_once() -> None:
    """The end of the order, a refund or another release change nothing in the history."""
    view = after(TOO_LATE, REFUND, HELD, LET_GO, e.RefundRequested(refund_id="r2", amount_minor=1), COMPLETED)

    assert view is not None
    assert [(entry.ended_at, entry.ended_by) for entry in view.entries] == [
        (at(2), "RefundRequested"),
        (at(4), "OrderHoldReleased"),
    ]


def test_every_reason_has_an_owner_that_the_registry_knows() -> None:
    """Somebody acts on each of them."""
    assert set(HOLD_OWNERS.values()) <= {entry.owner for entry in EVENT_TYPES}
    for reason in ("fraud_review", "address", "stock", "payment", "operator"):
        view = after(e.OrderHeld(hold_id="h", reason=reason))
        assert view is not None
        assert view.open[0].owner == HOLD_OWNERS[reason]


# A cancellation that came too late


def test_a_cancellation_that_came_too_late_waits_for_somebody() -> None:
    """The order goes on and completes; that the customer wanted it undone is not forgotten."""
    view = after(e.OrderConfirmed(), e.OrderCancellationRequested(reason="customer"), DISPATCHED, TOO_LATE, COMPLETED)

    assert view is not None
    [entry] = view.open
    assert (entry.kind, entry.cause, entry.owner, entry.actions) == (
        "cancellation_declined",
        "dispatched",
        "order",
        ("refund", "hold"),
    )
    assert exceptions.VIEW.listing(view) == ("open", f"{at(4)}/{ORDER}")


def test_a_refund_afterwards_ends_it_and_one_before_does_not() -> None:
    """Somebody decided."""
    assert open_kinds(after(REFUND, TOO_LATE)) == ["cancellation_declined"]
    assert open_kinds(after(TOO_LATE, REFUND)) == []


def test_a_hold_that_was_placed_afterwards_and_released_says_that_somebody_looked() -> None:
    """One that was placed before is about something else."""
    assert open_kinds(after(TOO_LATE, HELD)) == ["cancellation_declined", "held"]
    assert open_kinds(after(TOO_LATE, HELD, LET_GO)) == []
    assert open_kinds(after(HELD, TOO_LATE, LET_GO)) == ["cancellation_declined"]


def test_an_order_with_two_kinds_stands_in_the_one_list_by_the_older() -> None:
    """Whichever kind is asked for, it is found there."""
    view = after(HELD, TOO_LATE)
    assert view is not None

    assert exceptions.VIEW.listing(view) == ("open", f"{at(1)}/{ORDER}")
    assert list_of(after(TOO_LATE)) == "open"


# What else wants somebody, and until when

STALLED = e.OrderProcessStalled(stage="undo", since=NOON, due_at=NOON + timedelta(hours=1))
REFUSED = e.RefundFailed(refund_id="r1", attempt=1, code="account_closed")
DISPUTED = e.PaymentDisputed(dispute_id="dp_1", amount_minor=5, reason="fraudulent", answer_by=NOON)
LOST = e.ShipmentFailed(shipment_id="s1", code="lost")
BACK = e.ReturnRequested(return_id="b1", lines=(e.Pieces(line=0, quantity=1),), reason="withdrawal")
WRONG = e.DiscrepancyFound(area="invoice", kind="no_trigger", subject="INV-000001", ours=0, theirs=0)
NOTED = e.OrderNoteAdded(note_id="n1", note=e.FreeText(plain="it is a test"))


@pytest.mark.parametrize(
    ("kind", "begins", "others", "ends"),
    [
        ("compensation_failed", STALLED, e.OrderConfirmed(), e.OrderProcessResumed(stage="undo", action="retry")),
        (
            "compensation_failed",
            e.OrderProcessStalled(stage="refund", since=NOON, due_at=NOON, subject="r1"),
            e.OrderProcessResumed(stage="refund", action="retry", subject="r2"),
            e.OrderProcessResumed(stage="refund", action="resume", subject="r1"),
        ),
        (
            "stalled",
            e.OrderProcessStalled(stage="delivery", since=NOON, due_at=NOON, subject="s1"),
            e.OrderProcessResumed(stage="delivery", action="resume", subject="s2"),
            e.OrderProcessResumed(stage="delivery", action="skip", subject="s1"),
        ),
        (
            "payment_unknown",
            e.PaymentOutcomeUnknown(attempt=1),
            PAID,
            e.OrderProcessResumed(stage="outcomes", action="resume", subject="payment"),
        ),
        (
            "unpaid",
            e.PaymentAuthorizationExpired(provider_reference="ch_1"),
            DECLINED,
            e.PaymentCompleted(attempt=2, mode="authorized", amount_minor=1, provider_reference="ch_2"),
        ),
        (
            "refund_failed",
            REFUSED,
            e.RefundRetried(refund_id="r2", attempt=2),
            e.RefundRetried(refund_id="r1", attempt=2),
        ),
        (
            "refund_failed",
            REFUSED,
            e.RefundIssued(refund_id="r2", amount_minor=1, provider_reference="re"),
            e.RefundIssued(refund_id="r1", amount_minor=1, provider_reference="re"),
        ),
        (
            "dispute",
            DISPUTED,
            e.PaymentDisputeClosed(dispute_id="dp_2", outcome="won"),
            e.PaymentDisputeClosed(dispute_id="dp_1", outcome="lost"),
        ),
        ("shipment_failed", LOST, REFUND, COMPLETED),
        ("return", BACK, REFUND, e.ReturnDeclined(return_id="b1")),
        ("return", e.ReturnReceived(return_id="b1"), BOOKED, e.ReturnInspected(return_id="b1", pieces=())),
        ("discrepancy", WRONG, COMPLETED, NOTED),
        (
            "discrepancy",
            e.PaymentDiscrepancyFound(
                kind="not_in_log", attempt_key="k", provider_reference="p", ours_minor=0, theirs_minor=1
            ),
            CANCELLED,
            NOTED,
        ),
        ("review", e.FraudReviewRequested(), HELD, e.FraudReviewPassed()),
        ("review", e.FraudReviewRequested(), PAID, e.FraudReviewFailed()),
    ],
)
def test_each_kind_begins_with_its_event_and_ends_with_its_own(
    kind: str, begins: e.Event, others: e.Event, ends: e.Event
) -> None:
    """Nothing else ends it; and it stands in the list exactly while it is open."""
    assert kind in open_kinds(after(begins))
    assert kind in open_kinds(after(begins, others))
    over = after(begins, others, ends)
    assert kind not in open_kinds(over)
    assert over is not None
    assert [entry.ended_by for entry in over.entries if entry.kind == kind] == [type(ends).__name__]


def test_a_parcel_that_the_carrier_refused_wants_somebody_until_its_hold_is_released() -> None:
    """The domain holds the order with it."""
    held = e.OrderHeld(hold_id="shipment:s1", reason="address")
    refused = e.ShipmentFailed(shipment_id="s1", code="address_unknown")

    assert open_kinds(after(refused, held)) == ["shipment_failed", "held"]
    assert open_kinds(after(refused, held, e.OrderHoldReleased(hold_id="shipment:s1"))) == []


def test_a_return_that_was_received_waits_to_be_inspected() -> None:
    """Two steps, two entries: what is to be done next is another thing."""
    view = after(BACK, e.ReturnApproved(return_id="b1"), e.ReturnReceived(return_id="b1"))
    assert view is not None
    assert [(entry.cause, entry.open) for entry in view.entries] == [("requested", False), ("received", True)]


def test_an_entry_of_a_late_stage_says_since_when_and_until_when_it_might_have_taken() -> None:
    """The clock of the stage, not the moment at which somebody looked."""
    view = after(PAID, STALLED)
    assert view is not None
    [entry] = view.open
    assert (entry.since, entry.due_at, entry.cause) == (at(0), at(60), "undo")
    assert entry.actions == ("retry", "resume", "skip")


def test_a_failed_compensation_ends_in_the_list_and_never_silently() -> None:
    """A release that cannot be done and a void that is refused: the undoing stalls. A refund that fails says so itself, and is listed until
    it is given, whatever else happens to the order."""
    undo = (e.OrderCancellationRequested(reason="customer"), STALLED)
    assert open_kinds(after(*undo)) == ["compensation_failed"]
    assert open_kinds(after(REFUND, REFUSED, COMPLETED)) == ["refund_failed"]


def test_more_open_entries_than_are_kept_are_counted() -> None:
    """A document stays small, and says that there is more; holds are always kept, since each has an end of its own."""
    wrong = [replace(WRONG, subject=f"INV-{number:06d}") for number in range(LISTED_MAX + 30)]
    view = after(*wrong, HELD)

    assert view is not None
    assert (len(view.open), view.unlisted) == (LISTED_MAX + 1, 30)
    assert view.open[-1].kind == "held"
    assert len(orjson.dumps(exceptions.to_document(view))) < 60_000


# Bounds


def test_the_history_is_bounded_and_what_is_left_out_is_counted() -> None:
    """As many holds as an order can have: the newest are kept, the open ones always."""
    placed = [e.OrderHeld(hold_id=f"{n:036d}", reason="operator") for n in range(EVER_MAX)]
    events: list[e.Event] = [*placed[:OPEN_MAX]]
    for number, hold in enumerate(placed[OPEN_MAX:]):
        events += [e.OrderHoldReleased(hold_id=placed[number].hold_id), hold]
    view = after(*events)

    assert view is not None
    assert [entry.reference for entry in view.open] == [hold.hold_id for hold in placed[-OPEN_MAX:]]
    assert len(view.entries) == OPEN_MAX + HISTORY_MAX
    assert view.forgotten == EVER_MAX - OPEN_MAX - HISTORY_MAX
    assert view.entries[0].reference == placed[view.forgotten].hold_id
    assert len(orjson.dumps(exceptions.to_document(view))) < 20_000


def test_the_release_of_a_hold_that_was_never_placed_is_never_skipped() -> None:
    """A hole in the history, or a bug."""
    with pytest.raises(OutOfPlace):
        after(HELD, LET_GO_AGAIN)


def test_a_document_holds_no_words_of_people() -> None:
    """The note of a hold may say anything of anybody; it stays sealed in the log."""
    words = e.FreeText(plain="call 555-0199, ask for Wilhelmina")
    sealed = e.FreeText(sealed=e.SealedText(subject="customer:17", ciphertext="c2VhbGVk"))
    view = after(
        e.OrderHeld(hold_id="h1", reason="address", note=words),
        e.OrderHeld(hold_id="h2", reason="address", note=sealed),
        e.OrderHoldReleased(hold_id="h1", note=words),
        customer_id="customer-17",
        contact=e.SealedText(subject="customer:17", ciphertext="c2VhbGVk"),
        reference="PO 4711",
    )
    assert view is not None

    shown = orjson.dumps(exceptions.to_document(view)).decode()
    for secret in ("555", "Wilhelmina", "customer", "c2VhbGVk", "4711"):
        assert secret not in shown


def test_a_schema_that_falls_silent_on_an_order_with_a_document_is_an_error() -> None:
    """A document cannot be unwritten; nothing is skipped in silence."""
    log = {commit.number: tuple(recorded_of([commit])) for commit in commits_after(REFUND)}
    old = Stored(key="k", commit=2, schema=0, document=b"{}")

    with pytest.raises(OutOfPlace, match="silent"):
        step(exceptions.VIEW, known_from(exceptions.VIEW, old), log)


# Any history


@given(histories())
def test_what_is_open_is_what_the_orders_own_state_holds(groups) -> None:
    """After every commit: the open holds are the state's, with nobody's left when it has ended."""
    view, state = None, INITIAL
    for commit, events in zip(commits_for(groups), groups, strict=True):
        state = fold(state, events)
        for recorded in recorded_of([commit]):
            view = exceptions.evolve(view, recorded)
        held = [] if view is None else [entry.reference for entry in view.open if entry.kind == "held"]
        assert held == [hold.hold_id for hold in state.holds]
        listed = False if view is None else list_of(view) is not None
        assert listed == bool(open_kinds(view))


@given(rich_histories())
def test_only_orders_with_something_exceptional_have_a_document(history) -> None:
    """Exactly those to which something happened that begins an entry."""
    groups, _ = history
    exceptional = any(type(event) in BEGIN for group in groups for event in group)
    log = {commit.number: tuple(recorded_of([commit])) for commit in commits_for(groups)}

    assert (step(exceptions.VIEW, NOTHING, log).state is not None) == exceptional


@given(rich_histories())
def test_what_is_open_is_what_the_orders_own_state_says_of_any_history(history) -> None:
    """Holds, stalls, an unknown payment, failed refunds, disputes, the review: after every commit the same, and nothing that is over."""
    groups, moments = history
    view, state = None, INITIAL
    for commit, events in zip(commits_for(groups, moments=moments), groups, strict=True):
        state = fold(state, events)
        for recorded in recorded_of([commit]):
            view = exceptions.evolve(view, recorded)
        found = set() if view is None else {(entry.kind, entry.reference) for entry in view.open}
        ended = isinstance(state, Cancelled | Rejected)
        wanted = {("held", hold.hold_id) for hold in state.holds}
        wanted |= {(STAGE_KINDS[stall.stage], stall.subject) for stall in state.stalls}
        wanted |= {("payment_unknown", "payment")} if state.payment.unknown else set()
        wanted |= {("dispute", one.dispute_id) for one in state.payment.disputes if one.status == "open"}
        wanted |= {("refund_failed", one.refund_id) for one in state.payment.refunds if one.failed and not ended}
        wanted |= {("review", None)} if state.review == "open" and not ended else set()
        own = ("held", "stalled", "compensation_failed", "payment_unknown", "dispute", "refund_failed", "review")
        assert {one for one in found if one[0] in own} == wanted


@given(histories(), st.data())
def test_the_document_is_the_same_however_the_log_was_cut(groups, data) -> None:
    """Folded in one go, or stored and read again at any commits between: equal bytes, place and commit."""
    commits = commits_for(groups)
    log = {commit.number: tuple(recorded_of([commit])) for commit in commits}
    whole = step(exceptions.VIEW, NOTHING, log)

    known = NOTHING
    for first, last in pairwise([0, *sorted(data.draw(st.sets(st.integers(1, len(commits)))) | {len(commits)})]):
        assert first < last
        stepped = step(exceptions.VIEW, known, {number: log[number] for number in log if known.folded < number <= last})
        if stepped is not known:
            stored = orjson.loads(orjson.dumps(exceptions.to_document(stepped.state)))
            known = type(stepped)(exceptions.from_document(stored), stepped.folded, stepped.folded)

    assert (known.state, known.folded) == (whole.state, whole.folded)
    if whole.state is not None:
        assert write_of(TARGET, TENANT, ORDER, known).document == write_of(TARGET, TENANT, ORDER, whole).document


@given(rich_histories())
def test_only_events_that_it_reacts_to_change_it(history) -> None:
    """Otherwise a document would be wrong until something else happens."""
    groups, moments = history
    view = None
    for recorded in recorded_of(commits_for(groups, moments=moments)):
        before, view = view, exceptions.evolve(view, recorded)
        if not exceptions.VIEW.changed_by((recorded,)):
            assert view == before


def test_the_race_of_a_hold_and_a_carrier_ends_as_the_log_says() -> None:
    """Held, cancelled, and the goods leave all the same: somebody has to look at both."""
    decisions = (
        lambda state: d.complete_payment(state, outcome=PAID),
        lambda state: d.reserve_inventory(state, outcome=RESERVED),
        lambda state: d.create_shipment(state, outcome=BOOKED),
        lambda state: (HELD,),
        lambda state: d.request_cancellation(state, reason="customer"),
        lambda state: d.dispatch_shipment(state, outcome=DISPATCHED),
    )
    view = None
    for recorded in recorded_of(commits_for(groups_of(decisions))):
        view = exceptions.evolve(view, recorded)

    assert view is not None
    assert open_kinds(view) == ["held", "cancellation_declined"]
    assert list_of(view) == "open"
