"""What happened to an order, row by row: what, when, who, why, and the commit that proves it. For people; nothing sealed is opened."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from orderstore import codec
from orderstore.recorded import Actor, Recorded
from orderstore.store.port import Commit, EventStore

HASH_PREFIX_CHARACTERS: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryRow:
    """One event, as it is listed."""

    version: int
    """Counts the order's events from 1."""
    commit: int
    event_id: str
    type: str
    event_version: str
    occurred_at: datetime
    """When it happened, by the clock of who decided it."""
    recorded_at: datetime
    """When it was written down."""
    actor: Actor
    causation_id: str
    """The event or request that made it happen."""
    correlation_id: str
    source: str
    data: Mapping[str, Any]
    """What the event says, with personal data left sealed."""
    hash_prefix: str
    """The first characters of the commit's hash, in hex."""


async def history_of(store: EventStore, stream: str) -> tuple[HistoryRow, ...]:
    """Return the order's events, oldest first; `()` when there is no such order.

    Raises:
        CorruptCommit: the order is not as it was written: `verify.verify_stream` says where.
        CodecError: this build does not know one of its events.
        StoreError: the log cannot be read.
    """
    return rows(await store.read(stream))


def rows(commits: Iterable[Commit]) -> tuple[HistoryRow, ...]:
    """The same, of commits in hand. Pure."""
    return tuple(_row(recorded, commit) for commit in commits for recorded in codec.decode(commit))


def _shown(recorded: Recorded) -> dict[str, Any]:
    data = codec.data_of(recorded.event)
    return {name: "(sealed)" if name == "contact" else value for name, value in data.items()}


def _row(recorded: Recorded, commit: Commit) -> HistoryRow:
    return HistoryRow(
        version=recorded.version,
        commit=commit.number,
        event_id=recorded.event_id,
        type=recorded.name,
        event_version=recorded.event_version,
        occurred_at=recorded.occurred_at,
        recorded_at=datetime.fromtimestamp(commit.recorded_at_ms / 1000, tz=UTC),
        actor=recorded.actor,
        causation_id=recorded.causation_id,
        correlation_id=recorded.correlation_id,
        source=recorded.source,
        data=_shown(recorded),
        hash_prefix=commit.hash.hex()[:HASH_PREFIX_CHARACTERS],
    )
