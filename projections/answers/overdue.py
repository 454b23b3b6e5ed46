"""How late the orders are, stage by stage, and which documents of the view `deadlines` say so: for one tenant, at one time."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from orderstore.codec import timestamp
from orderstore.domain.allowances import STAGES, Stage
from projections.answers.merged_lists import MergedLists
from projections.view_store import ViewStore
from projections.views import deadlines
from projections.views.deadlines import Due
from projections.views.view import Generation

COUNTED_MAX: Final = 10_000
"""Documents that are looked at for the counts of `lateness`."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class StageLateness:
    """How many orders are late in a stage, and for how long (s) the one that is late for longest."""

    orders: int
    oldest_s: float


@dataclass(frozen=True, slots=True)
class Lateness:
    """Stage by stage, all of them. Where not all late orders could be looked at, `complete` is False: then there are at least these."""

    stages: Mapping[Stage, StageLateness]
    complete: bool


async def lateness(
    view_store: ViewStore, generation: Generation, *, tenant: str, now_ms: int, documents_max: int = COUNTED_MAX
) -> Lateness:
    """How many orders are late in each stage, and the oldest. `generation` is of the view `deadlines`. Raises ViewStoreError."""
    now = text_of(now_ms)
    oldest: dict[Stage, str] = {}
    orders: dict[Stage, int] = dict.fromkeys(STAGES, 0)
    documents = MergedLists(view_store, due_lists(generation, tenant, now), expected=deadlines.SHARDS)
    complete, looked_at = True, 0
    while (stored := await documents.next()) is not None:
        if looked_at >= documents_max:
            complete = False
            break
        looked_at += 1
        dues = late_with(deadlines.VIEW.read(stored.document), now, STAGES)
        for due in dues:
            oldest[due.stage] = min(due.due_at, oldest.get(due.stage, due.due_at))
        for stage in {due.stage for due in dues}:
            orders[stage] += 1
    return Lateness({stage: StageLateness(orders[stage], _age_s(oldest.get(stage), now)) for stage in STAGES}, complete)


def due_lists(generation: Generation, tenant: str, now: str) -> dict[str, str | None]:
    """The lists of what is due, each up to what is due by now: `<due time>/<order id>` lies before `<now>0` if it is."""
    names = (deadlines.due_list(shard) for shard in range(deadlines.SHARDS))
    return {generation.list_key(tenant, name): f"{now}0" for name in names}


def late_with(view: deadlines.Deadlines, now: str, stages: Collection[Stage]) -> tuple[Due, ...]:
    """What an order is late with in these stages, the earliest first."""
    return tuple(due for due in view.dues() if due.due_at <= now and due.stage in stages)


def text_of(now_ms: int) -> str:
    """Milliseconds since 1970 as the views write times."""
    return timestamp(_EPOCH + timedelta(milliseconds=now_ms))


def _age_s(due_at: str | None, now: str) -> float:
    if due_at is None:
        return 0.0
    return (datetime.fromisoformat(now) - datetime.fromisoformat(due_at)).total_seconds()
