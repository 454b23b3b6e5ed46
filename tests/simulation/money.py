"""What must be true of money: the provider's books, the order's events and the payment worker's own table say the same."""

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from orderstore.domain import events as e
from orderstore.domain.state import Cancelled, Completed, Placed, Rejected
from orderstore.orders import Orders
from tests.projections.stream.fake_stream import wall_ms
from tests.simulation.provider import Books, attempts_in
from workers.payment.attempts import TableAttempts
from workers.reconciliation.payments import PaymentReconciliation
from workers.sandbox.ledger import Entry, TableLedger

if TYPE_CHECKING:
    from tests.simulation.outside import Outside

_ENDED: Final = (Completed, Cancelled, Rejected)


def money(order: Placed, events: Sequence[e.Event], ledger: Sequence[Entry]) -> list[str]:
    """What does not fit between one order's events and what the provider has of it."""
    attempts = attempts_in(ledger)
    tries = Counter(attempt.number for attempt in attempts)
    found = [f"attempt {number} is {count} times at the provider" for number, count in tries.items() if count > 1]
    latest = order.payment.next_attempt - 1  # an edit that came to nothing had one too
    if strange := [number for number in tries if not 1 <= number <= latest]:
        found.append(f"the provider was asked for the attempts {strange}, and the latest is {latest}")
    found += _unasked(order.order.order_id, events, ledger)
    given_back = {key: minor for attempt in attempts for key, minor in attempt.refunds.items()}
    late = {key: minor for attempt in attempts for key, minor in attempt.given_back_at_once.items()}
    charged, refunded = sum(attempt.taken_minor for attempt in attempts), sum(given_back.values())
    charged -= sum(late.values())  # of an earlier attempt that took money after all: as if it never was
    captured = _captured(events)
    issued = [event for event in events if isinstance(event, e.RefundIssued)]
    lost = _lost(events)
    if charged != captured:
        found.append(f"{charged} were taken, and the log says {captured}")
    if refunded != sum(event.amount_minor for event in issued):
        found.append(f"{refunded} were given back, and the log says {sum(event.amount_minor for event in issued)}")
    if sorted(given_back) != sorted(event.provider_reference for event in issued):
        found.append(f"the provider gave back {sorted(given_back)}, and the log says otherwise")
    if refunded > charged:
        found.append(f"{refunded} were given back of {charged}")
    holding = [attempt.number for attempt in attempts if attempt.holds]
    if isinstance(order, _ENDED) and holding:
        found.append(f"{len(holding)} holds are neither taken nor let go")
    if earlier := [number for number in holding if number != order.payment.attempt]:
        found.append(f"the attempts {earlier} still hold money, and the order is at {order.payment.attempt}")
    if isinstance(order, Cancelled | Rejected) and charged > refunded + lost:
        found.append(f"it came to nothing, and {charged - refunded - lost} of the customer's money is kept")
    invoiced = sum(event.total_minor for event in events if isinstance(event, e.InvoiceIssued))
    surplus = sum(refund.amount_minor for refund in order.payment.refunds if refund.issued and refund.of_cancellation)
    if isinstance(order, Completed) and (order.invoice is None or not captured - surplus <= invoiced <= captured):
        found.append(f"{captured} were taken, and the invoices say {invoiced}")
    return [*found, *_documents(order, events, captured=captured)]


def _captured(events: Sequence[e.Event]) -> int:
    at_once = (
        event.amount_minor for event in events if isinstance(event, e.PaymentCompleted) and event.mode == "captured"
    )
    return sum(at_once) + sum(event.amount_minor for event in events if isinstance(event, e.PaymentCaptured))


def _unasked(order_id: str, events: Sequence[e.Event], ledger: Sequence[Entry]) -> list[str]:
    """Attempts of which the log tells an outcome that the provider never gave: another one's was taken for it."""
    asked = {entry.key for entry in ledger}
    taken_over = {event.provider_reference for event in events if isinstance(event, e.PaymentCompleted)}
    return [
        f"the log tells of attempt {event.attempt}, and the provider was never asked"
        for event in events
        if isinstance(event, e.PaymentCompleted | e.PaymentFailed)
        and f"payment/{order_id}:payment:{event.attempt}" not in asked
        and f"payment/{order_id}:payment:{event.attempt - 1}" not in taken_over
    ]


def _lost(events: Sequence[e.Event]) -> int:
    """What banks have taken back for ever."""
    lost = {
        event.dispute_id for event in events if isinstance(event, e.PaymentDisputeClosed) and event.outcome == "lost"
    }
    return sum(
        event.amount_minor for event in events if isinstance(event, e.PaymentDisputed) and event.dispute_id in lost
    )


def _documents(order: Placed, events: Sequence[e.Event], *, captured: int) -> list[str]:
    """What does not fit between an order's money and its documents, once billing has nothing left to do. What was given back for pieces
    that were cancelled is in no document: the invoice never named them. What a bank has taken back is still sold, and owed to the shop."""
    invoices = [event for event in events if isinstance(event, e.InvoiceIssued)]
    notes = [event for event in events if isinstance(event, e.CreditNoteIssued)]
    of_pieces = {refund.refund_id for refund in order.payment.refunds if refund.of_cancellation}
    given = {event.refund_id: event.amount_minor for event in events if isinstance(event, e.RefundIssued)}
    issued = {refund_id: minor for refund_id, minor in given.items() if refund_id not in of_pieces}
    if not invoices:
        return [f"{len(notes)} credit notes, and no invoice"] if notes else []
    found = []
    if len(invoices) > 1:
        found.append(f"{len(invoices)} invoices")
    if strangers := [note.invoice_number for note in notes if note.invoice_number != invoices[0].invoice_number]:
        found.append(f"credit notes for {strangers}, and its invoice is {invoices[0].invoice_number}")
    if sorted((note.refund_id, note.total_minor) for note in notes) != sorted(issued.items()):
        found.append(f"{len(issued)} refunds were given back, and {len(notes)} credit notes do not say the same")
    net = sum(invoice.total_minor for invoice in invoices) - sum(note.total_minor for note in notes)
    owed = sum(refund.amount_minor for refund in order.payment.refunds_owed if refund.of_cancellation)
    if isinstance(order, Completed) and captured - sum(given.values()) - owed != net:
        found.append(f"{captured - sum(given.values())} of the money were kept, and the documents come to {net}")
    return found


async def reconciled(outside: "Outside", orders: Orders) -> AsyncIterator[str]:
    """The daily reconciliation of payments, over the day of the run, finds nothing."""
    now_s = wall_ms() // 1_000
    books = Books(TableLedger(outside.tables["sandbox"], now_ms=wall_ms), begun_at_s=now_s)
    attempts = TableAttempts(outside.tables["payments"], now_ms=wall_ms)
    reconciliation = PaymentReconciliation(books, attempts.held_between, orders, look_again_s=0.0)
    report = await reconciliation.reconcile(datetime.fromtimestamp(now_s, UTC).date(), note=False)
    for one in report.found:
        yield f"order {one.order_id}: the reconciliation finds {one.finding}"
    for order_id in report.unreadable:
        yield f"order {order_id}: the reconciliation cannot read it"
