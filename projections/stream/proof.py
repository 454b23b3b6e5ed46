"""Whether a shard's position still means what it meant: the checks by which a silent loss is noticed.

Two things never fail and may still skip records: "from the oldest record", once the oldest is not the one it was, and an iterator
that a service made anew goes on to accept. So after each listing the position of the look before must still be in the stream.
"""

from collections.abc import Callable
from typing import Final

from projections.stream.discovery import Discovery
from projections.stream.gaps import GapCause, starts_as_before
from projections.stream.held import HeldLease
from projections.stream.observe import StreamObserver
from projections.stream.settings import StreamSettings
from projections.stream.source import (
    Position,
    PositionTrimmed,
    ShardGone,
    StreamError,
    StreamSource,
    TrimHorizon,
)

LISTINGS_FOR_A_SHARD: Final = 3  # a listing may be some moments behind: only so many without the shard count


class Proof:
    """What the last look at the listing has proven of one shard: this position was in the stream, which started there."""

    def __init__(
        self,
        held: HeldLease,
        *,
        source: StreamSource,
        discovery: Discovery,
        settings: StreamSettings,
        observer: StreamObserver,
        now_ms: Callable[[], int],
    ) -> None:
        self._held = held
        self._source = source
        self._discovery = discovery
        self._settings = settings
        self._observer = observer
        self._now_ms = now_ms
        self._version = 0
        self._proven = held.now.position
        self._start = held.now.starting_sequence
        self._doubtful = False

    def doubt(self) -> None:
        """Whoever answers next may be a service that was restarted: nothing is proven until a younger listing."""
        self._doubtful = True

    def accept(self) -> None:
        """The shard was healed: what it stands at now is the new beginning."""
        self._proven, self._start, self._doubtful = self._held.now.position, self._held.now.starting_sequence, False

    async def resumed(self) -> bool:
        """Whether the position that was stored can be gone on from. False: "from the oldest record" is not what it was."""
        held = self._held.now
        await self._see()
        listed = self._discovery.shard(held.shard)
        if held.gap is not None or held.progressed or listed is None:
            return True  # what happens to a shard that is not listed, the service says when it is read
        return self.young() and starts_as_before(
            stored_start=held.starting_sequence, listed_start=listed.starting_sequence
        )

    def young(self) -> bool:
        """Whether nothing can have been trimmed that was recorded since the low-water mark.

        To be asked after a read "from the oldest record" too: between the last look and the answer there may have been hours of trouble.
        """
        settings = self._settings
        safe_ms = (
            settings.retention_s - settings.gap_margin_s
        ) * 1_000  # clocks differ, and creation times have a grain
        return self._now_ms() - self._held.now.caught_up_to_ms < safe_ms

    async def look(self, position: Position) -> GapCause | None:
        """After each new listing: if the shard does not start where it did, ask whether the last proven position still exists.

        `position` is where reading is now; it is the witness at the next look.
        """
        discovery, held = self._discovery, self._held
        if self._doubtful:
            await discovery.fresh()
        if discovery.version == self._version:
            return None
        await self._see()
        version, listed = discovery.version, discovery.shard(held.shard)
        start = None if listed is None else listed.starting_sequence
        if start is None or start != self._start:
            try:
                await self._source.iterator(held.shard, self._proven)
            except PositionTrimmed:
                return GapCause.TRIMMED
            except ShardGone:
                return GapCause.VANISHED
            except StreamError as error:
                self._observer.unavailable(operation="verify", error=error)
                return None
            # The oldest record is always there: what says nothing proves nothing.
            if isinstance(self._proven, TrimHorizon) and (self._start is not None or self._doubtful):
                return GapCause.UNPROVEN_START
        if start is not None:
            self._start = start
            held.note_start(start)
        self._version, self._proven, self._doubtful = version, position, False
        return None

    async def _see(self) -> None:
        """Another worker may have leased the shard from a younger listing than this one's: look again before judging."""
        for _ in range(LISTINGS_FOR_A_SHARD):
            if self._discovery.shard(self._held.shard) is not None:
                return
            await self._discovery.fresh()
