"""Views and invoices held to the log: what does not fit becomes an event of its order, once, and a figure.

An event's id follows from what was found: the next run, and another instance, add nothing. What no order can tell (a gap in a series, a
document of an order that is not there) is only counted and told. Nothing is repaired by itself: see `docs/runbook.md`.
"""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from orderstore.codec import MalformedCommit
from orderstore.domain.events import DiscrepancyArea, DiscrepancyFound
from orderstore.domain.rejections import UnknownOrder
from orderstore.domain.state import ImpossibleTransition
from orderstore.orders import Orders
from orderstore.recorded import Actor, Cause
from orderstore.store.errors import CorruptCommit, StreamTooLong

SOURCE: Final = "reconciliation"
FOUND_MAX: Final = 10_000
"""Findings of one run that are noted; more are no discrepancies but a view that is broken."""
_OF_ONE_ORDER: Final = (MalformedCommit, CorruptCommit, StreamTooLong, ImpossibleTransition)


@dataclass(frozen=True, slots=True, kw_only=True)
class Discrepancy:
    """`order_id` is None for what belongs to no order. `ours` is what the log says, `theirs` the other place: commits of a view's
    document, or pieces in stock; 0 and 0 of an invoice, which `kind` and `subject` describe."""

    area: DiscrepancyArea
    kind: str
    subject: str
    order_id: str | None
    ours: int = 0
    theirs: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A discrepancy, and whether its order says so now."""

    discrepancy: Discrepancy
    noted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What one run came to."""

    found: tuple[Told, ...]
    more: int = 0
    """Findings beyond FOUND_MAX, which were only counted."""


Look = Callable[[], AsyncIterator[Discrepancy]]
"""Compares, and tells what does not fit. Raises StoreError, and what its other side does."""


class WholeReconciliation:
    """Compares what `looks` compare, one after the other."""

    def __init__(self, orders: Orders, *looks: Look) -> None:
        self._orders = orders
        self._looks = looks

    async def reconcile(self) -> Report:
        """Compare once, and note. A run that breaks off may be repeated. Raises what the looks raise, StoreError, Contended."""
        told: list[Told] = []
        more = 0
        for look in self._looks:
            async for discrepancy in look():
                if len(told) >= FOUND_MAX:
                    more += 1
                    continue
                told.append(Told(discrepancy=discrepancy, noted=await note(self._orders, discrepancy)))
        return Report(found=tuple(told), more=more)


async def note(orders: Orders, found: Discrepancy) -> bool:
    """Have the order say it, once for each thing that was found; whether it says so now, or did before. Raises StoreError, Contended."""
    if found.order_id is None or not _is_order(found.order_id):
        return False
    finding = DiscrepancyFound(
        area=found.area, kind=found.kind, subject=found.subject, ours=found.ours, theirs=found.theirs
    )
    try:
        history = await orders.load(found.order_id)
        first = history.events[0]
        cause = Cause(
            causation_id=first.event_id,
            purpose=f"discrepancy:{found.area}:{found.kind}:{found.subject}:{found.ours}:{found.theirs}",
            correlation_id=first.correlation_id,
            actor=Actor("service", SOURCE),
            source=SOURCE,
        )
        await orders.note_discrepancy(history, finding, cause=cause)
    except (UnknownOrder, *_OF_ONE_ORDER):
        return False  # nobody can write into what nobody can read: `orderstore audit verify` says why
    return True


def _is_order(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
