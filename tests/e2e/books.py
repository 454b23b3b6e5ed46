"""The bookkeeper: holds what every party wrote down against the log, order by order, piece by piece, penny by penny."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio

from orderstore.domain.events import InvoiceDocumentStored, InvoiceIssued
from orderstore.domain.ids import order_id_for_key, order_of
from orderstore.domain.state import Cancelled, Completed, Placed, Rejected
from orderstore.history import History
from tests.e2e.emulated import Emulated
from workers.commands.environment import LOCAL_NUMBERS
from workers.core import open_core
from workers.demo.feed import Fed
from workers.demo.outcome import as_expected
from workers.demo.run import RARITIES_SCALE, STOCK_PER_SKU
from workers.intake.generator import GeneratedOrder, GeneratorSettings, OrderGenerator
from workers.metrics.table import Metrics
from workers.notification.texts import TEMPLATES, Texts
from workers.settings import from_environment

TENANT = "main"
# What the settings say when nobody says otherwise; a guest has no inbox, and the record says so.
CUSTOMERS_CHANNELS = ("email", "inbox")
TEXTS = Texts()
MONEY = ("authorize", "charge", "decline", "capture", "void", "refund")


@dataclass(frozen=True)
class Books:
    """Everything that was written down by anybody, read once. Orders are those that the demo's seed feeds."""

    emulated: Emulated
    orders: dict[str, GeneratedOrder]
    histories: dict[str, History]
    unasked: set[str]
    """Orders in the log that nobody placed."""
    ledger: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def state(self, order_id: str) -> Placed:
        """An order's state as the log has it."""
        state = self.histories[order_id].state
        assert isinstance(state, Placed)
        return state

    def names(self, order_id: str) -> Counter[str]:
        """How often each type of event is in an order."""
        return Counter(recorded.name for recorded in self.histories[order_id].events)


def open_books(state_dir: Path, *, seed: int, count: int) -> Books:
    """Read the books of a demo that fed `count` orders of `seed`; the environment must run."""
    emulated = Emulated.of(state_dir)
    orders = orders_of(seed=seed, count=count)
    histories, streams = anyio.run(_read_log, emulated, sorted(orders))
    ledger = defaultdict(list)
    for row in emulated.rows("sandbox"):
        ledger[row["order"]].append(row)
    return Books(emulated, orders, histories, streams - orders.keys(), dict(ledger))


def orders_of(*, seed: int, count: int) -> dict[str, GeneratedOrder]:
    """The orders that a demo feeds, by id."""
    generator = OrderGenerator(GeneratorSettings(seed=seed, rarities_scale=RARITIES_SCALE))
    return {str(order_id_for_key(TENANT, f"demo:{order.key}")): order for order in generator.orders(count)}


async def _read_log(emulated: Emulated, order_ids: Sequence[str]) -> tuple[dict[str, History], set[str]]:
    async with open_core(from_environment({**LOCAL_NUMBERS, **emulated.settings}), Metrics()) as core:
        histories = {order_id: await core.orders.load(order_id) for order_id in order_ids}
        return histories, {order_of(stream)[1] async for stream in core.store.streams()}


def check(books: Books, *, mails_kept: bool = True, objects_ahead: bool = False) -> None:
    """Every check that needs no knowledge of how the run went. AssertionError names the order and who disagrees.

    `mails_kept`: whether the emulator ran all the time; it forgets the mails that it took when it ends.
    `objects_ahead`: whether it was killed; its objects are then younger than its tables, and the archive may have given up hints of orders
    that it holds otherwise.
    """
    assert not books.unasked, f"orders that nobody placed: {books.unasked}"
    for order_id in books.orders:
        check_end(books, order_id)
        check_money(books, order_id)
        check_parcel(books, order_id)
    check_stock(books)
    check_invoices(books)
    check_notifications(books, mails_kept=mails_kept)
    left = [
        message for message in books.emulated.queued() if not (objects_ahead and message.queue.endswith("-archive-dlq"))
    ]
    assert left == [], "a message still waits, or lies in the dead letters"


def check_end(books: Books, order_id: str) -> None:
    """The order ended as its hooks ask, and nothing was decided twice."""
    names = books.names(order_id)
    stored = [
        (recorded.event.number, recorded.event.media_type)
        for recorded in books.histories[order_id].events
        if isinstance(recorded.event, InvoiceDocumentStored)
    ]
    assert len(stored) == len(set(stored)), f"{order_id}: a rendering is stored twice: {stored}"
    once = {name: count for name, count in names.items() if name != "InvoiceDocumentStored"}
    assert max(once.values()) == 1, f"{order_id}: something happened twice: {names}"
    fed = Fed(
        order_id,
        books.orders[order_id].expectation,
        new=True,
        too_late=not names["OrderCancellationRequested"],  # a run may have died before it asked
    )
    assert as_expected(fed, books.histories[order_id]), f"{order_id}: {names}, expected {fed.expectation}"


