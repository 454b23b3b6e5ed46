"""The parking lot in memory: the reference for its rules, used by tests and by a process that needs no durability."""

from collections.abc import Mapping
from dataclasses import replace

from projections.stream.parking import (
    PAGE_ROWS_MAX,
    Keys,
    Parked,
    ParkedChanged,
    ParkedPage,
    Standing,
    holding,
    is_unmoved,
    owing,
    passing,
)


class MemoryParkingLot:
    """Rows in a dictionary. Nothing is awaited inside a write, so each write is atomic."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str], Parked] = {}
        self._released: dict[tuple[str, str], dict[str, Parked]] = {}
        self._passed: dict[tuple[str, str], Parked] = {}

    async def park(self, row: Parked) -> bool:
        """See `ParkingLot`."""
        there = self._rows.setdefault((row.subscription, row.key), row)
        return there.episode == row.episode

    async def standings(self, subscription: str) -> Mapping[str, Standing]:
        """See `ParkingLot`."""
        return {
            key: Standing(row.state, row.parked_at_ms)
            for (name, key), row in self._rows.items()
            if name == subscription
        }

    async def hold(self, subscription: str, key: str, *, first: Keys, last: Keys, records: int) -> bool:
        """See `ParkingLot`."""
        row = self._rows.get((subscription, key))
        if row is None:
            return False
        self._rows[subscription, key] = holding(row, first=first, last=last, records=records)
        return True

    async def owe(self, subscription: str, key: str, since_ms: int) -> bool:
        """See `ParkingLot`."""
        row = self._rows.get((subscription, key))
        if row is None:
            return False
        self._rows[subscription, key] = owing(row, since_ms)
        return True

    async def get(self, subscription: str, key: str) -> Parked | None:
        """See `ParkingLot`."""
        return self._rows.get((subscription, key))

    async def page(self, subscription: str, *, after: str | None = None, limit: int = PAGE_ROWS_MAX) -> ParkedPage:
        """See `ParkingLot`."""
        places = sorted(
            place
            for kind, rows in ((0, self._rows), (1, self._passed))
            for place in ((f"{key}#{kind}", key, kind) for name, key in rows if name == subscription)
            if after is None or place[0] > after
        )
        shown = places[:limit]
        found = tuple((self._passed if kind else self._rows)[subscription, key] for _, key, kind in shown)
        return ParkedPage(found, shown[-1][0] if len(places) > limit else None)

    async def replace(self, current: Parked, updated: Parked) -> None:
        """See `ParkingLot`."""
        place = (current.subscription, current.key)
        row = self._rows.get(place)
        if row == updated:
            return
        if not is_unmoved(row, current):
            raise ParkedChanged(current.key, row)
        self._rows[place] = updated

    async def release(self, current: Parked) -> None:
        """See `ParkingLot`."""
        place = (current.subscription, current.key)
        row = self._rows.get(place)
        if current.episode in self._released.get(place, {}):
            return
        if not is_unmoved(row, current):
            raise ParkedChanged(current.key, row)
        del self._rows[place]
        if current.passed:
            self._passed[place] = passing(current, self._passed.get(place))
        self._released.setdefault(place, {})[current.episode] = replace(current, state="released")

    async def released(self, subscription: str, key: str) -> tuple[Parked, ...]:
        """See `ParkingLot`."""
        return tuple(self._released.get((subscription, key), {}).values())[-PAGE_ROWS_MAX:]
