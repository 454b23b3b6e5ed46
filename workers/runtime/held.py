"""The messages that this process holds, and until when it may believe so."""

import math
from collections.abc import Iterator
from enum import Enum
from typing import Literal

import anyio

from workers.runtime.queue import BATCH_ENTRIES_MAX, Message


class Stage(Enum):
    """Where a held message is."""

    BUFFERED = "buffered"
    RUNNING = "running"
    DEFERRED = "deferred"
    DELETING = "deleting"
    RETURNING = "returning"


CREDITED = frozenset({Stage.BUFFERED, Stage.RUNNING, Stage.DEFERRED})
"""Stages in which a message takes up a credit."""


class Held:
    """One held message. Times are monotonic seconds (`anyio.current_time`)."""

    __slots__ = (
        "beat",
        "copies",
        "hold_until",
        "lost",
        "message",
        "received_at",
        "return_after_s",
        "scope",
        "stage",
        "stalls",
        "stopped",
        "visible_at",
    )

    def __init__(self, message: Message, *, received_at: float, visible_at: float, hold_until: float) -> None:
        self.message = message
        self.copies: list[Message] = [message]
        """Every receipt of it, the newest last: each is deleted."""
        self.received_at = received_at
        self.visible_at = visible_at
        """The message is surely ours before this time: counted from before the call that hid it."""
        self.hold_until = hold_until
        """The heartbeat extends it no longer than this."""
        self.stage = Stage.BUFFERED
        self.scope: anyio.CancelScope | None = None
        self.lost: str | None = None
        """Why visibility was lost; None while it is ours."""
        self.stopped = False
        """Its handler was cancelled because the worker stops."""
        self.stalls = 0
        """How often its handler's deadline passed because the process stood still."""
        self.return_after_s = 0
        self.beat: anyio.Event | None = None
        """Set when the heartbeat call under way for it has ended."""

    def adopt(self, copy: Message, *, visible_at: float) -> None:
        """Take over a newer receipt of the same message: only the newest is sure to work."""
        self.message = copy
        self.copies = [*self.copies[1 - BATCH_ENTRIES_MAX :], copy]
        self.visible_at = visible_at

    def is_ours(self, now: float | None = None) -> bool:
        """Whether nobody else can have been given the message; `now` spares a look at the clock."""
        return self.lost is None and (anyio.current_time() if now is None else now) < self.visible_at

    def cancel(self, why: Literal["lost", "stop"]) -> None:
        """Cancel what is going on for it, if anything is."""
        self.stopped = self.stopped or why == "stop"
        if self.scope is not None:
            self.scope.cancel()


class Holdings:
    """All held messages, and a signal for whoever waits for a change. Every question is answered in constant time."""

    def __init__(self) -> None:
        self._held: dict[Held, None] = {}
        self._by_id: dict[str, Held] = {}
        self._credits_taken = 0
        self.returned = 0
        """How often a handler has returned, whatever it said: the process has survived that many."""
        self._changed: anyio.Event | None = None
        self._sooner: anyio.Event | None = None
        self._watched_until = math.inf

    def __iter__(self) -> Iterator[Held]:
        return iter(tuple(self._held))

    def __len__(self) -> int:
        return len(self._held)

    @property
    def credits_taken(self) -> int:
        """How many wait, run or are deferred."""
        return self._credits_taken

    def find(self, message_id: str) -> Held | None:
        """The held message of this id that is still ours, if there is one."""
        held = self._by_id.get(message_id)
        return held if held is not None and held.is_ours() else None

    def add(self, held: Held) -> None:
        """Hold it."""
        self._held[held] = None
        self._by_id[held.message.id] = held
        self._credits_taken += held.stage in CREDITED
        self.expires(held)
        self.notify()

    def move(self, held: Held, stage: Stage) -> None:
        """It goes on to `stage`."""
        if held in self._held:
            self._credits_taken += (stage in CREDITED) - (held.stage in CREDITED)
        held.stage = stage
        self.notify()

    def drop(self, held: Held) -> None:
        """Hold it no longer; nothing happens if it is not held."""
        if held not in self._held:
            return
        del self._held[held]
        self._credits_taken -= held.stage in CREDITED
        if self._by_id.get(held.message.id) is held:
            del self._by_id[held.message.id]
        self.notify()

    def notify(self) -> None:
        """Wake everyone who waits for a change."""
        if self._changed is not None:  # nobody looks most of the time, and an event costs more than all the rest here
            self._changed.set()
            self._changed = None

    @property
    def changed(self) -> anyio.Event:
        """Set at the next change. Take it before looking, then wait."""
        if self._changed is None:
            self._changed = anyio.Event()
        return self._changed

    def expires(self, held: Held) -> None:
        """Its visibility may end sooner than that of all others: wake who watches over that."""
        if held.visible_at < self._watched_until and self._sooner is not None:
            self._sooner.set()

    async def watch(self, until: float) -> None:
        """Wait until then (monotonic), or until something is held that ends sooner."""
        self._sooner, self._watched_until = anyio.Event(), until
        with anyio.CancelScope(deadline=until):
            await self._sooner.wait()
