"""What people did with dead letters, for `audit trail`: it stands in records beside the log, not in the orders' events."""

from collections.abc import Mapping
from contextlib import aclosing
from typing import Any, Final

from orderstore.audit.trail import Wanted
from workers.core import Core, now_ms
from workers.dead_letters.records import Record, Records

KEPT_MAX: Final = 10_000


async def acts_wanted(core: Core, wanted: Wanted, *, limit: int) -> list[Record]:
    """The newest acts that pass the filters on actor and time of recording, oldest first; none if the filters ask for something that only
    events have. It lists all records. Raises what the object store raises.
    """
    if not _may_be_acts(wanted):
        return []
    kept: list[Record] = []
    records = Records(core.locked, tenant=core.settings.tenant, now_ms=now_ms)
    async with aclosing(records.all()) as found:
        async for record in found:
            if _admits(wanted, record):
                kept.append(record)
            if len(kept) >= 2 * min(limit, KEPT_MAX):
                kept = _newest(kept, limit)
    return _newest(kept, limit)


def act_document(record: Record) -> Mapping[str, Any]:
    """An act as JSON."""
    return record.to_json()


def act_line(record: Record) -> str:
    """An act in a line."""
    about = f"{record.event_type or 'letter'} {record.event or record.letter} of order {record.order or '?'}"
    return f"{record.at} {record.actor_type} {record.actor_id}: {record.act} of {about} in {record.queue}-dlq ({record.reason})"


def _may_be_acts(wanted: Wanted) -> bool:
    only_events = (wanted.source, wanted.correlation_id, wanted.causation_id, wanted.first_commit, wanted.last_commit)
    occurred = (wanted.occurred.start, wanted.occurred.end)
    return not wanted.types and all(said is None for said in (*only_events, *occurred))


def _admits(wanted: Wanted, record: Record) -> bool:
    return (
        wanted.actor_type in (None, record.actor_type)
        and wanted.actor_id in (None, record.actor_id)
        and wanted.recorded.holds(record.at_ms * 1_000)
    )


def _newest(records: list[Record], limit: int) -> list[Record]:
    return sorted(records, key=lambda record: (record.at_ms, record.letter))[-limit:]
