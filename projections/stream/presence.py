"""How workers see each other: each moves a row of its own on, and sweeps away the rows of those that stand still."""

from collections.abc import Iterable
from dataclasses import replace

from projections.stream.balance import LeaseWatch
from projections.stream.leases import Lease, LeaseLost, LeaseStore, presence


class Presence:
    """The presence row of one worker of one subscription."""

    def __init__(self, store: LeaseStore, *, subscription: str, owner: str) -> None:
        self._store = store
        self._row = presence(subscription, owner)
        self._stored = False
        self._tried = False  # the row may be there, known or not

    async def show(self) -> None:
        """Move the row on, or store it (again, should another worker have thought this one dead)."""
        if self._stored:
            moved = replace(self._row, counter=self._row.counter + 1)
            try:
                await self._store.replace(self._row, moved)
            except LeaseLost as lost:
                self._stored = lost.winner is not None
                self._row = lost.winner or self._row
            else:
                self._row = moved
        if not self._stored:
            self._tried = True
            self._stored = await self._store.create(self._row)

    async def sweep(self, workers: Iterable[Lease], watch: LeaseWatch) -> frozenset[str]:
        """Remove the rows of workers that stand still; the owners that live, this one included."""
        live = {self._row.owner}
        for row in workers:
            if row.shard == self._row.shard or not watch.expired(row):
                live.add(row.owner)
                continue
            try:
                await self._store.remove(row)
            except LeaseLost:
                live.add(row.owner)  # it moved after all
        return frozenset(owner for owner in live if owner is not None)

    async def leave(self) -> None:
        """Remove the row: the others may share out what this worker had.

        A heartbeat that was cancelled may have been stored without this worker's knowing. Nobody else writes the row, so as it is
        found then it is this worker's too.
        """
        if not self._tried:
            return
        self._tried = self._stored = False
        try:
            await self._store.remove(self._row)
        except LeaseLost as lost:
            if lost.winner is None:
                return
            await self._store.remove(lost.winner)
