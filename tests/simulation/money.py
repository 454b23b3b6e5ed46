"""What must be true of money: the provider's books, the order's events and the payment worker's own table say the same."""

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from orderstore.domain import events as e
from orderstore.domain.state import Cancelled, Completed, Placed, Rejected
from orderstore.orders import Orders
from tests.projections.stream.fake_stream import wall_ms
from workers.payment.attempts import TableAttempts
from workers.reconciliation.payments import PaymentReconciliation, ProviderBooks, Standing, Theirs
from workers.sandbox.ledger import Entry, TableLedger

if TYPE_CHECKING:
    from tests.simulation.outside import Outside

ONCE: Final = ("authorize", "charge", "decline", "capture", "void", "booking", "dispatched", "cancelled")
_BEGUN: Final = ("authorize", "charge")


def money(order: Placed, events: Sequence[e.Event], ledger: Sequence[Entry]) -> list[str]:
    """What does not fit between one order's events and what the providers have of it; each effect is there once."""
    kinds = Counter(entry.kind for entry in ledger)
    found = [f"{kinds[kind]} times {kind} at the provider" for kind in ONCE if kinds[kind] > 1]
    charged = sum(int(entry.details["amount_minor"]) for entry in ledger if entry.kind in ("capture", "charge"))
    given_back = {entry.key: int(entry.details["amount_minor"]) for entry in ledger if entry.kind == "refund"}
    refunded = sum(given_back.values())
    captured = sum(
        event.amount_minor
        for event in events
        if isinstance(event, e.PaymentCaptured) or (isinstance(event, e.PaymentCompleted) and event.mode == "captured")
    )
    issued = [event for event in events if isinstance(event, e.RefundIssued)]
    invoiced = sum(event.total_minor for event in events if isinstance(event, e.InvoiceIssued))
    if charged != captured:
        found.append(f"{charged} were taken, and the log says {captured}")
    if refunded != sum(event.amount_minor for event in issued):
        found.append(f"{refunded} were given back, and the log says {sum(event.amount_minor for event in issued)}")
    if sorted(given_back) != sorted(event.provider_reference for event in issued):
        found.append(f"the provider gave back {sorted(given_back)}, and the log says otherwise")
    if refunded > charged:
        found.append(f"{refunded} were given back of {charged}")
    held = kinds["authorize"] - kinds["capture"] - kinds["void"]
    if isinstance(order, Completed | Cancelled | Rejected) and held:
        found.append(f"{held} holds are neither taken nor let go")
    if isinstance(order, Cancelled | Rejected) and charged != refunded:
        found.append(f"it came to nothing, and {charged - refunded} of the customer's money is kept")
    if isinstance(order, Completed) and (order.invoice is None or invoiced != captured):
        found.append(f"{captured} were taken, and the invoices say {invoiced}")
    if kinds["dispatched"] and isinstance(order, Cancelled | Rejected):
        found.append("its goods have left")
    return [*found, *_documents(events, captured=captured)]


def _documents(events: Sequence[e.Event], *, captured: int) -> list[str]:
    """What does not fit between an order's money and its documents, once billing has nothing left to do."""
    invoices = [event for event in events if isinstance(event, e.InvoiceIssued)]
    notes = [event for event in events if isinstance(event, e.CreditNoteIssued)]
    issued = {event.refund_id: event.amount_minor for event in events if isinstance(event, e.RefundIssued)}
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
    if captured - sum(issued.values()) != net:
        found.append(f"{captured - sum(issued.values())} of the money were kept, and the documents come to {net}")
    return found


class SandboxBooks(ProviderBooks):
    """The sandbox provider's books, as a reconciliation reads a real one's."""

    def __init__(self, ledger: TableLedger, *, begun_at_s: int) -> None:
        self._ledger = ledger
        self._begun_at_s = begun_at_s

    async def payments(self, since_s: int, until_s: int) -> AsyncIterator[Theirs]:
        """See `ProviderBooks`. A run fits into its first day."""
        if since_s <= self._begun_at_s < until_s:
            async for entry in self._ledger.entries():
                if entry.kind in _BEGUN and (theirs := await self.payment(entry.key)) is not None:
                    yield theirs

    async def payment(self, reference: str) -> Theirs | None:
        """See `ProviderBooks`."""
        begun = await self._ledger.get(reference)
        if begun is None or begun.kind not in _BEGUN:
            return None
        settled = await self._ledger.get(f"{reference}/settled")
        mine = [
            entry async for entry in self._ledger.entries(order=begun.order) if entry.key.startswith(f"{reference}/")
        ]
        taken = sum(int(entry.details["amount_minor"]) for entry in mine if entry.kind == "capture")
        standing: Standing = "taken" if begun.kind == "charge" or taken else "held" if settled is None else "nothing"
        return Theirs(
            reference=reference,
            attempt_key=reference.removeprefix("payment/"),
            order_id=begun.order,
            standing=standing,
            amount_minor=taken or int(begun.details["amount_minor"]),
            currency=str(begun.details["currency"]),
            refunded_minor=sum(int(entry.details["amount_minor"]) for entry in mine if entry.kind == "refund"),
        )

    async def touched(self, since_s: int, until_s: int) -> AsyncIterator[str]:
        """See `ProviderBooks`. Whatever was touched was begun on the same day."""
        for reference in ():
            yield reference


async def reconciled(outside: "Outside", orders: Orders) -> AsyncIterator[str]:
    """The daily reconciliation of payments, over the day of the run, finds nothing."""
    now_s = wall_ms() // 1_000
    books = SandboxBooks(TableLedger(outside.tables["sandbox"], now_ms=wall_ms), begun_at_s=now_s)
    attempts = TableAttempts(outside.tables["payments"], now_ms=wall_ms)
    reconciliation = PaymentReconciliation(books, attempts.held_between, orders, look_again_s=0.0)
    report = await reconciliation.reconcile(datetime.fromtimestamp(now_s, UTC).date(), note=False)
    for one in report.found:
        yield f"order {one.order_id}: the reconciliation finds {one.finding}"
    for order_id in report.unreadable:
        yield f"order {order_id}: the reconciliation cannot read it"
