"""How late the orders are, stage by stage, and which documents of the views say so: for one tenant, at one time."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from orderstore.codec import timestamp
from orderstore.domain.allowances import STAGES, Stage
from projections.answers.merged_lists import MergedLists
from projections.view_store import Stored, ViewStore
from projections.views import deadlines, exceptions
from projections.views.deadlines import Due
from projections.views.exception_entries import STAGE_KINDS
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
    view_store: ViewStore,
    generations: Mapping[str, Generation],
    *,
    tenant: str,
    now_ms: int,
    documents_max: int = COUNTED_MAX,
) -> Lateness:
    """How many orders are late in each stage, and the oldest: those that are told to be late (in the view `exceptions`), and those that
    will be when somebody looks (in the view `deadlines`). `generations` holds those of both. Raises ViewStoreError."""
    now = text_of(now_ms)
    oldest: dict[Stage, str] = {}
    orders: dict[Stage, set[str]] = {stage: set() for stage in STAGES}
    due, waiting = generations[deadlines.NAME], generations[exceptions.NAME]
    lists = {**due_lists(due, tenant, now), waiting.list_key(tenant, exceptions.OPEN_LIST): None}
    documents = MergedLists(view_store, lists, expected=deadlines.SHARDS)
    complete, looked_at = True, 0
    while (stored := await documents.next()) is not None:
        if looked_at >= documents_max:
            complete = False
            break
        looked_at += 1
        for stage, due_at in _late(stored, waiting, now):
            oldest[stage] = min(due_at, oldest.get(stage, due_at))
            orders[stage].add(stored.key.rpartition("/")[2])
    return Lateness(
        {stage: StageLateness(len(orders[stage]), _age_s(oldest.get(stage), now)) for stage in STAGES}, complete
    )


def _late(stored: Stored, waiting: Generation, now: str) -> Iterator[tuple[Stage, str]]:
    if stored.key.startswith(waiting.prefix):
        for entry in exceptions.VIEW.read(stored.document).open:
            if entry.kind in STAGE_KINDS.values() and entry.due_at is not None:
                yield from ((stage, entry.due_at) for stage in STAGES if stage == entry.cause)
        return
    # A capture is nothing that the document is written for: whether it is late, only the order can say, and has by now.
    for due in late_with(deadlines.VIEW.read(stored.document), now, tuple(one for one in STAGES if one != "capture")):
        yield from ((stage, due.due_at) for stage in STAGES if stage == due.what)


def due_lists(generation: Generation, tenant: str, now: str) -> dict[str, str | None]:
    """The lists of what is due, each up to what is due by now: `<due time>/<order id>` lies before `<now>0` if it is."""
    names = (deadlines.due_list(shard) for shard in range(deadlines.SHARDS))
    return {generation.list_key(tenant, name): f"{now}0" for name in names}


def late_with(view: deadlines.Deadlines, now: str, stages: Collection[Stage]) -> tuple[Due, ...]:
    """What an order is late with in these stages, the earliest first."""
    return tuple(due for due in view.dues() if due.due_at <= now and due.what in stages)


def text_of(now_ms: int) -> str:
    """Milliseconds since 1970 as the views write times."""
    return timestamp(_EPOCH + timedelta(milliseconds=now_ms))


def _age_s(due_at: str | None, now: str) -> float:
    if due_at is None:
        return 0.0
    return (datetime.fromisoformat(now) - datetime.fromisoformat(due_at)).total_seconds()
