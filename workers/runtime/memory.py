"""A real SQS standard queue in memory: visibility, receipts, receive counts, redrive, long polling, delays, limits.

It keeps order more than AWS does, and delivers no spurious duplicates; tests that need those inject them around it. A message group
is carried and means nothing here: `memory_groups.py` has the queues for which it does.
"""

import heapq
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import anyio

from workers.runtime.deadletter import dead_letter_attributes, message_bytes, sendable_text
from workers.runtime.queue import (
    BATCH_ENTRIES_MAX,
    DELAY_S_MAX,
    MESSAGE_ATTRIBUTES_MAX,
    MESSAGE_BYTES_MAX,
    RECEIPTS_IN_FLIGHT_MAX,
    VISIBILITY_S_MAX,
    WAIT_S_MAX,
    Depths,
    FailedEntry,
    Message,
    RequestRefused,
    Throttled,
)


@dataclass(slots=True, kw_only=True, eq=False)
class Stored:
    """A message as the queue keeps it."""

    id: str
    body: str
    attributes: Mapping[str, str]
    sent_at_ms: int
    sent_at: float
    visible_at: float
    receive_count: int = 0
    receipt: str | None = None
    received_at: float | None = None
    delayed: bool = False
    group: str | None = None


class MemoryQueue:
    """`Queue` in memory, with its producer's side (`send`). `dead_letters` None means no redrive."""

    def __init__(
        self,
        name: str,
        *,
        now_ms: Callable[[], int],
        dead_letters: "MemoryQueue | None" = None,
        receive_count_max: int = 3,
        retention_s: float = 4 * 86_400,
    ) -> None:
        self._name = name
        self._now_ms = now_ms
        self._dead_letters = dead_letters
        self._receive_count_max = receive_count_max
        self._retention_s = retention_s
        self._stored: dict[str, Stored] = {}
        self._visible: dict[str, Stored] = {}
        self._hidden: list[tuple[float, int, Stored]] = []
        self._delayed = 0
        self._numbers = itertools.count(1)
        self._sent = anyio.Event()

    @property
    def name(self) -> str:
        """The name for logs and metrics."""
        return self._name

    async def send(
        self,
        body: str,
        *,
        attributes: Mapping[str, str] | None = None,
        delay_s: float = 0,
        group: str | None = None,
    ) -> str:
        """Put a message in, to become visible after `delay_s` (0 to 900); its id. Raises `RequestRefused` past SQS's limits."""
        await anyio.lowlevel.checkpoint()
        attributes = dict(attributes or {})
        _require(0 <= delay_s <= DELAY_S_MAX, "delay")
        _require(body != "" and sendable_text(body) == body, "empty body, or a character outside XML 1.0's set")
        _require(
            len(attributes) <= MESSAGE_ATTRIBUTES_MAX and all(attributes.values()),
            "more than 10 attributes, or an empty one",
        )
        _require(message_bytes(body, attributes) <= MESSAGE_BYTES_MAX, "body and attributes over 1 MiB")
        now = anyio.current_time()
        stored = Stored(
            id=f"{self._name}-{next(self._numbers)}",
            body=body,
            attributes=attributes,
            sent_at_ms=self._now_ms(),
            sent_at=now,
            visible_at=now + delay_s,
            delayed=delay_s > 0,
            group=group,
        )
        self._put(stored)
        return stored.id

    async def receive(self, *, max_messages: int, wait_s: int, visibility_timeout_s: int) -> Sequence[Message]:
        """See `Queue.receive`. Cancelling it takes no message."""
        await anyio.lowlevel.checkpoint()
        _require(1 <= max_messages <= BATCH_ENTRIES_MAX, "max_messages must be 1 to 10")
        _require(0 <= wait_s <= WAIT_S_MAX, "wait_s must be 0 to 20")
        _require(0 <= visibility_timeout_s <= VISIBILITY_S_MAX, "visibility_timeout_s must be 0 to 43200")
        give_up_at = anyio.current_time() + wait_s
        while True:
            sent = self._sent
            self._surface()
            candidates = self._next(max_messages)
            ready = self._ready(candidates)
            if candidates and not ready:
                continue  # those in front had expired, or were dead letters
            if ready or anyio.current_time() >= give_up_at:
                return [self._hand_out(stored, visibility_timeout_s) for stored in ready]
            next_at = self._hidden[0][0] if self._hidden else give_up_at
            with anyio.CancelScope(deadline=min(give_up_at, next_at)):
                await sent.wait()

    async def delete(self, messages: Sequence[Message]) -> Sequence[FailedEntry]:
        """See `Queue.delete`. A stale receipt answers success and deletes nothing, as AWS documents."""
        await anyio.lowlevel.checkpoint()
        _require_batch(messages)
        for message in messages:
            stored = self._stored.get(message.id)
            if stored is not None and stored.receipt == message.receipt:
                self._remove(stored)
        return ()

    async def change_visibility(self, changes: Sequence[tuple[Message, int]]) -> Sequence[FailedEntry]:
        """See `Queue.change_visibility`. Refused for what is not in flight, and past 12 hours since this receive."""
        await anyio.lowlevel.checkpoint()
        _require_batch(changes)
        self._surface()
        now = anyio.current_time()
        failed: list[FailedEntry] = []
        for message, timeout_s in changes:
            stored = self._stored.get(message.id)
            if (
                stored is None
                or stored.receipt != message.receipt
                or stored.received_at is None
                or stored.id in self._visible
            ):
                failed.append(FailedEntry(message=message, reason="MessageNotInflight", gone=True))
            elif not 0 <= timeout_s <= VISIBILITY_S_MAX - (now - stored.received_at):
                failed.append(FailedEntry(message=message, reason="InvalidParameterValue", gone=True))
            else:
                self._hide_until(stored, now + timeout_s)
        return failed

    async def dead_letter(self, message: Message, reason: str) -> None:
        """See `Queue.dead_letter`. Raises `RequestRefused` when there is no dead-letter queue."""
        if self._dead_letters is None:
            raise RequestRefused(f"{self._name} has no dead-letter queue")
        await self._dead_letters.send(
            message.body, attributes=dead_letter_attributes(message, reason), group=message.group
        )

    async def depths(self) -> Depths:
        """See `Queue.depths`; exact here."""
        await anyio.lowlevel.checkpoint()
        self._surface()
        for stored in tuple(self._visible.values()):
            self._is_expired(stored)
        dead = 0 if self._dead_letters is None else (await self._dead_letters.depths()).visible
        return Depths(
            visible=len(self._visible),
            in_flight=len(self._stored) - len(self._visible) - self._delayed,
            delayed=self._delayed,
            dead_letters=dead,
        )

    def _ready(self, candidates: Sequence[Stored]) -> list[Stored]:
        ready: list[Stored] = []
        for stored in candidates:
            if self._is_expired(stored):
                continue
            if self._dead_letters is not None and stored.receive_count >= self._receive_count_max:
                # The move keeps id, time of sending and attributes, and thus the age that retention is counted from.
                self._remove(stored)
                self._dead_letters.take_over(stored)
            else:
                ready.append(stored)
        if ready and len(self._stored) - len(self._visible) - self._delayed + len(ready) > RECEIPTS_IN_FLIGHT_MAX:
            raise Throttled(f"{self._name} has too many messages in flight")
        return ready

    def _next(self, count: int) -> Sequence[Stored]:
        """Which of the visible messages come next; those of them that have expired or are dead letters are not handed out."""
        return tuple(itertools.islice(self._visible.values(), count))

    def _hand_out(self, stored: Stored, visibility_timeout_s: int) -> Message:
        now = anyio.current_time()
        stored.receive_count += 1
        stored.receipt = f"{stored.id}/receipt-{next(self._numbers)}"
        stored.received_at = now
        self._hide_until(stored, now + visibility_timeout_s)
        return Message(
            id=stored.id,
            receipt=stored.receipt,
            body=stored.body,
            attributes=dict(stored.attributes),
            receive_count=stored.receive_count,
            sent_at_ms=stored.sent_at_ms,
            group=stored.group,
        )

    def take_over(self, stored: Stored) -> None:
        """Take a message that another queue's redrive policy moves here."""
        stored.receive_count = 0
        stored.receipt = None
        stored.received_at = None
        stored.visible_at = anyio.current_time()
        self._put(stored)

    def _put(self, stored: Stored) -> None:
        self._stored[stored.id] = stored
        self._delayed += stored.delayed
        self._hide_until(stored, stored.visible_at)

    def _remove(self, stored: Stored) -> None:
        del self._stored[stored.id]
        self._visible.pop(stored.id, None)

    def _hide_until(self, stored: Stored, visible_at: float) -> None:
        stored.visible_at = visible_at
        self._visible.pop(stored.id, None)
        heapq.heappush(self._hidden, (visible_at, next(self._numbers), stored))
        if self._hidden[0][2] is stored:  # nothing else is visible sooner: who waits must wait less
            self._wake()

    def _surface(self) -> None:
        """Make visible whatever has been hidden long enough. Entries that were deleted or hidden anew since are stale, and go."""
        now = anyio.current_time()
        while self._hidden:
            visible_at, _, stored = self._hidden[0]
            known = self._stored.get(stored.id) is stored and stored.visible_at == visible_at
            if known and visible_at > now:
                return
            heapq.heappop(self._hidden)
            if known:
                self._delayed -= stored.delayed
                stored.delayed = False
                self._visible[stored.id] = stored

    def _is_expired(self, stored: Stored) -> bool:
        expired = anyio.current_time() - stored.sent_at >= self._retention_s
        if expired:
            self._remove(stored)
        return expired

    def _wake(self) -> None:
        self._sent.set()
        self._sent = anyio.Event()


def _require(holds: bool, what: str) -> None:  # noqa: FBT001 - reads as a sentence at each call
    if not holds:
        raise RequestRefused(what)


def _require_batch(entries: Sequence[object]) -> None:
    _require(1 <= len(entries) <= BATCH_ENTRIES_MAX, "a batch has 1 to 10 entries")
