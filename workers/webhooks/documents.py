"""Endpoints and deliveries as JSON documents, for the command line and the API. Nothing secret is in them."""

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any, Final, TypeGuard

from orderstore.codec import timestamp_of
from workers.tables.port import Item
from workers.webhooks.deliveries import BY_ENDPOINT, KEY
from workers.webhooks.delivery import Delivery
from workers.webhooks.endpoint import Endpoint
from workers.webhooks.errors import NotPossible
from workers.webhooks.replaying import Report

KEY_CHARACTERS_MAX: Final = 1_024
TIME_MS_MAX: Final = 10**15


def endpoint(found: Endpoint, *, now_ms: int) -> dict[str, Any]:
    """In short."""
    return {
        "id": found.id,
        "url": found.url,
        "eventTypes": list(found.event_types),
        "description": found.description,
        "state": found.state,
        "cause": found.cause,
        "since": timestamp_of(found.since_ms),
        "failingSince": timestamp_of(found.failing_since_ms) if found.failing_since_ms else None,
        "createdAt": timestamp_of(found.created_at_ms),
        "secrets": [
            {
                "id": secret.id,
                "createdAt": timestamp_of(secret.created_at_ms),
                "retiresAt": timestamp_of(secret.retires_at_ms) if secret.retires_at_ms else None,
            }
            for secret in found.secrets
            if secret.signs(now_ms)
        ],
    }


def whole_endpoint(found: Endpoint, *, now_ms: int) -> dict[str, Any]:
    """With who changed what, newest first."""
    changes = [
        {
            "at": timestamp_of(change.at_ms),
            "actor": {"type": change.actor.type, "id": change.actor.id},
            "what": change.what,
            "reason": change.reason,
        }
        for change in reversed(found.changes)
    ]
    return {**endpoint(found, now_ms=now_ms), "changes": changes}


def _in_short(row: Delivery) -> dict[str, Any]:
    """What a list and a whole delivery begin with."""
    return {
        "eventId": row.event,
        "eventType": row.event_type,
        "orderId": row.order or None,
        "occurredAt": timestamp_of(row.occurred_at_ms),
        "state": row.state,
    }


def standing(found: Delivery) -> dict[str, Any]:
    """A delivery in a list. `lastStatus` is null before the first attempt, and after one without an answer."""
    return {
        **_in_short(found),
        "tries": found.tries,
        "lastStatus": (found.attempts[-1].status or None) if found.attempts else None,
        "nextAttemptAt": timestamp_of(found.due_at_ms) if found.state == "pending" else None,
    }


def delivery(found: Delivery) -> dict[str, Any]:
    """A delivery with its attempts, newest first."""
    return {
        **standing(found),
        "announcedAt": timestamp_of(found.created_at_ms),
        "replay": found.replay or None,
        "payload": found.payload,
        "attempts": [
            {
                "at": timestamp_of(attempt.at_ms),
                "status": attempt.status or None,
                "durationMs": attempt.duration_ms,
                "error": attempt.error or None,
                "answer": attempt.answer,
            }
            for attempt in reversed(found.attempts)
        ],
    }


def report(done: Report) -> dict[str, Any]:
    """What a replay did."""
    return {
        "replay": done.name,
        "dryRun": done.dry_run,
        "replayed": done.replayed,
        "made": done.made,
        "byType": dict(sorted(done.by_type.items())),
        "waiting": done.waiting,
        "doneBefore": done.done_before,
        "notMeant": done.not_meant,
        "unreadableOrders": done.unreadable,
        "whole": done.whole,
    }


def cursor_of(after: Item | None) -> str | None:
    """Where a list goes on, as a text that means nothing to others."""
    return None if after is None else base64.urlsafe_b64encode(json.dumps(dict(after)).encode()).decode()


def after_of(cursor: str | None, *, endpoint_id: str) -> Mapping[str, Any] | None:
    """The other way round. Raises NotPossible for what was not handed out for this endpoint."""
    if cursor is None:
        return None
    try:
        after = json.loads(base64.b64decode(cursor, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError) as error:
        raise NotPossible("this cursor was not handed out by this list") from error
    if not _is_place(after, endpoint_id):
        raise NotPossible("this cursor was not handed out by this list")
    return after


def _is_place(after: object, endpoint_id: str) -> TypeGuard[dict[str, Any]]:
    """Whether this is where a page of the endpoint's list can end; the table would refuse anything else as a fault of ours."""
    if not isinstance(after, dict) or after.keys() != {BY_ENDPOINT.partition, BY_ENDPOINT.sort, KEY}:
        return False
    key, at_ms = after[KEY], after[BY_ENDPOINT.sort]
    return (
        after[BY_ENDPOINT.partition] == endpoint_id
        and isinstance(key, str)
        and key.startswith(f"{endpoint_id}/")
        and len(key) <= KEY_CHARACTERS_MAX
        and isinstance(at_ms, int)
        and not isinstance(at_ms, bool)
        and abs(at_ms) < TIME_MS_MAX
    )
