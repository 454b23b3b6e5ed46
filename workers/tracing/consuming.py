"""Spans of a queue's consumer: `process` around each handler, and the calls that receive and settle.

By the conventions a `process` span is linked to the context in which its message was created. Here it is also its child: each is of one
message, nothing else surrounds it, and so an order's whole life is one trace (messaging spans, "Message creation context as parent").
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import orjson
from opentelemetry.trace import SpanKind
from structlog.contextvars import bound_contextvars

from orderstore.tracing import TRACEPARENT, TraceContext, parse_traceparent
from workers.logged import event_fields
from workers.runtime.outcome import Handler, Outcome, Poison, Retry
from workers.runtime.queue import Depths, FailedEntry, Message, Queue
from workers.tracing import names
from workers.tracing.log_fields import log_fields
from workers.tracing.spans import Spans, type_of

_APP: Final = {
    "orderId": names.ORDER_ID,
    "eventId": names.EVENT_ID,
    "eventType": names.EVENT_TYPE,
    "correlationId": names.CONVERSATION_ID,
}


class TracedHandler:
    """A handler in a span of its own; `ignored` is told of a message's context that is not well-formed."""

    def __init__(self, handler: Handler, spans: Spans, *, queue: str, ignored: Callable[[], None]) -> None:
        self._handler = handler
        self._spans = spans
        self._queue = queue
        self._ignored = ignored

    async def __call__(self, message: Message) -> Outcome:
        """Handle; a retry and a poisoned message are failures, what is deferred is none."""
        creation = self._creation(message)
        attributes = {
            **_messaging(self._queue, "process", "process"),
            names.MESSAGE_ID: message.id,
            names.RECEIVE_COUNT: message.receive_count,
        }
        links = () if creation is None else (creation,)
        name = f"process {self._queue}"
        with (
            self._spans.during(name, SpanKind.CONSUMER, attributes, parent=creation, links=links) as span,
            bound_contextvars(**log_fields(span.context)),
        ):
            if span.is_recording:
                fields = event_fields(message.body)
                span.tell({ours: fields[theirs] for theirs, ours in _APP.items() if theirs in fields})
            outcome = await self._handler(message)
            kind = type(outcome).__name__.lower()
            span.tell({names.OUTCOME: kind})
            if isinstance(outcome, Retry | Poison):
                span.failed(kind)
            return outcome

    def _creation(self, message: Message) -> TraceContext | None:
        told = message.attributes.get(TRACEPARENT)
        context = parse_traceparent(told)
        if told is not None and context is None:
            self._ignored()
        return _in_the_envelope(message.body) if context is None else context


class TracedQueue:
    """A `Queue` over another. What only keeps a message, or gives it back, is told by its `process` span."""

    def __init__(self, queue: Queue, spans: Spans, *, name: str) -> None:
        self._queue = queue
        self._spans = spans
        self._name = name

    @property
    def name(self) -> str:
        """See `Queue.name`."""
        return self._queue.name

    async def receive(self, *, max_messages: int, wait_s: int, visibility_timeout_s: int) -> Sequence[Message]:
        """See `Queue.receive`. A poll that finds nothing leaves no span."""
        begun_ns = self._spans.now_ns()
        messages = await self._queue.receive(
            max_messages=max_messages, wait_s=wait_s, visibility_timeout_s=visibility_timeout_s
        )
        self._tell("receive", "receive", messages, begun_ns=begun_ns)
        return messages

    async def delete(self, messages: Sequence[Message]) -> Sequence[FailedEntry]:
        """See `Queue.delete`."""
        begun_ns = self._spans.now_ns()
        try:
            failed = await self._queue.delete(messages)
        except Exception as error:
            self._tell("delete", "settle", messages, begun_ns=begun_ns, error=type_of(error))
            raise
        self._tell(
            "delete",
            "settle",
            messages,
            begun_ns=begun_ns,
            error=failed[0].reason if failed else None,
            failed=len(failed),
        )
        return failed

    async def change_visibility(self, changes: Sequence[tuple[Message, int]]) -> Sequence[FailedEntry]:
        """See `Queue.change_visibility`."""
        return await self._queue.change_visibility(changes)

    async def dead_letter(self, message: Message, reason: str) -> None:
        """See `Queue.dead_letter`."""
        begun_ns = self._spans.now_ns()
        try:
            await self._queue.dead_letter(message, reason)
        except Exception as error:
            self._tell("dead_letter", "settle", [message], begun_ns=begun_ns, error=type_of(error))
            raise
        self._tell("dead_letter", "settle", [message], begun_ns=begun_ns)

    async def depths(self) -> Depths:
        """See `Queue.depths`."""
        return await self._queue.depths()

    def _tell(
        self,
        operation: str,
        kind: str,
        messages: Sequence[Message],
        *,
        begun_ns: int,
        error: str | None = None,
        failed: int = 0,
    ) -> None:
        found = [parse_traceparent(message.attributes.get(TRACEPARENT)) for message in messages]
        links = [context for context in found if context is not None and context.is_sampled]
        if not links:
            return
        attributes: dict[str, Any] = {**_messaging(self._name, operation, kind), names.BATCH_COUNT: len(messages)}
        parent = links[0] if len(messages) == 1 and kind == "settle" else None
        span = self._spans.begin(
            f"{operation} {self._name}", SpanKind.CLIENT, attributes, parent=parent, links=links, start_ns=begun_ns
        )
        if failed:
            span.tell({names.FAILED_ENTRIES: failed})
        if error is not None:
            span.failed(error)
        span.end(self._spans.now_ns())


def _messaging(queue: str, operation: str, kind: str) -> Mapping[str, Any]:
    return {
        names.MESSAGING_SYSTEM: names.SQS,
        names.OPERATION_NAME: operation,
        names.OPERATION_TYPE: kind,
        names.DESTINATION: queue,
    }


def _in_the_envelope(body: str) -> TraceContext | None:
    """The context in which the event was written, for a message that bears none of its own; or what came over the bus was sent."""
    try:
        envelope = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(envelope, dict):
        return None
    detail = envelope.get("detail")
    told = (detail if isinstance(detail, dict) else envelope).get(TRACEPARENT)
    return parse_traceparent(told) if isinstance(told, str) else None
