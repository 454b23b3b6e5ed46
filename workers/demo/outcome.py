"""How an order should have ended, judged by its own log, and what the run came to."""

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from orderstore.domain.events import InvoiceDocumentStored, OrderCancellationDeclined
from orderstore.domain.state import Cancelled, Completed, NotPlaced, Rejected, State
from orderstore.history import History
from orderstore.recorded import Recorded
from workers.demo.feed import Fed
from workers.intake.generator import Expectation

# An order has as many refunds as are asked for; every other event stands in its log at most once.
MAY_REPEAT: Final = frozenset({"RefundRequested", "RefundIssued"})


def as_expected(fed: Fed, history: History) -> bool:
    """Whether the order ended as its expectation says."""
    state = history.state
    match fed.expectation:
        case Expectation.COMPLETED:
            return isinstance(state, Completed)
        case Expectation.PAYMENT_DECLINED:
            return isinstance(state, Cancelled) and state.reason == "payment_failed"
        case Expectation.OUT_OF_STOCK:
            return isinstance(state, Cancelled) and state.reason == "inventory_failed"
        case Expectation.BOTH_FAILED:
            return isinstance(state, Rejected)
        case Expectation.CANCEL_REQUESTED:
            declined = any(isinstance(recorded.event, OrderCancellationDeclined) for recorded in history.events)
            if fed.too_late or declined:
                return isinstance(state, Completed)
            return isinstance(state, Cancelled) and state.reason in ("customer", "operator")


def status_name(state: State) -> str:
    """What the summary calls a state."""
    return "not_placed" if isinstance(state, NotPlaced) else type(state).__name__.lower()


def _what_stands_once(recorded: Recorded) -> tuple[str, ...]:
    match recorded.event:
        case InvoiceDocumentStored(number=number, media_type=media_type):  # each rendering of each document
            return recorded.name, number, media_type
        case _:
            return (recorded.name,)


@dataclass(slots=True, kw_only=True)
class Summary:
    """What `--json` prints."""

    orders: int = 0
    orders_new: int = 0
    orders_by_state: Counter[str] = field(default_factory=Counter)
    unexpected: list[str] = field(default_factory=list)
    events: int = 0
    invoices: int = 0
    notifications: int = 0
    dead_letters: dict[str, int] = field(default_factory=dict)
    duplicates_seen: int = 0
    duplicates_dropped: int = 0
    doubled: int = 0
    seconds: float = 0
    orders_per_second: float = 0
    addresses: dict[str, str] = field(default_factory=dict)

    @property
    def as_it_should_be(self) -> bool:
        """Every order ended as expected, nothing happened twice, and nothing lies in the dead letters."""
        return not self.unexpected and not self.doubled and not any(self.dead_letters.values())

    def add(self, fed: Fed, history: History) -> None:
        """Take in one order."""
        self.orders += 1
        self.orders_new += fed.new
        self.orders_by_state[status_name(history.state)] += 1
        self.events += len(history.events)
        self.invoices += sum(1 for recorded in history.events if recorded.name == "InvoiceIssued")
        once = [_what_stands_once(recorded) for recorded in history.events if recorded.name not in MAY_REPEAT]
        self.doubled += len(once) - len(set(once))
        if not as_expected(fed, history):
            self.unexpected.append(f"{fed.order_id}: {status_name(history.state)}, expected {fed.expectation}")

    def document(self) -> dict[str, Any]:
        """JSON values."""
        return {**asdict(self), "orders_by_state": dict(self.orders_by_state), "ok": self.as_it_should_be}
