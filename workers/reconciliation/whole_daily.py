"""Views and invoices, once a day, by whichever instance of the sweeper comes first. Nothing is repaired by itself."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Protocol

import anyio
from anyio.abc import TaskStatus

from workers.reconciliation.daily import BEGIN_AFTER_S, LOOK_S, DoneDays
from workers.reconciliation.whole import Report
from workers.tables.errors import TableError


class ReconcilesAll(Protocol):
    """What compares: `workers.reconciliation.whole.WholeReconciliation`."""

    async def reconcile(self) -> Report:
        """Compare once, and note what does not fit."""
        ...


class WholeObserver(Protocol):
    """Facts, as they happen. Implementations return at once and never raise."""

    def reconciled(self, day: str, report: Report) -> None:
        """Everything was compared, and this was found."""

    def failed(self, day: str, error: Exception) -> None:
        """It could not be done, for now; it is tried again."""


class DailyWhole:
    """Runs until cancelled. Trouble is told and tried again; it never ends the process."""

    def __init__(
        self,
        reconciliation: ReconcilesAll,
        days: DoneDays,
        *,
        now_ms: Callable[[], int],
        random: Random,
        observer: WholeObserver,
    ) -> None:
        """`now_ms` is the wall clock, which says what day it is; `random` spreads the instances."""
        self._reconciliation = reconciliation
        self._days = days
        self._now_ms = now_ms
        self._random = random
        self._observer = observer

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Each day. Ready at once."""
        task_status.started()
        while True:
            await anyio.sleep(LOOK_S * self._random.uniform(0.5, 1.0))
            await self.catch_up()

    async def catch_up(self) -> None:
        """Do what the last day that is over is owed. Days before it need nothing: what is compared is how things stand."""
        over = datetime.fromtimestamp(self._now_ms() / 1_000, tz=UTC) - timedelta(seconds=BEGIN_AFTER_S)
        day = over.date() - timedelta(days=1)
        try:
            if not await self._days.is_done(day) and await self._days.claim(day):
                await self._one(day)
        except TableError as error:
            self._observer.failed(day.isoformat(), error)

    async def _one(self, day: date) -> None:
        try:
            report = await self._reconciliation.reconcile()
        except Exception as error:  # noqa: BLE001 - whatever it is: the process also sweeps, and the day is tried again
            self._observer.failed(day.isoformat(), error)
            await self._days.give_back(day)
            return
        await self._days.finish(day)
        self._observer.reconciled(day.isoformat(), report)
