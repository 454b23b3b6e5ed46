"""The reckoning: what every party wrote down, against the log. No effect is missing, and none is double."""

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import anyio

from orderstore.contract import publish
from orderstore.domain.events import CreditNoteIssued, InvoiceIssued, RefundIssued
from orderstore.domain.ids import order_of
from orderstore.domain.state import Cancelled, Completed, InventoryStatus, Placed, Rejected
from orderstore.history import History
from orderstore.registry import BY_NAME
from tests.e2e.chaos.customers import Shop
from tests.e2e.chaos.fleet import NUMBERS
from tests.e2e.emulated import Emulated, Mail, Queued
from workers.core import Core, open_core
from workers.metrics.table import Metrics
from workers.notification.texts import TEMPLATES
from workers.settings import from_environment

EAR: Final = "ear"
"""The queue of the tests that hears everything the topic is told."""
ONCE_AT_MOST: Final = frozenset(
    {"RefundRequested", "RefundIssued", "OrderCancellationDeclined", "InvoiceDocumentStored"}
)
LOADS_AT_ONCE: Final = 32
FINAL_NOTIFICATIONS: Final = frozenset({"sent", "suppressed", "failed"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """Everything that anybody wrote down, read once."""

    histories: Mapping[str, History]
    ledger: Mapping[str, list[dict[str, Any]]]
    inventory: Mapping[str, dict[str, Any]]
    notifications: list[dict[str, Any]]
    series: Mapping[str, int]
    mails: list[Mail]
    heard: Counter[str]
    """Event ids that the topic was told of."""
    waiting: list[Queued]
    """Messages in the workers' queues."""
    dead: list[Queued]

    def state(self, order_id: str) -> Placed:
        """An order's state as the log has it."""
        state = self.histories[order_id].state
        assert isinstance(state, Placed)
        return state

    def names(self, order_id: str) -> Counter[str]:
        """How often each type of event is in an order."""
        return Counter(recorded.name for recorded in self.histories[order_id].events)


async def read_books(settings: Mapping[str, str]) -> Books:
    """Read them; nothing is changed by it."""
    emulated = Emulated(settings)
    async with open_core(from_environment({**NUMBERS, **settings}), Metrics()) as core:
        histories = await _histories(core, sorted({order_of(stream)[1] async for stream in core.store.streams()}))
    ledger = defaultdict(list)
    for row in emulated.rows("sandbox"):
        ledger[row["order"]].append(row)
    queued = emulated.queued()
    return Books(
        histories=histories,
        ledger=ledger,
        inventory={row["key"]: row for row in emulated.rows("inventory")},
        notifications=emulated.rows("notifications"),
        series={row["series"]: int(row["taken"]) for row in emulated.rows("series")},
        mails=emulated.mails(),
        heard=Counter(event_of(message) for message in queued if message.queue.endswith(EAR)),
        waiting=[message for message in queued if not message.queue.endswith((EAR, "-dlq"))],
        dead=[message for message in queued if message.queue.endswith("-dlq")],
    )


async def _histories(core: Core, order_ids: Sequence[str]) -> dict[str, History]:
    """Every order's history, by id; a few are loaded at once, for a year has many."""
    found: dict[str, History] = {}
    left = iter(order_ids)

    async def load() -> None:
        for order_id in left:
            found[order_id] = await core.orders.load(order_id)

    async with anyio.create_task_group() as group:
        for _ in range(LOADS_AT_ONCE):
            group.start_soon(load)
    return {order_id: found[order_id] for order_id in order_ids}


def event_of(message: Queued) -> str:
    """The event that a message tells of; nothing for a notice to the archive, which tells of a commit."""
    told = json.loads(message.body)
    return str(told["eventId"]) if told["eventType"] in BY_NAME else ""


def unsettled(books: Books, shop: Shop) -> list[str]:
    """Why the books cannot be closed yet. Empty: everything has come to its end."""
    found = [] if shop.ended else ["a customer still has a wish"]
    found += [f"{message.queue}: {message.body[:120]}" for message in books.waiting]
    for order_id, history in books.histories.items():
        state = history.state
        if not isinstance(state, Completed | Cancelled | Rejected):
            found.append(f"{order_id} is {type(state).__name__}: {history.events[-1].name}")
        elif state.payment.refunds_pending:
            found.append(f"{order_id}: a refund is pending")
    found += [f"{event_id} was not published" for event_id in public_events(books) - books.heard.keys()]
    found += [f"{row['notification']} is {row['state']}" for row in books.notifications if not _is_final(row)]
    found += [f"{order_id} was accepted and is not in the log" for order_id in shop.accepted.keys() - books.histories]
    return found


def _is_final(row: Mapping[str, Any]) -> bool:
    return row["state"] in FINAL_NOTIFICATIONS


def public_events(books: Books) -> set[str]:
    """The ids of all events that the world is told of."""
    return {
        recorded.event_id
        for history in books.histories.values()
        for recorded in history.events
        if publish(recorded) is not None
    }


def check(books: Books, shop: Shop, *, stocked: Mapping[str, int]) -> None:
    """Everything but mails sent twice, which `mails_too_many` counts. AssertionError names the order and who disagrees."""
    check_ends(books, shop)
    check_effects(books, stocked=stocked)
    assert books.heard.keys() - {""} == public_events(books), "published and public are not the same events"


def check_ends(books: Books, shop: Shop) -> None:
    """What was accepted is what is stored, and each order ended as its customer wished."""
    assert books.histories.keys() == shop.accepted.keys(), "accepted and stored are not the same orders"
    assert shop.broken == [], f"the API broke a promise: {shop.broken[:20]}"
    for order_id in books.histories:
        check_end(books, shop, order_id)


def check_effects(books: Books, *, stocked: Mapping[str, int], mail: str = "sent") -> None:
    """What was done for the orders, whatever they are. `mail`: how every mail must have ended."""
    for order_id in books.histories:
        check_money(books, order_id)
        check_parcel(books, order_id)
    check_stock(books, stocked)
    check_invoices(books)
    check_notifications(books, mail=mail)


def check_end(books: Books, shop: Shop, order_id: str) -> None:
    """The order ended as its customer's wishes ask, and nothing was decided twice."""
    wish, names, state = shop.accepted[order_id], books.names(order_id), books.state(order_id)
    twice = {name: count for name, count in names.items() if count > 1 and name not in ONCE_AT_MOST}
    assert twice == {}, f"{order_id}: decided twice: {names}"
    ids = [recorded.event_id for recorded in books.histories[order_id].events]
    assert len(set(ids)) == len(ids), f"{order_id}: an event id twice"
    reason = state.reason if isinstance(state, Cancelled) else ""
    match wish.wants:
        case "goods" | "a refund":
            fits = isinstance(state, Completed)
        case "declined":
            fits = reason == "payment_failed"
        case "out of stock":
            fits = reason == "inventory_failed"
        case "both":
            fits = isinstance(state, Rejected)
        case "scarce goods":
            fits = isinstance(state, Completed) or reason == "inventory_failed"
        case "to cancel":
            kept = names["OrderCancellationDeclined"] > 0 or order_id not in shop.cancelled
            fits = isinstance(state, Completed) if kept else reason in ("customer", "operator")
    assert fits, f"{order_id} wants {wish.wants}, and is {type(state).__name__} {reason}: {names}"
    refunds = {refund.refund_id for refund in state.payment.refunds}
    assert refunds == shop.refunded.get(order_id, set()), f"{order_id}: refunds {refunds}, accepted were others"


def check_money(books: Books, order_id: str) -> None:
    """One authorisation at most, over the whole sum; taken once if the goods left, let go once if not; each refund given once."""
    rows = defaultdict(list)
    for row in books.ledger.get(order_id, ()):
        rows[row["kind"]].append(row)
    counts = Counter({kind: len(found) for kind, found in rows.items()})
    names, state = books.names(order_id), books.state(order_id)
    total = state.order.total_minor
    assert all(row["amount_minor"] == total for row in (*rows["authorize"], *rows["capture"])), f"{order_id}: {rows}"
    issued = [recorded.event for recorded in books.histories[order_id].events if recorded.name == "RefundIssued"]
    given = sorted(event.amount_minor for event in issued if isinstance(event, RefundIssued))
    assert sorted(int(row["amount_minor"]) for row in rows["refund"]) == given, f"{order_id}: {rows['refund']}"
    assert counts["refund"] == len({event.refund_id for event in issued if isinstance(event, RefundIssued)})
    if isinstance(state, Completed):
        expected = {"authorize": 1, "decline": 0, "capture": 1, "void": 0, "charge": 0}
        assert names["PaymentCompleted"] == names["PaymentCaptured"] == 1, f"{order_id}: {names}"
    elif names["PaymentFailed"]:
        expected = {"authorize": 0, "decline": 1, "capture": 0, "void": 0, "charge": 0}
    else:
        held = counts["authorize"]
        assert names["PaymentCompleted"] <= held <= 1, f"{order_id}: {counts}, the log says {names}"
        expected = {"authorize": held, "decline": 0, "capture": 0, "void": held, "charge": 0}
    assert {kind: counts[kind] for kind in expected} == expected, f"{order_id}: {counts}, the log says {names}"


def check_parcel(books: Books, order_id: str) -> None:
    """One booking and one dispatch for what was completed; nothing left for what was not."""
    kinds = Counter(row["kind"] for row in books.ledger.get(order_id, ()))
    names, state = books.names(order_id), books.state(order_id)
    assert kinds["booking"] <= 1, f"{order_id}: booked twice: {kinds}"
    if isinstance(state, Completed):
        assert (kinds["booking"], kinds["dispatched"], kinds["cancelled"]) == (1, 1, 0), f"{order_id}: {kinds}"
        assert names["ShipmentCreated"] == names["ShipmentDispatched"] == names["ShipmentDelivered"] == 1
    else:
        assert kinds["dispatched"] == 0, f"{order_id}: cancelled, but the goods left"
        assert kinds["cancelled"] >= kinds["booking"], f"{order_id}: the carrier still waits for it"


def check_stock(books: Books, stocked: Mapping[str, int]) -> None:
    """On hand = available + reserved + committed for every SKU; reserved is what the orders of the log hold, committed what left."""
    reserved: Counter[str] = Counter()
    gone: Counter[str] = Counter()
    for order_id in books.histories:
        state = books.state(order_id)
        if state.inventory.status in (InventoryStatus.RESERVED, InventoryStatus.COMMITTED):
            held = gone if state.inventory.committed else reserved
            for line in state.order.lines:
                held[line.sku] += line.quantity
    for sku, pieces in stocked.items():
        level = books.inventory[f"sku/{sku}"]
        assert level["on_hand"] == pieces, f"{sku}: {level}"
        committed = level.get("committed", 0)
        assert level["available"] + level["reserved"] + committed == level["on_hand"], f"{sku}: {level}"
        assert level["available"] >= 0, f"{sku} was sold twice: {level}"
        assert level["reserved"] == reserved[sku], f"{sku}: {level}, the log holds {reserved[sku]}"
        assert committed == gone[sku], f"{sku}: {level}, by the log {gone[sku]} have left"


def check_invoices(books: Books) -> None:
    """One for each completed order, a credit note for each refund; numbers 1 … n, none twice, none left out, as the counter says."""
    numbers: dict[str, list[int]] = defaultdict(list)
    for order_id, history in books.histories.items():
        issued = [recorded.event for recorded in history.events if isinstance(recorded.event, InvoiceIssued)]
        assert len(issued) == isinstance(history.state, Completed), f"{order_id}: {len(issued)} invoices"
        for invoice in issued:
            numbers[invoice.series].append(invoice.number)
        notes = [recorded.event for recorded in history.events if isinstance(recorded.event, CreditNoteIssued)]
        refunds = books.state(order_id).payment.refunds if issued else ()
        assert {note.refund_id: note.total_minor for note in notes} == {
            refund.refund_id: refund.amount_minor for refund in refunds
        }, f"{order_id}: {len(notes)} credit notes for {len(refunds)} refunds"
        assert len(notes) == len(refunds), f"{order_id}: a refund is credited twice"
        for note in notes:
            numbers[note.series].append(note.number)
    assert books.series.keys() == numbers.keys()
    for series, taken in numbers.items():
        assert sorted(taken) == list(range(1, len(taken) + 1)), f"{series}: {sorted(taken)}"
        assert books.series[series] == len(taken), f"{series}: the counter says {books.series[series]}"


def check_notifications(books: Books, *, mail: str = "sent") -> None:
    """Each event that customers are told of has its records, all at their end; each that says `sent` by mail has its own mail."""
    expected = {
        (order_id, str(recorded.event_id))
        for order_id, history in books.histories.items()
        for recorded in history.events
        if recorded.name in TEMPLATES
    }
    told = {(row["order"], row["notification"].partition(":")[0]) for row in books.notifications}
    assert told == expected, f"not told: {expected - told}; told without an event: {told - expected}"
    by_mail = [row for row in books.notifications if row["notification"].endswith(":email")]
    assert {row["state"] for row in by_mail} <= {mail}, Counter(row["state"] for row in by_mail)
    claimed = [row["detail"] for row in by_mail if row["state"] == "sent"]
    assert len(set(claimed)) == len(claimed), "two notifications claim one mail"
    assert set(claimed) <= {mail.id for mail in books.mails}, "a notification says sent, the mail service never saw it"


@dataclass(frozen=True, slots=True)
class Twice:
    """One notification in two mails. `sent_s`: when the first left, by the wall clock."""

    event_id: str
    subject: str
    sent_s: float
    apart_s: float


def mails_too_many(books: Books) -> list[Twice]:
    """Mails that no notification claims; each is of the same text, to the same customer, as one that is claimed."""
    claims = {row["detail"]: row for row in books.notifications if row["notification"].endswith(":email")}
    first = {(mail.to, mail.subject, mail.text): mail for mail in books.mails if mail.id in claims}
    found = []
    for mail in books.mails:
        if mail.id in claims:
            continue
        claimed = first.get((mail.to, mail.subject, mail.text))
        assert claimed is not None, f"a mail that no event asks for: {mail.subject} to {mail.to}"
        event_id = claims[claimed.id]["notification"].partition(":")[0]
        apart_s = abs(mail.at_s - claimed.at_s)
        found.append(Twice(event_id, mail.subject, min(mail.at_s, claimed.at_s), apart_s))
    return found
