"""The end of an order's log: what was committed after a commit that is known."""

from orderstore import codec
from orderstore.domain.ids import stream_of
from orderstore.recorded import Recorded
from orderstore.store.port import EventStore


class LogTail:
    """See `projections.live.ports.Tail`."""

    def __init__(self, store: EventStore, *, tenant: str) -> None:
        self._store = store
        self._tenant = tenant

    async def after(self, order_id: str, commit: int) -> tuple[Recorded, ...]:
        """One query, of the commits that are missing and no others."""
        commits = await self._store.read(stream_of(self._tenant, order_id), after=commit)
        return tuple(recorded for found in commits for recorded in codec.decode(found))
