"""What a receiver reads: the published envelope, with the members that the Standard Webhooks specification recommends.

`type` is the event type as the registry writes it, `timestamp` when it happened, `data` the event's public data. The rest of the envelope
is beside them: `version` (the order's events, counted from 1) and `commit` put in order what arrives in none. Two members stay in the
house: `actor` (it may name one of our people) and `traceparent`.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from orderstore.codec import timestamp
from orderstore.contract import COMMIT_ATTRIBUTE, PublicEvent

TEST_TYPE: Final = "webhook.test"
OURS_ALONE: Final = frozenset({"actor", "traceparent"})


def payload_of(envelope: Mapping[str, Any], *, commit: int | None) -> bytes:
    """The body for an event; the same bytes whether the envelope came from the topic or was made from the log again."""
    body = {"type": envelope["eventType"], "timestamp": envelope["occurredAt"]}
    body |= {name: value for name, value in envelope.items() if name not in OURS_ALONE}
    if commit is not None:
        body[COMMIT_ATTRIBUTE] = commit
    return orjson.dumps(body)


def payload_of_public(public: PublicEvent, *, commit: int) -> bytes:
    """The body for an event out of the log."""
    return payload_of(orjson.loads(public.body), commit=commit)


def test_payload(endpoint: str, event: str, *, now_ms: int) -> bytes:
    """A body that says that it means nothing."""
    moment = timestamp(datetime.fromtimestamp(now_ms / 1000, UTC))
    data = {"endpoint": endpoint, "message": "A test of this endpoint: nothing happened."}
    return orjson.dumps({"type": TEST_TYPE, "timestamp": moment, "eventId": event, "data": data})
