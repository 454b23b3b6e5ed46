"""Logs of orders whose money moves on many days, and what they add up to, counted by other means than the view's."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from random import Random

from orderstore.codec import decode, encode
from orderstore.domain import events as e
from orderstore.domain.edits import edited
from orderstore.domain.ids import stream_of
from orderstore.recorded import Actor, Cause
from orderstore.store.chain import seal
from orderstore.store.port import Commit
from projections.projecting import contributions
from projections.projecting.targets import Target
from projections.view_store import ViewStore
from projections.views import daily_figures, progress
from projections.views.view import Generation
from tests.builders import CAPTURED, PAID, PAID_AT_ONCE, order_created
from tests.projections.histories import TENANT, order_number

TARGET = Target(daily_figures.VIEW, Generation(daily_figures.NAME, 1))
FIRST_DAY = datetime(2026, 3, 1, 9, tzinfo=UTC)


def refunded(number: int, amount_minor: int = 100) -> e.RefundIssued:
    return e.RefundIssued(refund_id=f"r{number}", amount_minor=amount_minor, provider_reference=f"re_{number}")


def commits_at(events: Sequence[tuple[datetime, e.Event]], order_id: str) -> list[Commit]:
    """A commit for each event, at its moment."""
    commits: list[Commit] = []
    for number, (moment, event) in enumerate(events, start=1):
        cause = Cause(
            causation_id=f"{order_id}-{number}",
            purpose="test",
            correlation_id=order_id,
            actor=Actor("service", "test"),
            source="test",
        )
        commits.append(
            seal(
                stream=stream_of(TENANT, order_id),
                number=number,
                recorded_at_ms=int(moment.timestamp() * 1000),
                body=encode((event,), cause=cause, first_version=number, occurred_at=moment),
                previous=commits[-1] if commits else None,
            )
        )
    return commits


def order_with_refunds(order_id: str, refunds: int) -> list[Commit]:
    """An order that is paid for, and then refunded a little on each of many days."""
    events: list[tuple[datetime, e.Event]] = [
        (FIRST_DAY, order_created(order_id=order_id, placed_at=FIRST_DAY)),
        (FIRST_DAY, PAID_AT_ONCE),
        *((FIRST_DAY + timedelta(days=day), refunded(day)) for day in range(1, refunds + 1)),
    ]
    return commits_at(events, order_id)


def some_order(index: int, random: Random) -> list[Commit]:
    """A life of money: placed on one of three days in one of three currencies; then taken, given back in parts, or undone."""
    order_id = order_number(index)
    at = FIRST_DAY + timedelta(hours=random.randrange(72))
    currency = random.choice(("EUR", "GBP", "JPY"))
    events: list[tuple[datetime, e.Event]] = [
        (at, order_created(order_id=order_id, placed_at=at, currency=currency)),
    ]

    def then(event: e.Event) -> None:
        events.append((events[-1][0] + timedelta(hours=random.randrange(20)), event))

    end = random.random()
    if end < 0.1:
        then(e.OrderRejected(reasons=("payment_failed",)))
    else:
        then(PAID)
        then(e.OrderConfirmed())
        if end < 0.25:
            then(e.OrderCancelled(reason="customer", compensations=()))
        else:
            then(CAPTURED)
            for number in range(random.randrange(4)):
                then(refunded(number, random.randrange(1, 9_000)))
    return commits_at(events, order_id)


def counted_from(commits: Iterable[Commit]) -> contributions.Amounts:
    """What these logs add up to in both halves of the view."""
    commits = list(commits)
    return {**sales_from(commits), **progress_from(commits)}


def progress_from(commits: Iterable[Commit]) -> contributions.Amounts:
    """How these orders got on, by what their first and last events of a kind say."""
    logs: dict[str, list[tuple[e.Event, datetime]]] = {}
    for commit in commits:
        happened = [(recorded.event, recorded.occurred_at) for recorded in decode(commit)]
        logs.setdefault(commit.stream, []).extend(happened)
    counter: Counter[tuple[str, str]] = Counter()

    def count(moment: datetime, *measures: str) -> None:
        counter.update((f"{moment:%Y-%m-%d}", measure) for measure in measures)

    for happened in logs.values():
        came = happened[0][1]
        count(came, "placed")
        stands, since = "RECEIVED", came
        done: set[str] = set()
        for event, moment in happened:
            name, timed, bounds = type(event).__name__, "", ()
            if name == "OrderConfirmed":
                name, timed, bounds = "confirmed", "confirm", progress.CONFIRM_S
            elif name == "ShipmentDispatched":
                name, timed, bounds = "shipped", "ship", progress.SHIP_S
            if timed and name not in done:
                done.add(name)
                within = [bound for bound in bounds if (moment - came).total_seconds() <= bound]
                count(moment, name, f"{timed}_le_{within[0]}" if within else f"{timed}_longer")
            becomes = STANDS.get(type(event), stands)
            if becomes != stands:
                stands, since = becomes, moment
        if stands.islower():
            count(since, stands)
            count(came, f"of_{stands}")
        else:
            count(since, f"in_{stands}")
    return _sums_of(counter)


STANDS = {
    e.OrderConfirmed: "CONFIRMED",
    e.ShipmentDispatched: "IN_FULFILMENT",
    e.OrderCancellationRequested: "CANCELLING",
    e.OrderCompleted: "completed",
    e.OrderCancelled: "cancelled",
    e.OrderRejected: "rejected",
}


def _sums_of(counter: Counter[tuple[str, str]]) -> contributions.Amounts:
    sums: contributions.Amounts = {}
    for (bucket, measure), amount in counter.items():
        sums.setdefault(bucket, {})[measure] = amount
    return contributions.moved({}, sums)


def sales_from(commits: Iterable[Commit]) -> contributions.Amounts:
    """What was sold by these logs, event by event, in the simplest way."""
    counter: Counter[tuple[str, str]] = Counter()
    orders: dict[str, e.OrderCreated] = {}
    for commit in commits:
        for recorded in decode(commit):
            event, at = recorded.event, recorded.occurred_at
            amount = None
            match event:
                case e.OrderCreated():
                    orders[commit.stream] = event
                    kind, amount, at = "placed", event.total_minor, event.placed_at
                case e.PaymentCompleted() | e.PaymentCaptured():
                    if isinstance(event, e.PaymentCaptured) or event.mode == "captured":
                        kind, amount = "captured", event.amount_minor
                case e.OrderEditApplied() if event.amount_minor:
                    counter[f"{at:%Y-%m-%d}/{orders[commit.stream].currency}", "placed_minor"] += event.amount_minor
                    orders[commit.stream] = edited(orders[commit.stream], event)
                case e.RefundIssued():
                    kind, amount = "refunded", event.amount_minor
                case e.InvoiceIssued():
                    kind, amount, at = "invoiced", event.total_minor, event.issued_at
                case e.CreditNoteIssued():
                    kind, amount, at = "credited", event.total_minor, event.issued_at
                case e.OrderCancelled():
                    kind, amount = "cancelled", orders[commit.stream].total_minor
                case e.OrderRejected():
                    kind, amount = "rejected", orders[commit.stream].total_minor
            if amount is not None:
                bucket = f"{at:%Y-%m-%d}/{orders[commit.stream].currency}"
                counter[bucket, f"{kind}_count"] += 1
                counter[bucket, f"{kind}_minor"] += amount
    return _sums_of(counter)


async def stored_totals(views: ViewStore, target: Target = TARGET) -> contributions.Amounts:
    """Every bucket of the tenant as it is stored."""
    names = [name async for name in views.sum_keys(target.generation.sums_prefix)]
    found = await views.totals(names)
    return contributions.moved({}, {target.generation.bucket(name)[1]: amounts for name, amounts in found.items()})
