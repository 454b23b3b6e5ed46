"""One row an event, for analysis: the envelope as columns, the data as JSON, and what is asked for most in columns of its own. Pure.

It reads what was stored and not what this build makes of it: no event type, and no version of one, is unknown here.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from orderstore.store.port import Commit

# Column and Arrow type. Timestamps are in UTC and bear no zone, so that every tool shows the same.
COLUMNS: Final = (
    ("stream", "string"),
    ("tenant", "string"),
    ("order_id", "string"),
    ("commit", "int32"),
    ("version", "int32"),
    ("event_id", "string"),
    ("event_type", "string"),
    ("event_version", "string"),
    ("occurred_at", "timestamp"),
    ("recorded_at", "timestamp"),
    ("actor_type", "string"),
    ("actor_id", "string"),
    ("correlation_id", "string"),
    ("causation_id", "string"),
    ("source", "string"),
    ("data", "string"),
    ("customer_id", "string"),
    ("currency", "string"),
    ("amount_minor", "int64"),
)

Row = dict[str, Any]
_BEYOND: Final = {"int32": 2**31, "int64": 2**63}


class UnreadableBody(ValueError):
    """A commit's body is not the JSON object that `orderstore/codec.py` writes."""


def rows_of(commit: Commit) -> Iterator[Row]:
    """The events of a commit. Raises UnreadableBody."""
    tenant, _, order_id = commit.stream.rpartition("/order-")
    try:
        body = orjson.loads(commit.body)
        shared = {
            "stream": commit.stream,
            "tenant": tenant or None,
            "order_id": order_id if tenant else None,
            "commit": commit.number,
            "recorded_at": moment(commit.recorded_at_ms),
            "actor_type": body["actor"]["type"],
            "actor_id": body["actor"]["id"],
            "correlation_id": body["correlationId"],
            "causation_id": body["causationId"],
            "source": body["source"],
        }
        for position, stored in enumerate(body["events"]):
            data = stored["data"]
            yield _fitting(
                shared
                | {
                    "version": body["firstVersion"] + position,
                    "event_id": stored["eventId"],
                    "event_type": stored["eventType"],
                    "event_version": stored["eventVersion"],
                    "occurred_at": datetime.fromisoformat(stored["occurredAt"]).astimezone(UTC).replace(tzinfo=None),
                    "data": orjson.dumps(data).decode(),
                    "customer_id": data.get("customer_id"),
                    "currency": data.get("currency"),
                    "amount_minor": data.get("amount_minor", data.get("total_minor")),
                }
            )
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise UnreadableBody(f"commit {commit.number} of {commit.stream} cannot be read: {error}") from error


def moment(time_ms: int) -> datetime:
    """A wall clock's milliseconds as a time in UTC that bears no zone. Raises ValueError past the year 9999."""
    try:
        return datetime.fromtimestamp(time_ms / 1000, tz=UTC).replace(tzinfo=None)
    except (OverflowError, OSError) as error:
        raise ValueError(f"no calendar has the moment {time_ms} ms") from error


def month_of(commit: Commit) -> str:
    """The partition of a commit: when it was recorded, as `2026-11`. Raises UnreadableBody."""
    try:
        return f"{moment(commit.recorded_at_ms):%Y-%m}"
    except ValueError as error:
        raise UnreadableBody(f"commit {commit.number} of {commit.stream} cannot be exported: {error}") from error


def _fitting(row: Row) -> Row:
    """The row, whose values fit into their columns. Raises ValueError."""
    for name, kind in COLUMNS:
        value = row[name]
        match kind, value:
            case (_, None) | ("string", str()) | ("timestamp", datetime()):
                continue
            case "int32" | "int64", int() if type(value) is int and abs(value) < _BEYOND[kind]:
                continue
            case _:
                raise ValueError(f"{name} is no {kind}")
    return row
