"""Which orders want somebody, why, and who acts: questions to the views `deadlines` and `exceptions`, for one tenant, at one time.

    stalled                 late in `outcomes`, `dispatch` or `delivery`
    compensation_failed     late in `undo` or `refund`
    held                    somebody stopped the order
    cancellation_declined   it was to be undone, and the goods had left

Orders that are parked by a subscription are known to its parking lot, and not here.

Pages are bounded in orders and in documents looked at: one may be short, or empty, and still have a cursor to the next. Cursors name no
generation: a walk survives a switch. While orders move, a walk shows each one that was there throughout, and may miss or repeat the others.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from orderstore.domain.allowances import STAGES, Stage
from projections.answers.merged_lists import merged_page
from projections.answers.overdue import due_lists, late_with, text_of
from projections.answers.ports import ExceptionKind
from projections.view_store import Stored, ViewStore
from projections.views import deadlines, exceptions
from projections.views.deadlines import Due
from projections.views.view import Generation

Kind = Literal["stalled", "compensation_failed", "held", "cancellation_declined"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
STAGE_KINDS: Final[Mapping[Stage, Kind]] = {
    "outcomes": "stalled",
    "dispatch": "stalled",
    "delivery": "stalled",
    "undo": "compensation_failed",
    "refund": "compensation_failed",
}
"""The kinds that the clock makes: an order that is late in one of these stages."""

_OWNERS: Final[Mapping[Stage, str]] = {
    "outcomes": "order",
    "dispatch": "shipping",
    "delivery": "shipping",
    "undo": "order",
    "refund": "payment",
}
_ACTIONS: Final[Mapping[Stage, tuple[str, ...]]] = {
    "outcomes": ("redrive", "cancel"),
    "dispatch": ("redrive", "hold", "cancel"),
    "delivery": ("redrive", "refund"),
    "undo": ("redrive",),
    "refund": ("redrive",),
}
"""`redrive`: give the dead letters of whoever is late back to its queue. The others are verbs of the API."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One thing that wants somebody, as the API tells it, wherever it was found. `cause` is a stage, a hold's reason, why a cancellation
    was declined, or the error that the order is parked for; `reference` the id of a hold or a refund, or the subscription that parked it.
    `due_at` is there for what is late. Times are ISO 8601 in UTC."""

    kind: ExceptionKind
    cause: str
    since: str
    due_at: str | None
    reference: str | None
    owner: str
    actions: tuple[str, ...]

    def document(self) -> dict[str, Any]:
        """The same as JSON values. These names are the API's."""
        return {
            "kind": self.kind,
            "cause": self.cause,
            "since": self.since,
            "dueAt": self.due_at,
            "reference": self.reference,
            "owner": self.owner,
            "actions": list(self.actions),
        }


@dataclass(frozen=True, slots=True)
class OpenException:
    """An order that wants somebody, and for what: at least one entry, the longest waiting first."""

    order_id: str
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class ExceptionsPage:
    """`next_cursor` is opaque, and None on the last page."""

    exceptions: tuple[OpenException, ...]
    next_cursor: str | None


async def open_exceptions(
    view_store: ViewStore,
    generations: Mapping[str, Generation],
    *,
    tenant: str,
    now_ms: int,
    kinds: Collection[Kind] = KINDS,
    limit: int = 50,
    cursor: str | None = None,
) -> ExceptionsPage:
    """The orders that want somebody for one of these kinds of reasons, the longest waiting first.

    An order that is late and was stopped too comes twice, once for each view. It stands by the first thing that it was late with, or by the
    first that is open, of any kind. `generations` holds those of `deadlines` and `exceptions`. Raises InvalidCursor, ViewStoreError.
    """
    now = text_of(now_ms)
    name = f"{tenant}/exceptions/{'+'.join(sorted(kinds))}"
    stages = tuple(stage for stage in STAGES if STAGE_KINDS[stage] in kinds)
    waiting = generations[exceptions.NAME]
    lists: dict[str, str | None] = {}
    if stages:
        lists |= due_lists(generations[deadlines.NAME], tenant, now)
    for kind in exceptions.KINDS:
        if kind in kinds:
            lists |= {waiting.list_key(tenant, one): None for one in exceptions.lists_with(kind)}

    def wanting(stored: Stored) -> OpenException | None:
        if stored.key.startswith(waiting.prefix):
            opened = exceptions.VIEW.read(stored.document)
            entries = tuple(_of_entry(entry) for entry in opened.open if entry.kind in kinds)
            return OpenException(opened.order_id, entries) if entries else None
        view = deadlines.VIEW.read(stored.document)
        entries = tuple(_of_due(due) for due in late_with(view, now, stages))
        return OpenException(view.order_id, entries) if entries else None

    return ExceptionsPage(*await merged_page(view_store, lists, wanting, name=name, limit=limit, cursor=cursor))


def _of_due(due: Due) -> Entry:
    return Entry(
        kind=STAGE_KINDS[due.stage],
        cause=due.stage,
        since=due.since,
        due_at=due.due_at,
        reference=due.refund_id,
        owner=_OWNERS[due.stage],
        actions=_ACTIONS[due.stage],
    )


def _of_entry(entry: exceptions.Entry) -> Entry:
    return Entry(
        kind=entry.kind,
        cause=entry.cause,
        since=entry.since,
        due_at=None,
        reference=entry.reference,
        owner=entry.owner,
        actions=entry.actions,
    )
