"""Long orders, made as transactions make them, and every state that an order can be in."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from orderstore import codec
from orderstore.domain import events as e
from orderstore.domain.state import INITIAL, ImpossibleTransition, State, evolve
from orderstore.history import Standing
from orderstore.store.memory import MemoryEventStore
from orderstore.store.port import Commit
from tests.builders import NOON, PAID_AT_ONCE, RESERVED, line, order_created
from tests.ordering import cause

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


def every_transition(
    events: Sequence[e.Event], *, steps: int, seen: Callable[[State, e.Event, State | None], None]
) -> int:
    """Tell every event in every state that so many events lead to: the state after it, None where it is impossible. Counts the states."""
    known: set[State] = {INITIAL}
    latest: list[State] = [INITIAL]
    for _ in range(steps):
        reached: list[State] = []
        for state in latest:
            for event in events:
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
