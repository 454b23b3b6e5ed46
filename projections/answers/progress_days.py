"""The totals of `projections/views/progress.py` day by day, with few reads: what still moves often each time, the rest once an hour.

A day's totals are eight rows of some hundred bytes, eight read units. The last eight days are 64 units a look; all 400 are 3,200, which
comes to two a look when it is done once an hour. Nothing depends on how many orders there are.
"""

import math
from collections.abc import Mapping
from datetime import date
from typing import Final

import anyio

from projections.answers.business import DAYS_BACK, Days, Totals, days_up_to
from projections.view_store import ViewStore
from projections.views import progress
from projections.views.view import Generation

RECENT_DAYS: Final = 8
ALL_EVERY_S: Final = 3_600.0


class ProgressDays:
    """What is known of the days of one tenant. A day before the last `RECENT_DAYS` is as it was up to `ALL_EVERY_S` ago.

    An order that moves on is taken from the day since which it stood somewhere and added to today, which are not read at the same moment:
    while it moves, it may be counted twice or not at all, until the next reading of both.
    """

    def __init__(self, store: ViewStore, *, tenant: str) -> None:
        self._store = store
        self._tenant = tenant
        self._generation: Generation | None = None
        self._known: Mapping[date, Totals] = {}
        self._all_at_s = -math.inf

    async def look(self, generation: Generation, today: date) -> Days:
        """The days up to today, as this generation of the view has them. Raises ViewStoreError."""
        now_s = anyio.current_time()
        everything = generation != self._generation or now_s - self._all_at_s >= ALL_EVERY_S
        wanted = days_up_to(today, DAYS_BACK)
        fresh = wanted if everything else wanted[:RECENT_DAYS]
        found = await self.of_days(generation, fresh)
        kept = {} if everything else {day: self._known[day] for day in wanted[RECENT_DAYS:] if day in self._known}
        self._known = {**kept, **found}
        if everything:
            self._generation, self._all_at_s = generation, now_s
        return self._known

    async def of_days(self, generation: Generation, days: list[date]) -> dict[date, Totals]:
        """These days as they are now; those on which nothing happened are left out. Raises ViewStoreError."""
        names = {generation.sum_key(self._tenant, progress.bucket(day)): day for day in days}
        totals = await self._store.totals(list(names))
        return {names[name]: amounts for name, amounts in totals.items()}
