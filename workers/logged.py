"""The six fields of E125 around everything that a role does with an event: once bound, every log line below carries them."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

import orjson
import structlog
from structlog.contextvars import bound_contextvars

from orderstore.contract import PublicEvent
from workers.logs import EVENT_FIELDS
from workers.runtime.outcome import Handler, Outcome
from workers.runtime.queue import Message

_log: Final = structlog.get_logger("workers.events")


class LoggedHandler:
    """A handler with its event's fields bound, and one line when it has come to an outcome."""

    def __init__(self, handler: Handler, *, queue: str) -> None:
        self._handler = handler
        self._queue = queue

    async def __call__(self, message: Message) -> Outcome:
        """Handle; log the outcome, or the type of the error (its text may hold what a customer wrote)."""
        with bound_contextvars(**event_fields(message.body), queue=self._queue):
            try:
                outcome = await self._handler(message)
            except Exception as error:
                _log.warning("not handled", error=f"{type(error).__module__}.{type(error).__qualname__}")
                raise
            _log.info("handled", outcome=type(outcome).__name__.lower(), receiveCount=message.receive_count)
            return outcome


class _Publisher(Protocol):
    async def publish(self, batch: Sequence[PublicEvent]) -> Any:  # noqa: ANN401 - passed through as it comes
        ...


class LoggedPublisher:
    """A publisher that logs each event that it hands over."""

    def __init__(self, publisher: _Publisher) -> None:
        self._publisher = publisher

    async def publish(self, batch: Sequence[PublicEvent]) -> Any:  # noqa: ANN401 - passed through as it comes
        """Publish, then log."""
        failed = await self._publisher.publish(batch)
        for event in batch:
            _log.info("handed to the topic", **event_fields(event.body))
        return failed


def event_fields(body: str | bytes) -> Mapping[str, str]:
    """E125's fields of an envelope; none of what cannot be read."""
    try:
        envelope = orjson.loads(body)
        return {name: str(envelope[name]) for name in EVENT_FIELDS if name in envelope}
    except (orjson.JSONDecodeError, TypeError):
        return {}
