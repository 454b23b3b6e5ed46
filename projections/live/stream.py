"""One client's stream: frame after frame, as the client takes them. Nothing is made ready beyond what one read brought.

Stream.next ──> a frame ──> … ──> None      nothing more will come; `closed_for` says why
"""

from collections import deque
from collections.abc import Sequence
from typing import Protocol

import anyio

from projections.live import frames
from projections.live.frames import Frame
from projections.live.observe import Closed, LiveObserver, StreamKind
from projections.live.pace import trouble_pause_s
from projections.live.settings import LiveSettings
from projections.live.troubles import LASTING, PASSING, UNREADABLE
from projections.live.watching import Watch


class Source(Protocol):
    """What a stream tells of."""

    @property
    def kind(self) -> StreamKind:
        """For measures."""

    @property
    def look_again_s(self) -> float:
        """After how long to collect although nothing is known to have moved."""

    async def collect(self) -> Sequence[Frame]:
        """What is due now, in order, every frame once. Raises what `PASSING` and `LASTING` name; then nothing of it was handed out."""

    def end(self) -> Frame | None:
        """The last frame, once everything was told and nothing more can come."""


class Stream:
    """Made by `projections.live.desk`. `life_s` is its own; `retry_ms` is told to the client at once, and holds whenever it ends."""

    def __init__(
        self,
        source: Source,
        watch: Watch,
        *,
        first: Sequence[Frame],
        life_s: float,
        retry_ms: int,
        settings: LiveSettings,
        observer: LiveObserver,
    ) -> None:
        """`first`: what was due when it was opened."""
        now_s = anyio.current_time()
        self._source = source
        self._watch = watch
        self._settings = settings
        self._observer = observer
        self._retry_ms = retry_ms
        self._due = deque((frames.retry(retry_ms), *first))
        self._ends_at_s = now_s + life_s
        self._spoke_at_s = now_s
        self._collected_at_s = now_s
        self._failures = 0
        self._try_at_s = now_s
        self._closing: Closed | None = None
        self.closed_for: Closed | None = None
        """Why no more frames come; None while some may."""

    @property
    def kind(self) -> StreamKind:
        """For measures."""
        return self._source.kind

    @property
    def send_s(self) -> float:
        """How long the client may take for one frame."""
        return self._settings.send_s

    def cut(self, why: Closed) -> None:
        """The client left, or was too slow."""
        self.closed_for = self.closed_for or why

    async def next(self) -> Frame | None:
        """The next frame, as soon as there is one; a comment after long silence; None at the end."""
        while self.closed_for is None:
            if self._due:
                self._spoke_at_s = anyio.current_time()
                return self._due.popleft()
            if self._closing is not None:
                self.closed_for = self._closing
                break
            now_s = anyio.current_time()
            if (last := self._source.end()) is not None:
                self._close("end", last)
            elif self._watch.stopped:
                self._close("drain", frames.retry(self._retry_ms))
            elif now_s >= self._ends_at_s:
                self._close("life", frames.retry(self._retry_ms))
            elif self._is_due(now_s):
                await self._collect()
            elif now_s >= self._spoke_at_s + self._settings.beat_s:
                self._spoke_at_s = now_s
                return frames.BEAT
            else:
                await self._wait(now_s)
        return None

    def took(self, frame: Frame) -> None:
        """The client took it."""
        self._observer.event_sent(event=frame.event)

    def _is_due(self, now_s: float) -> bool:
        asked = bool(self._watch.moved) or now_s >= self._collected_at_s + self._source.look_again_s
        return asked and now_s >= self._try_at_s

    async def _wait(self, now_s: float) -> None:
        """Until something may be due."""
        again_s = max(self._collected_at_s + self._source.look_again_s, self._try_at_s)
        until_s = min(self._ends_at_s, self._spoke_at_s + self._settings.beat_s, again_s)
        if now_s < self._try_at_s:  # it has moved, and could not be read
            with anyio.move_on_after(min(until_s, self._try_at_s) - now_s):
                await self._watch.until_stopped()
            return
        with anyio.move_on_after(until_s - now_s):
            await self._watch.wait()

    async def _collect(self) -> None:
        try:
            found = await self._source.collect()
        except PASSING as error:
            self._failures += 1
            self._try_at_s = anyio.current_time() + trouble_pause_s(self._failures, self._settings)
            self._observer.look_failed(what=self._source.kind, error=error)
        except LASTING as error:
            self._observer.look_failed(what=self._source.kind, error=error)
            fault = frames.event("fault", {"code": UNREADABLE})
            self._close("failed", frames.retry(self._settings.retry_broken_ms), fault)
        else:
            self._due.extend(found)
            self._failures = 0
            self._collected_at_s = now_s = anyio.current_time()
            if (
                not found and self._watch.moved
            ):  # what was seen to have moved is not there: no reason to ask without end
                self._try_at_s = now_s + self._settings.pause_min_s

    def _close(self, why: Closed, *last: Frame) -> None:
        self._closing = why
        self._due.extend(last)
