"""A look at a dead-letter queue. SQS has no browsing: to look is to receive, which hides the letter until it is put back.

A look is bounded in letters and in time, yields each letter once although SQS may show it twice, says whether that was the whole queue, and
puts everything back at its end. Whoever dies in the middle takes nothing along: the letters come back when their time-out has passed.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, Protocol

import anyio
import msgspec

from workers.dead_letters.letter import Letter, read
from workers.runtime.queue import BATCH_ENTRIES_MAX, Message, Queue, QueueError
from workers.runtime.queue import RECEIPTS_IN_FLIGHT_MAX as IN_FLIGHT_MAX

LETTERS_DEFAULT: Final = 1_000
LETTERS_MAX: Final = 100_000
LOOK_S: Final = 60.0
RUN_S_MAX: Final = 840.0
# A long poll asks every server, however short it is; one that finds nothing new twice has seen all that is visible.
POLL_WAIT_S: Final = 1
QUIET_POLLS: Final = 2
MARGIN_S: Final = 60.0
GIVE_BACK_S: Final = 30.0
AT_ONCE: Final = 8

assert LETTERS_MAX < IN_FLIGHT_MAX


class SendingQueue(Queue, Protocol):
    """A queue with its producer's side."""

    async def send(self, body: str, *, attributes: Mapping[str, str] | None = None, group: str | None = None) -> str:
        """Put a message in; its id."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A queue and its dead letters, as a queue of their own."""

    source: SendingQueue
    letters: SendingQueue
    receive_count_max: int
    poll_wait_s: int = POLL_WAIT_S

    @property
    def name(self) -> str:
        """The queue's name."""
        return self.source.name


class Look:
    """One look under way. Letters that somebody deletes must be told of (`gone`), so that they are not put back."""

    def __init__(self, box: Box, *, letters_max: int, seconds_max: float) -> None:
        self._box = box
        self._letters_max = letters_max
        self._hidden_s = round(seconds_max + MARGIN_S)
        self._held: dict[str, Message] = {}
        self._gone: set[str] = set()
        self.ends_at = anyio.current_time() + seconds_max
        """When the time for it is up, on the monotonic clock."""
        self.seen = 0
        self.stopped: str | None = "it was ended before the end"
        """Why this was not the whole queue; None when it was."""

    async def batches(self) -> AsyncGenerator[list[Letter], None]:
        """The letters that were not seen yet, up to ten at a time. Raises QueueError."""
        quiet = 0
        while quiet < QUIET_POLLS:
            if self.seen >= self._letters_max:
                self.stopped = f"{self._letters_max:,} letters were looked at, which is the most for one look"
                return
            if anyio.current_time() >= self.ends_at:
                self.stopped = "the time for one look was up"
                return
            fresh = await self._receive(min(BATCH_ENTRIES_MAX, self._letters_max - self.seen))
            quiet = 0 if fresh else quiet + 1
            if fresh:
                yield fresh
        depths = await self._box.letters.depths()
        elsewhere = depths.in_flight - len(self._held)
        self.stopped = None
        if elsewhere > 0:
            self.stopped = (
                f"about {elsewhere:,} more are hidden: somebody else is looking at them, or a look was cut off"
            )
        elif depths.visible > 0:
            self.stopped = f"about {depths.visible:,} more came meanwhile"

    def receipt_of(self, letter: Letter) -> Message:
        """What deletes it: the newest receipt, for SQS may show a letter twice, and says yes to an older one without deleting anything."""
        return self._held.get(letter.id, letter.message)

    def gone(self, letter: Letter) -> None:
        """It is deleted."""
        self._held.pop(letter.id, None)
        self._gone.add(letter.id)

    async def put_back(self) -> None:
        """Show everything that is held again, at once. What fails comes back by itself when its time-out has passed."""
        held = list(self._held.values())
        limit = anyio.CapacityLimiter(AT_ONCE)
        async with anyio.create_task_group() as tasks:
            for first in range(0, len(held), BATCH_ENTRIES_MAX):
                tasks.start_soon(self._show, held[first : first + BATCH_ENTRIES_MAX], limit, name="letters put back")

    async def _receive(self, wanted: int) -> list[Letter]:
        messages = await self._box.letters.receive(
            max_messages=wanted, wait_s=self._box.poll_wait_s, visibility_timeout_s=self._hidden_s
        )
        fresh = []
        for message in messages:
            known = message.id in self._held
            again = message.id in self._gone
            if again:
                await self._box.letters.delete([message])  # its deletion came to nothing, or this is a ghost of it
                continue
            self._held[message.id] = msgspec.structs.replace(
                message, body="", attributes={}
            )  # the newest receipt is the one that counts
            if not known:
                fresh.append(read(self._box.name, message, receive_count_max=self._box.receive_count_max))
        self.seen += len(fresh)
        return fresh

    async def _show(self, messages: list[Message], limit: anyio.CapacityLimiter) -> None:
        async with limit:
            try:
                await self._box.letters.change_visibility([(message, 0) for message in messages])
            except QueueError:
                return


@asynccontextmanager
async def looking(box: Box, *, letters_max: int = LETTERS_DEFAULT, seconds_max: float = LOOK_S) -> AsyncIterator[Look]:
    """Look through a box's letters; everything is put back at the end, whatever happened. Raises ValueError for bounds out of bounds."""
    if not 1 <= letters_max <= LETTERS_MAX or not 0 < seconds_max <= RUN_S_MAX:
        raise ValueError(f"a look is at 1 to {LETTERS_MAX:,} letters, and takes at most {RUN_S_MAX:.0f} s")
    look = Look(box, letters_max=letters_max, seconds_max=seconds_max)
    try:
        yield look
    finally:
        with anyio.move_on_after(GIVE_BACK_S, shield=True):
            await look.put_back()
