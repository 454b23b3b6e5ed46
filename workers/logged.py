"""The six fields of E125 around everything that a role does with an event: once bound, every log line below carries them."""

from collections.abc import Mapping, Sequence
from typing import Final, Generic, Protocol, TypeVar

import anyio
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
            except anyio.get_cancelled_exc_class():
                _log.warning("not handled", error="cut short: no answer in time, or the process stops")
                raise
            except Exception as error:
                _log.warning("not handled", error=f"{type(error).__module__}.{type(error).__qualname__}")
                raise
            _log.info("handled", outcome=type(outcome).__name__.lower(), receiveCount=message.receive_count)
            return outcome


class _Failed(Protocol):
    @property
    def position(self) -> int: ...


_F = TypeVar("_F", bound=_Failed)
_F_co = TypeVar("_F_co", bound=_Failed, covariant=True)


class _Publisher(Protocol[_F_co]):
    async def publish(self, batch: Sequence[PublicEvent]) -> tuple[_F_co, ...]: ...


class LoggedPublisher(Generic[_F]):
    """A publisher that logs each event that the topic took."""

    def __init__(self, publisher: _Publisher[_F]) -> None:
        self._publisher = publisher

    async def publish(self, batch: Sequence[PublicEvent]) -> tuple[_F, ...]:
        """Publish, then log; the entries that failed come back as they are."""
        failed = await self._publisher.publish(batch)
        refused = {entry.position for entry in failed}
        for position, event in enumerate(batch):
            if position not in refused:
                _log.info("handed to the topic", **event_fields(event.body))
        return failed


def event_fields(body: str | bytes) -> Mapping[str, str]:
    """E125's fields of an envelope; none of what cannot be read."""
    try:
        envelope = orjson.loads(body)
        return {name: str(envelope[name]) for name in EVENT_FIELDS if name in envelope}
    except (orjson.JSONDecodeError, TypeError):
        return {}
