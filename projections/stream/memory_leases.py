"""Leases in memory: the reference for the store's rules, used by tests and by a process that needs no durability."""

from projections.stream.leases import Lease, LeaseLost, unmoved


class MemoryLeaseStore:
    """Rows in a dictionary. Nothing is awaited inside a write, so each write is atomic."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str], Lease] = {}

    async def rows(self, subscription: str) -> tuple[Lease, ...]:
        """See `LeaseStore`."""
        return tuple(row for key, row in sorted(self._rows.items()) if key[0] == subscription)

    async def create(self, lease: Lease) -> bool:
        """See `LeaseStore`."""
        key = (lease.subscription, lease.shard)
        if key in self._rows:
            return False
        self._rows[key] = lease
        return True

    async def replace(self, current: Lease, updated: Lease) -> None:
        """See `LeaseStore`."""
        key = (current.subscription, current.shard)
        row = self._rows.get(key)
        if row == updated:
            return
        self._check(current, row)
        self._rows[key] = updated

    async def remove(self, current: Lease) -> None:
        """See `LeaseStore`."""
        key = (current.subscription, current.shard)
        row = self._rows.get(key)
        if row is None:
            return
        self._check(current, row)
        del self._rows[key]

    @staticmethod
    def _check(current: Lease, row: Lease | None) -> None:
        if not unmoved(row, current):
            raise LeaseLost(current.shard, row)
