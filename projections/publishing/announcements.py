"""What the relay says of a commit: its public events, or, when all of it is internal, a bare notice that the order has grown.

So each commit that was ever appended is heard of at least once by whoever takes everything (the archive's queue has no filter), and the
others, whose filters name event types, hear of no more than before. Each message bears the commit's number as the attribute `commit`, and
as `traceparent` the trace in which it was written, if it was in one. All of it follows from the commit: told again, it is told the same.
"""

from collections.abc import Sequence
from dataclasses import replace

import orjson

from orderstore.codec import decode, timestamp
from orderstore.contract import COMMIT_ATTRIBUTE, PublicEvent, publish
from orderstore.domain.ids import event_id
from orderstore.recorded import Recorded
from orderstore.schemas.envelopes import NOTICE, NOTICE_VERSION, Notice
from orderstore.store.port import Commit
from orderstore.tracing import TRACEPARENT, parse_traceparent


def announcements(commit: Commit) -> tuple[PublicEvent, ...]:
    """What is published for a commit, one message at least, in the order of its events. Raises CodecError."""
    recorded = decode(commit)
    public = [event for one in recorded if (event := publish(one)) is not None]
    more = {COMMIT_ATTRIBUTE: str(commit.number)}
    if (context := parse_traceparent(recorded[0].traceparent)) is not None:
        more[TRACEPARENT] = context.traceparent
    return tuple(replace(event, attributes={**event.attributes, **more}) for event in public or [_notice(recorded)])


def _notice(recorded: Sequence[Recorded]) -> PublicEvent:
    """Where to look, and nothing of what there is to see."""
    first = recorded[0]
    notice_id = event_id(first.event_id, "commit-recorded")
    body = Notice(
        eventId=notice_id,
        eventType=NOTICE,
        eventVersion=NOTICE_VERSION,
        source=first.source,
        occurredAt=timestamp(first.occurred_at),
        orderId=first.order_id,
        tenant=first.tenant,
        commit=first.commit,
        correlationId=first.correlation_id,
    )
    attributes = {
        "eventType": NOTICE,
        "eventVersion": NOTICE_VERSION,
        "source": first.source,
        "orderId": first.order_id,
        "correlationId": first.correlation_id,
    }
    return PublicEvent(notice_id, first.order_id, orjson.dumps(body), attributes, first.tenant)
