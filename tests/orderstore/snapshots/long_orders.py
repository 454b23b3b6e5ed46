"""Long orders, made as transactions make them, and every state that an order can be in."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from orderstore import codec
from orderstore.domain import events as e
from orderstore.domain.state import INITIAL, ImpossibleTransition, State, evolve, fold
from orderstore.history import Standing
from orderstore.store.memory import MemoryEventStore
from orderstore.store.port import Commit
from tests.builders import NOON, PAID, PAID_AT_ONCE, RESERVED, line, order_created
from tests.ordering import cause
from tests.orderstore.golden_events import COMPLETE, MINIMAL

STREAM = "main/order-6f0c0ac4-5a7c-5b11-8f2e-0d7a4f6f0001"


def penny_refunds(count: int) -> tuple[e.Event, ...]:
    """An order that is paid, reserved, and refunded a penny so many times."""
    events: list[e.Event] = [order_created((line("PENNY", 100_000, "0.01"),)), PAID_AT_ONCE, RESERVED]
    for number in range(count):
        refund = {"refund_id": f"r{number}", "amount_minor": 1}
        events.append(e.RefundRequested(**refund, lines=(e.Pieces(line=0, quantity=1),)))
        events.append(e.RefundIssued(**refund, provider_reference=f"re_{number}"))
    return tuple(events)


def commits_of(events: Sequence[e.Event], stream: str = STREAM, *, at_ms: int = 1) -> list[Commit]:
    """A commit for each event; the events need not make sense together."""
    standing = Standing(stream=stream)
    commits: list[Commit] = []
    for event in events:
        body = codec.encode((event,), cause=cause("test"), first_version=standing.version + 1, occurred_at=NOON)
        commits.append(standing.following(body, recorded_at_ms=at_ms))
        standing = standing.then(commits[-1])
    return commits


async def store_of(commits: Sequence[Commit], **options: int) -> MemoryEventStore:
    store = MemoryEventStore(**options)
    for commit in commits:
        await store.append(commit)
    return store


@dataclass
class Noted:
    """An observer of snapshots that remembers."""

    sizes: list[int] = field(default_factory=list)
    not_read: list[int] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)

    def taken(self, *, stored_bytes: int) -> None:
        self.sizes.append(stored_bytes)

    def used(self, *, commits_not_read: int) -> None:
        self.not_read.append(commits_not_read)

    def ignored(self, key: str, reason: str) -> None:
        self.reasons.append(reason)


def _milestones() -> tuple[State, ...]:
    """An order in every status, with parts of every kind: what a walk sets out from, since the first event alone leads nowhere near."""
    created, plain = COMPLETE["OrderCreated"], MINIMAL["OrderCreated"]
    ready = [COMPLETE[name] for name in ("PaymentCompleted", "InventoryReserved")] + [e.OrderConfirmed()]
    booked = [*ready, COMPLETE["ShipmentCreated"]]
    asked = [*ready, COMPLETE["OrderEditRequested"], COMPLETE["OrderEditReserved"]]
    late = e.OrderEditDeclined(edit_id="edit-1", reason="not_in_time")
    sent = [*booked, COMPLETE["ShipmentDispatched"], COMPLETE["PaymentCaptured"]]
    billed = [*sent, COMPLETE["InvoiceIssued"], COMPLETE["RefundRequested"]]
    histories: list[list[e.Event]] = [
        [created],
        [plain, COMPLETE["InventoryPartiallyReserved"], COMPLETE["OrderActionRequired"]],
        [created, COMPLETE["InventoryPartiallyReserved"], COMPLETE["PaymentFailed"]],
        [created, *booked],
        [created, *ready, COMPLETE["OrderHeld"], COMPLETE["LinesCancelled"], COMPLETE["FraudReviewRequested"]],
        [created, *billed, COMPLETE["RefundIssued"], COMPLETE["ReturnRequested"]],
        [created, *billed, COMPLETE["ShipmentDelivered"], e.OrderCompleted(), COMPLETE["ReturnRequested"]],
        [plain, *booked, COMPLETE["OrderCancellationRequested"]],
        [plain, *ready, COMPLETE["OrderCancellationRequested"], COMPLETE["OrderCancelled"]],
        [plain, COMPLETE["OrderRejected"]],
        [created, *asked],
        [created, *asked, late],
        [created, *asked, replace(PAID, attempt=2), COMPLETE["OrderEditApplied"]],
    ]
    return (INITIAL, *(fold(INITIAL, history) for history in histories))


EVENTS: Final = tuple(
    event for name in sorted(COMPLETE) for event in (COMPLETE[name], *([MINIMAL[name]] if name in MINIMAL else []))
)
"""One of each type, and one more without what is optional."""


def every_transition(*, steps: int, seen: Callable[[State, e.Event, State | None], None]) -> int:
    """Tell every event in every state that so many events lead to from a milestone: the state after it, None where it is impossible.
    Counts the states."""
    latest = list(_milestones())
    known = set(latest)
    for _ in range(steps):
        reached: list[State] = []
        for state in latest:
            for event in EVENTS:
                try:
                    after: State | None = evolve(state, event)
                except ImpossibleTransition:
                    after = None
                seen(state, event, after)
                if after is not None and after not in known:
                    known.add(after)
                    reached.append(after)
        latest = reached
    return len(known)
