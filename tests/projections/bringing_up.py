"""What a gap in the stream makes the quarantine do with a projector, without the quarantine: every order of the log brought up to it."""

from collections.abc import Sequence

from projections.projecting.projector import ViewProjector
from projections.stream.source import Record


async def bring_up_all(projector: ViewProjector, *, since_ms: int = 0) -> None:
    """Every order with a commit recorded since then."""
    await projector.repair([key async for key in projector.keys(since_ms)], since_ms=since_ms)


class Unquarantined:
    """The projector as a subscriber that parks nothing: for tests of the reader, in which nothing is at fault."""

    def __init__(self, projector: ViewProjector) -> None:
        self._projector = projector

    async def apply(self, records: Sequence[Record]) -> None:
        """See `Subscriber.apply`."""
        await self._projector.apply(records)

    async def backfill(self, since_ms: int) -> None:
        """See `Subscriber.backfill`."""
        await bring_up_all(self._projector, since_ms=since_ms)
