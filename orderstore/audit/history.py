"""What happened to an order, row by row: what, when, who, why, and the commit that proves it. For people; nothing sealed is opened."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, is_dataclass
from datetime import UTC, datetime
from typing import Any, Final

from orderstore import codec
from orderstore.domain.events import Event, FreeText, SealedText
from orderstore.recorded import Actor, Recorded
from orderstore.store.port import Commit, EventStore

HASH_PREFIX_CHARACTERS: Final = 12
SEALED: Final = "(sealed)"
"""What stands in the place of personal data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryRow:
    """One event, as it is listed."""

    order_id: str
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
    return tuple(row_of(recorded, commit) for commit in commits for recorded in codec.decode(commit))


def row_of(recorded: Recorded, commit: Commit) -> HistoryRow:
    """One event of a commit."""
    return HistoryRow(
        order_id=recorded.order_id,
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
        data=shown(recorded.event),
        hash_prefix=commit.hash.hex()[:HASH_PREFIX_CHARACTERS],
    )


def shown(event: Event) -> dict[str, Any]:
    """An event's fields as JSON values, with `(sealed)` for every sealed text, wherever in the event it stands."""
    data: dict[str, Any] = _masked(event, codec.data_of(event))
    return data


def _masked(value: object, data: Any) -> Any:  # noqa: ANN401 - any JSON value
    """`data`, which is `value` as JSON, without what is sealed in it."""
    if isinstance(value, SealedText):
        return SEALED
    if isinstance(value, FreeText):
        return value.plain if value.sealed is None else SEALED
    if isinstance(data, dict):
        inner = value if isinstance(value, Mapping) else _fields(value)
        return {name: _masked(inner[name], within) if name in inner else within for name, within in data.items()}
    if isinstance(data, list | tuple):
        inside = value if isinstance(value, list | tuple) else data
        return [_masked(one, within) for one, within in zip(inside, data, strict=True)]
    return data


def _fields(value: object) -> Mapping[str, Any]:
    """The fields of a dataclass; the codec writes them under their own names."""
    if not is_dataclass(value):
        return {}
    return {name: getattr(value, name) for name in value.__dataclass_fields__}
