"""Spans of what is published, by the conventions for batches: one `create` per message, and one `publish` per call, linked to those.

The message bears its `create` span's context as an attribute, in place of that of the event's own writing, whose child the span is. The
body stays as it is, byte by byte, however often it is published: it follows from the commit alone (`announcements.py`).
"""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Final, Generic

from opentelemetry.trace import SpanKind

from orderstore.contract import PublicEvent
from orderstore.tracing import TRACEPARENT, TraceContext, parse_traceparent
from workers.tracing import names
from workers.tracing.port import F, Publisher
from workers.tracing.spans import OpenSpan, Spans, type_of

# Name, type and value of the attribute, as SNS and SQS count them.
ATTRIBUTE_BYTES: Final = len(TRACEPARENT) + len("String") + len("00-") + 32 + 1 + 16 + len("-01")
# AWS SNS, "PublishBatch"; and AWS SQS: with raw delivery a message with more attributes is not delivered at all.
BATCH_BYTES_MAX: Final = 256 * 1024
ATTRIBUTES_MAX: Final = 10
_APP: Final = {"orderId": names.ORDER_ID, "eventType": names.EVENT_TYPE, "correlationId": names.CONVERSATION_ID}


class TracedPublisher(Generic[F]):
    """A publisher over another; `topic` is the topic's name."""

    def __init__(self, publisher: Publisher[F], spans: Spans, *, topic: str) -> None:
        self._publisher = publisher
        self._spans = spans
        self._topic = topic

    async def publish(self, batch: Sequence[PublicEvent]) -> tuple[F, ...]:
        """Publish; each entry's span ends with what became of it."""
        with ExitStack() as ending:
            created: list[OpenSpan] = []
            for event in batch:
                created.append(self._create(event))
                ending.callback(created[-1].end)
            bearing = with_contexts(batch, [span.context for span in created])
            return await self._send(bearing, created)

    async def _send(self, batch: Sequence[PublicEvent], created: Sequence[OpenSpan]) -> tuple[F, ...]:
        sampled = [span.context for span in created if span.is_recording]
        attributes = {**self._messaging("publish", "send"), names.BATCH_COUNT: len(batch)}
        # One order's batch is part of its trace; one of several orders belongs to none of theirs.
        parent = sampled[0] if len(batch) == 1 and sampled else None
        call = None
        if sampled:
            call = self._spans.begin(
                f"publish {self._topic}", SpanKind.CLIENT, attributes, parent=parent, links=sampled
            )
        try:
            failed = await self._publisher.publish(batch)
        except BaseException as error:
            for span in (*created, *([call] if call else [])):
                span.failed(type_of(error))
            raise
        else:
            for entry in failed:
                created[entry.position].failed(entry.code)
            if failed and call:
                call.tell({names.FAILED_ENTRIES: len(failed)})
                call.failed(failed[0].code)
            return failed
        finally:
            if call:
                call.end(self._spans.now_ns())

    def _create(self, event: PublicEvent) -> OpenSpan:
        known = {ours: event.attributes[theirs] for theirs, ours in _APP.items() if theirs in event.attributes}
        attributes = {**self._messaging("create", "create"), names.EVENT_ID: event.event_id, **known}
        parent = parse_traceparent(event.attributes.get(TRACEPARENT))
        return self._spans.begin(f"create {self._topic}", SpanKind.PRODUCER, attributes, parent=parent)

    def _messaging(self, operation: str, kind: str) -> dict[str, str]:
        return {
            names.MESSAGING_SYSTEM: names.SNS,
            names.OPERATION_NAME: operation,
            names.OPERATION_TYPE: kind,
            names.DESTINATION: self._topic,
        }


def with_contexts(batch: Sequence[PublicEvent], contexts: Sequence[TraceContext]) -> list[PublicEvent]:
    """The batch with each event's own context, as far as the limits of topic and queue leave room for it.

    Where they do not, the message goes without: none is ever refused for its trace.
    """
    room = BATCH_BYTES_MAX - sum(_bytes(event) for event in batch)
    found = []
    for event, context in zip(batch, contexts, strict=True):
        more = 0 if TRACEPARENT in event.attributes else ATTRIBUTE_BYTES
        fits = not more or (room >= more and len(event.attributes) < ATTRIBUTES_MAX)
        room -= more if fits else 0
        attributes = {**event.attributes, TRACEPARENT: context.traceparent}
        found.append(replace(event, attributes=attributes) if fits else event)
    return found


def _bytes(event: PublicEvent) -> int:
    attributes = event.attributes.items()
    return len(event.body) + sum(len(name.encode()) + len("String") + len(value.encode()) for name, value in attributes)
