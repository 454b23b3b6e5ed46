"""The business's figures, told once a minute whether anybody asks or not: who stands where and for how long, what has happened today, what
became of the orders of the last days, how long they took, what was sold, and how many orders need somebody.

Every projector tells the same, since all of them read the same totals: take the greatest, never the sum. What is told of today begins anew
at midnight (UTC), which `increase` of Prometheus takes as a counter that was set back: so windows of an hour or a day come out right, but
for what happened in the minute before midnight and was seen after it.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Final

import anyio
from anyio.abc import TaskStatus

from orderstore.domain.money import CURRENCIES
from projections.answers.business import cohort, cumulated, days_up_to, standing
from projections.answers.observe import BusinessObserver
from projections.answers.ports import EXCEPTION_KINDS, ExceptionReader
from projections.answers.progress_days import ALL_EVERY_S, RECENT_DAYS, ProgressDays
from projections.view_store import ViewStore
from projections.views import daily_figures, daily_sales, progress
from projections.views.view import Generation

LOOK_EVERY_S: Final = 60.0
LOOK_WITHIN_S: Final = 45.0
EXCEPTIONS_COUNTED_MAX: Final = 200
"""Of each kind: so many open exceptions are counted, and what is told then means at least so many."""
SALES_DAYS: Final = ("today", "yesterday")


class BusinessWatch:
    """Looks at the totals in the generations that readers use, for one tenant; `now_ms` is the wall clock.

    Sales are looked for in all currencies once an hour, and each minute in those that something was sold in today or yesterday. A look that
    fails is reported, and what was told before stands: it never ends the process that it runs in.
    """

    def __init__(
        self,
        view_store: ViewStore,
        exceptions: ExceptionReader,
        *,
        tenant: str,
        now_ms: Callable[[], int],
        observer: BusinessObserver,
    ) -> None:
        self._view_store = view_store
        self._exceptions = exceptions
        self._tenant = tenant
        self._now_ms = now_ms
        self._observer = observer
        self._days = ProgressDays(view_store, tenant=tenant)
        self._currencies: set[str] = set()
        self._all_currencies_at_s: float | None = None

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Look every LOOK_EVERY_S, until cancelled."""
        task_status.started()
        while True:
            try:
                with anyio.fail_after(LOOK_WITHIN_S):
                    await self.look()
            except Exception as error:  # noqa: BLE001 - a figure that cannot be told is no reason to stop the projector
                self._observer.business_unseen(error=error)
            await anyio.sleep(LOOK_EVERY_S)

    async def look(self) -> None:
        """Tell everything, also what is nothing. Raises ViewStoreError, ViewsUnavailable."""
        now = datetime.fromtimestamp(self._now_ms() / 1000, tz=UTC)
        generations = await self._view_store.generations([daily_figures.NAME])
        current = Generation(daily_figures.NAME, generations[daily_figures.NAME].current)
        await self._look_at_orders(current, now.date())
        await self._look_at_sales(current, now.date())
        for kind in EXCEPTION_KINDS:
            page = await self._exceptions.exceptions(kind, None, EXCEPTIONS_COUNTED_MAX)
            self._observer.exceptions_open(kind=kind, orders=len(page.items))

    async def _look_at_orders(self, generation: Generation, today: date) -> None:
        days, told = await self._days.look(generation, today), self._observer
        for there in standing(days, today):
            for age, orders in there.ages.items():
                told.standing(status=there.status, age=age, orders=orders)
        totals = days.get(today, {})
        for outcome in progress.HAPPENED:
            told.today(outcome=outcome, orders=totals.get(outcome, 0))
        for stage in progress.TIMED:
            for le, orders in cumulated(totals, stage):
                told.took(stage=stage, le=le, orders=orders)
        for ago, day in enumerate(days_up_to(today, RECENT_DAYS)):
            came = cohort([days.get(day, {})])
            told.of_day(days_ago=ago, outcome="placed", orders=came.placed)
            for end in progress.ENDS:
                told.of_day(days_ago=ago, outcome=end, orders=getattr(came, end))

    async def _look_at_sales(self, generation: Generation, today: date) -> None:
        now_s = anyio.current_time()
        everywhere = self._all_currencies_at_s is None or now_s - self._all_currencies_at_s >= ALL_EVERY_S
        asked = sorted(CURRENCIES if everywhere else self._currencies)
        days = {name: today - timedelta(days=ago) for ago, name in enumerate(SALES_DAYS)}
        wanted = {
            generation.sum_key(self._tenant, daily_sales.bucket(day, currency)): (name, currency)
            for name, day in days.items()
            for currency in asked
        }
        found = await self._view_store.totals(list(wanted)) if wanted else {}
        by_day = {wanted[key]: totals for key, totals in found.items()}
        sold_in = {currency for (_, currency), totals in by_day.items() if any(totals.values())}
        if everywhere:
            self._all_currencies_at_s = now_s
        # What was sold in before is told as nothing once more days have gone by: a gauge would show its last value for ever.
        self._currencies |= sold_in
        for currency in sorted(self._currencies):
            for name in SALES_DAYS:
                self._tell_sales(name, currency, by_day.get((name, currency), {}))

    def _tell_sales(self, day: str, currency: str, totals: Mapping[str, int]) -> None:
        for kind in daily_sales.KINDS:
            amount_minor = totals.get(daily_sales.minor_of(kind), 0)
            self._observer.sold(day=day, currency=currency, kind=kind, amount_minor=amount_minor)
