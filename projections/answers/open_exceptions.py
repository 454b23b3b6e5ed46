"""Which orders want somebody, why, and who acts: questions to the views `exceptions` and `deadlines`, for one tenant, at one time.

What happened to an order stands in the view `exceptions`; there each kind is explained. What is late and nobody has said so yet (the
sweeper does within a minute, where it runs) is found by the clock, in the lists of `deadlines`: `stalled` and `compensation_failed` too.

Orders that are parked by a subscription are known to its parking lot, and not here.

Pages are bounded in orders and in documents looked at: one may be short, or empty, and still have a cursor to the next. Cursors name no
generation: a walk survives a switch. While orders move, a walk shows each one that was there throughout, and may miss or repeat the others.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from orderstore.domain.allowances import STAGES, Stage
from projections.answers.merged_lists import merged_page
from projections.answers.overdue import due_lists, late_with, text_of
from projections.answers.ports import ExceptionKind
from projections.view_store import Stored, ViewStore
from projections.views import deadlines, exceptions
from projections.views.deadlines import Due
from projections.views.exception_entries import STAGE_ACTIONS, STAGE_KINDS, STAGE_OWNERS
from projections.views.exceptions import KINDS, Kind
from projections.views.view import Generation


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One thing that wants somebody, as the API tells it, wherever it was found. `cause` is a stage, a hold's reason, a provider's code,
    or the error that the order is parked for; `reference` the id of what it is about, or the subscription that parked the order. `due_at`
    is there for what is late, or has a deadline. Times are ISO 8601 in UTC."""

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
    lists[waiting.list_key(tenant, exceptions.OPEN_LIST)] = None

    def wanting(stored: Stored) -> OpenException | None:
        if stored.key.startswith(waiting.prefix):
            opened = exceptions.VIEW.read(stored.document)
            entries = tuple(_of_entry(entry) for entry in opened.open if entry.kind in kinds)
            return OpenException(opened.order_id, entries) if entries else None
        view = deadlines.VIEW.read(stored.document)
        late = late_with(view, now, stages)
        entries = tuple(_of_due(due, stage) for due in late for stage in stages if stage == due.what)
        return OpenException(view.order_id, entries) if entries else None

    return ExceptionsPage(*await merged_page(view_store, lists, wanting, name=name, limit=limit, cursor=cursor))


def _of_due(due: Due, stage: Stage) -> Entry:
    assert due.since is not None, "a stage has begun"
    return Entry(
        kind=STAGE_KINDS[stage],
        cause=stage,
        since=due.since,
        due_at=due.due_at,
        reference=due.subject,
        owner=STAGE_OWNERS[stage],
        actions=STAGE_ACTIONS[stage],
    )


def _of_entry(entry: exceptions.Entry) -> Entry:
    return Entry(
        kind=entry.kind,
        cause=entry.cause,
        since=entry.since,
        due_at=entry.due_at,
        reference=entry.reference,
        owner=entry.owner,
        actions=entry.actions,
    )
