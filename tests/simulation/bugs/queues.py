"""Bugs in the consume loop and in what is done about dead letters."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final
from unittest.mock import patch

import anyio

from tests.simulation.bugs.bug import Bug
from workers.dead_letters import redrive
from workers.runtime.breaker import Guarded
from workers.runtime.heartbeat import Heartbeat
from workers.runtime.outcome import Done
from workers.runtime.queue import QueueError
from workers.runtime.settle import Settler


def _ack_what_failed() -> AbstractContextManager[Any]:
    """A handler's error ends in an acknowledgement."""
    real = Guarded.__call__

    async def call(self: Guarded, message: Any) -> Any:
        try:
            outcome = await real(self, message)
        except Exception:  # noqa: BLE001 - that is the bug
            return Done()
        return outcome if isinstance(outcome, Done) else Done()

    return patch.object(Guarded, "__call__", call)


def _ack_what_was_not_started() -> AbstractContextManager[Any]:
    """What a drain gives back is acknowledged instead."""

    def give_back(self: Settler, held: Any, reason: str, after_s: float = 0) -> None:
        self._acks.add(held)

    return patch.object(Settler, "give_back", give_back)


def _heartbeat_stops() -> AbstractContextManager[Any]:
    """Nothing is extended, and nobody notices that it is lost."""

    async def run(self: Heartbeat) -> None:
        await anyio.sleep_forever()

    @contextmanager
    def broken() -> Iterator[None]:
        with patch.object(Heartbeat, "run", run), patch.object(Heartbeat, "watch", run):
            yield

    return broken()


def _letter_is_lost_on_its_way() -> AbstractContextManager[Any]:
    """A dead letter is deleted, whether it could be sent on or not."""

    async def again(self: Any, call: Callable[[], Awaitable[None]]) -> None:
        del self
        try:
            await call()
        except QueueError:
            return

    return patch.object(redrive._Run, "_again", again)


BUGS: Final = (
    Bug("a letter is lost when it is sent on", _letter_is_lost_on_its_way),
    Bug("a failed message is acknowledged", _ack_what_failed),
    Bug("a drain acknowledges what was not started", _ack_what_was_not_started),
    Bug("the heartbeat stops", _heartbeat_stops),
)
