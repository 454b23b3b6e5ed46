"""Gathers hints for a while, so that many orders become one segment; each caller waits until its own order is archived.

There is no task behind it: of those who wait for a batch one leads, which means that it lets the time pass and then does the work for
all. When the leader is cancelled (its message's deadline or visibility ended, or the process stops) another one takes over where it was;
work that was cut short is done again, which is harmless. So a batch ends with its handlers, and a drain needs nothing of its own.

A batch that is cut short was too large for the time that its messages have, and as large again it would be cut short again: for ever,
while more and more wait. So the next ones are half as large, down to a single message, and twice as large again with each that ends well.

    FlushFailed   the batch could not be archived: every message of it is to be tried again
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

import anyio

from orderstore.archive.observe import ArchiveObserver, SilentArchiveObserver
from orderstore.archive.writer import Outcome
from workers.archive.hint import Hint

Archive = Callable[[Mapping[str, int | None]], Awaitable[Outcome]]


class FlushFailed(Exception):
    """The batch was not archived, or not known to be."""


@dataclass(slots=True, eq=False)
class _Batch:
    flush_at: float
    wanted: dict[str, int | None] = field(default_factory=dict)
    sent_at_ms: int | None = None
    messages: int = 0
    waiting: int = 0
    led: bool = False
    full: anyio.Event = field(default_factory=anyio.Event)
    changed: anyio.Event = field(default_factory=anyio.Event)
    outcome: Outcome | None = None
    failure: Exception | None = None
    cut_short: bool = False

    @property
    def ended(self) -> bool:
        return self.outcome is not None or self.failure is not None

    def add(self, hint: Hint) -> None:
        self.messages += 1
        self.sent_at_ms = hint.sent_at_ms if self.sent_at_ms is None else min(self.sent_at_ms, hint.sent_at_ms)
        before = self.wanted.get(hint.stream, 0)
        if before is None or hint.commit is None:
            self.wanted[hint.stream] = None  # to the end of the log: that is at least what any hint names
        else:
            self.wanted[hint.stream] = max(before, hint.commit)


class Batcher:
    """Turns hints into calls of `archive` (`Archiver.archive`), one at a time."""

    def __init__(
        self,
        archive: Archive,
        *,
        linger_s: float,
        messages_max: int,
        now_ms: Callable[[], int],
        observer: ArchiveObserver | None = None,
    ) -> None:
        """Wait at most `linger_s` for company, or until `messages_max` are together.

        `linger_s` must be well below the handler's deadline; `messages_max` below the consumer's concurrency, or no batch is
        ever full and each waits its whole time.
        """
        if linger_s < 0 or messages_max < 1:
            raise ValueError("linger_s is not below 0 and messages_max not below 1")
        self._archive = archive
        self._linger_s = linger_s
        self._messages_max = messages_max
        self._full_at = messages_max
        self._now_ms = now_ms
        self._observer = observer or SilentArchiveObserver()
        self._open: _Batch | None = None
        self._unfinished: list[_Batch] = []
        self._flushing = anyio.Lock()

    async def archived(self, hint: Hint) -> None:
        """Return when the log is archived at least through the hint.

        Raises:
            FlushFailed: the batch failed as a whole.
            OrderFault, CorruptCommit, StreamTooLong: this order cannot be archived as it is; the others of its batch are.
        """
        batch = self._join(hint)
        try:
            while not batch.ended:
                if batch.led:
                    await batch.changed.wait()
                else:
                    await self._lead(batch)
        finally:
            batch.waiting -= 1
            if not batch.waiting and not batch.ended:
                self._forget(batch)  # every caller was cancelled: their messages come again
        if batch.failure is not None:
            name = type(batch.failure).__name__
            raise FlushFailed(f"{batch.messages} messages were not archived: {name}") from batch.failure
        if batch.outcome is not None and (fault := batch.outcome.faults.get(hint.stream)) is not None:
            raise fault

    def _join(self, hint: Hint) -> _Batch:
        batch = self._open
        if batch is None:
            batch = self._open = _Batch(flush_at=anyio.current_time() + self._linger_s)
            self._unfinished.append(batch)
        batch.add(hint)
        batch.waiting += 1
        if batch.messages >= self._full_at:
            self._close(batch)
        return batch

    def _close(self, batch: _Batch) -> None:
        """Nothing joins it any more."""
        batch.full.set()
        if self._open is batch:
            self._open = None

    def _forget(self, batch: _Batch) -> None:
        self._close(batch)
        self._unfinished.remove(batch)

    async def _lead(self, batch: _Batch) -> None:
        batch.led = True
        try:
            with anyio.CancelScope(deadline=batch.flush_at):
                await batch.full.wait()
            async with self._flushing:
                self._close(batch)
                await self._flush(batch)
        finally:
            # Not only at the end: when this caller is cancelled, another one that waits leads from here.
            batch.led = False
            batch.changed.set()
            batch.changed = anyio.Event()

    async def _flush(self, batch: _Batch) -> None:
        self._report_lag()
        try:
            batch.outcome = await self._archive(batch.wanted)
        except Exception as error:  # noqa: BLE001 - whatever it is, each message of the batch must hear of it
            batch.failure = error
        except anyio.get_cancelled_exc_class():
            self._make_smaller(batch)
            raise
        else:
            self._full_at = min(self._messages_max, 2 * self._full_at)
        self._unfinished.remove(batch)
        if batch.failure is None:
            self._report_lag()

    def _make_smaller(self, batch: _Batch) -> None:
        """Once for each batch, however many of its callers led it in vain."""
        if not batch.cut_short:
            batch.cut_short = True
            self._full_at = max(1, min(self._full_at, batch.messages) // 2)

    def _report_lag(self) -> None:
        now_ms = self._now_ms()
        ages = [now_ms - batch.sent_at_ms for batch in self._unfinished if batch.sent_at_ms is not None]
        self._observer.lag(lag_ms=max(0, *ages) if ages else 0)