def check_money(books: Books, order_id: str) -> None:
    """One authorisation at most, over the whole sum; taken once if the goods left, let go once if not."""
    rows = {kind: [row for row in books.ledger.get(order_id, ()) if row["kind"] == kind] for kind in MONEY}
    counts = {kind: len(found) for kind, found in rows.items()}
    names, state = books.names(order_id), books.state(order_id)
    total = state.order.total_minor
    assert all(row["amount_minor"] == total for row in (*rows["authorize"], *rows["capture"])), f"{order_id}: {rows}"
    assert counts["charge"] == counts["refund"] == 0, f"{order_id}: {counts}"
    if isinstance(state, Completed):
        expected = {"authorize": 1, "decline": 0, "capture": 1, "void": 0}
        assert names["PaymentCompleted"] == names["PaymentCaptured"] == 1, f"{order_id}: {names}"
    elif names["PaymentFailed"]:
        expected = {"authorize": 0, "decline": 1, "capture": 0, "void": 0}
    else:
        held = counts["authorize"]
        assert held <= 1, f"{order_id}: {counts}"
        assert held >= names["PaymentCompleted"], f"{order_id}: paid in the log, but not at the provider"
        expected = {"authorize": held, "decline": 0, "capture": 0, "void": held}
    assert counts == {"charge": 0, "refund": 0, **expected}, f"{order_id}: {counts}, the log says {names}"


def check_parcel(books: Books, order_id: str) -> None:
    """One booking and one dispatch for what was completed; nothing left for what was not."""
    kinds = Counter(row["kind"] for row in books.ledger.get(order_id, ()))
    names, state = books.names(order_id), books.state(order_id)
    assert kinds["booking"] <= 1, f"{order_id}: booked twice: {kinds}"
    if isinstance(state, Completed):
        assert (kinds["booking"], kinds["dispatched"], kinds["cancelled"]) == (1, 1, 0), f"{order_id}: {kinds}"
        assert names["ShipmentCreated"] == names["ShipmentDispatched"] == names["ShipmentDelivered"] == 1
    else:
        assert isinstance(state, Cancelled | Rejected), f"{order_id}: {type(state).__name__}"
        assert kinds["dispatched"] == 0, f"{order_id}: cancelled, but the goods left"
        assert kinds["cancelled"] >= kinds["booking"], f"{order_id}: the carrier still waits for it"


def check_stock(books: Books) -> None:
    """On hand = available + reserved + committed for every SKU, goods-in was booked once, and exactly what was sold is held or gone."""
    reserved: Counter[str] = Counter()
    for order_id, order in books.orders.items():
        if isinstance(books.state(order_id), Completed):
            for line in order.lines:
                reserved[line.sku] += line.quantity
    levels = {
        row["key"].removeprefix("sku/"): row
        for row in books.emulated.rows("inventory")
        if row["key"].startswith("sku/")
    }
    assert reserved.keys() <= levels.keys()
    for sku, level in levels.items():
        assert level["on_hand"] == STOCK_PER_SKU, (
            f"{sku}: goods-in was booked more than once, or pieces are lost: {level}"
        )
        committed = level.get("committed", 0)
        assert level["available"] + level["reserved"] + committed == level["on_hand"], f"{sku}: {level}"
        assert level["reserved"] + committed == reserved[sku], f"{sku}: {level}, sold are {reserved[sku]}"


def check_invoices(books: Books) -> None:
    """One for each completed order, over its total; numbers 1 … n, none twice, none left out, as the counter says."""
    numbers: dict[str, list[int]] = defaultdict(list)
    for order_id, history in books.histories.items():
        issued = [recorded.event for recorded in history.events if isinstance(recorded.event, InvoiceIssued)]
        assert len(issued) == isinstance(history.state, Completed), f"{order_id}: {len(issued)} invoices"
        for invoice in issued:
            numbers[invoice.series].append(invoice.number)
    counters = {row["series"]: row["taken"] for row in books.emulated.rows("series")}
    for series, taken in numbers.items():
        assert sorted(taken) == list(range(1, len(taken) + 1)), f"{series}: {sorted(taken)}"
        assert counters[series] == len(taken), f"{series}: the counter says {counters[series]}"


def check_notifications(books: Books, *, mails_kept: bool) -> None:
    """One record for each event and channel by which customers are told of it, all sent; each mail of a record is with the mail service."""
    told = [
        (order_id, recorded.event_id)
        for order_id, history in books.histories.items()
        for recorded in history.events
        if recorded.name in TEMPLATES and TEXTS.has(TEMPLATES[recorded.name], "email")
    ]
    rows = books.emulated.rows("notifications")
    expected = {(order_id, f"{event_id}:{channel}") for order_id, event_id in told for channel in CUSTOMERS_CHANNELS}
    assert Counter((row["order"], row["notification"]) for row in rows) == Counter(expected)
    mailed = [row for row in rows if row["channel"] == "email"]
    assert {row["state"] for row in mailed} == {"sent"}, Counter(row["state"] for row in mailed)
    assert {row["state"] for row in rows} <= {"sent", "suppressed"}, Counter(row["state"] for row in rows)
    sent = [row["detail"] for row in mailed]
    assert len(set(sent)) == len(sent), "two notifications claim one mail"
    mails = {mail.id for mail in books.emulated.mails()}
    assert not mails_kept or set(sent) <= mails, "a notification says it was sent, but the mail service never saw it"


def mails_too_many(books: Books) -> Counter[str]:
    """Addresses by the number of their mails that no notification claims: sent a second time."""
    claimed = {row["detail"] for row in books.emulated.rows("notifications")}
    return Counter(mail.to for mail in books.emulated.mails() if mail.id not in claimed)


def addresses(orders: Counter[str], *, seed: int, count: int) -> Counter[str]:
    """The same counts by the customers' addresses."""
    found: Counter[str] = Counter()
    for order_id, order in orders_of(seed=seed, count=count).items():
        found[order.customer_email] += orders[order_id]
    return found
