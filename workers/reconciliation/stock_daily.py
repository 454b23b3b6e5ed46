"""Once a day, by whichever instance of the inventory role comes first: the books of every article are closed, and its levels are compared
with what the reservations hold. Nothing is repaired by itself.
"""

from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Protocol

import anyio
from anyio.abc import TaskStatus

from workers.inventory.levels import level_of, place_of
from workers.inventory.stock import Storeroom
from workers.reconciliation.daily import BEGIN_AFTER_S, LOOK_S, DoneDays
from workers.reconciliation.stock import Finding, Report
from workers.tables.errors import RowUnreadable, TableError
from workers.tables.port import Table

Note = Callable[[Finding], Awaitable[bool]]
"""Has the order say what was found; whether there is one."""


class ReconcilesStock(Protocol):
    """What compares: `workers.reconciliation.stock.StockReconciliation`."""

    async def reconcile(self) -> Report:
        """Compare everything once."""
        ...


class StockObserver(Protocol):
    """Facts, as they happen. Implementations return at once and never raise."""

    def discrepancy(self, finding: Finding) -> None:
        """Something does not fit."""

    def reconciled(self, day: str, report: Report) -> None:
        """Everything was compared."""

    def closed(self, day: str, pieces: int) -> None:
        """So many pieces that had left were taken off what is on hand."""

    def failed(self, day: str, error: Exception) -> None:
        """It could not be done, for now; it is tried again."""


async def close_books(table: Table, storeroom: Storeroom) -> int:
    """Close the books of every article of which something has left; how many pieces. Raises StockError, TableError; may be repeated.

    A row that is unreadable is left alone: the reconciliation names it.
    """
    pieces = 0
    async for item in table.scan():
        place = place_of(str(item["key"]))
        try:
            level = level_of(item) if place is not None else None
        except RowUnreadable:
            continue
        if place is not None and level is not None and level.committed:
            pieces += await storeroom.close(place.sku)
    return pieces


class DailyStock:
    """Runs until cancelled. Trouble is told and tried again; it never ends the process."""

    def __init__(
        self,
        table: Table,
        storeroom: Storeroom,
        reconciliation: ReconcilesStock,
        days: DoneDays,
        *,
        note: Note,
        now_ms: Callable[[], int],
        random: Random,
        observer: StockObserver,
    ) -> None:
        """`note` tells the order that a finding is about; `now_ms` is the wall clock, which says what day it is; `random` spreads the
        instances."""
        self._table = table
        self._storeroom = storeroom
        self._reconciliation = reconciliation
        self._days = days
        self._note = note
        self._now_ms = now_ms
        self._random = random
        self._observer = observer

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Each day. Ready at once: books that are late make no process unready."""
        task_status.started()
        while True:
            await anyio.sleep(LOOK_S * self._random.uniform(0.5, 1.0))
            await self.catch_up()

    async def catch_up(self) -> None:
        """Do what the last day that is over is owed. Days before it need nothing: what is compared is how things stand."""
        over = datetime.fromtimestamp(self._now_ms() / 1_000, tz=UTC) - timedelta(seconds=BEGIN_AFTER_S)
        day = over.date() - timedelta(days=1)
        try:
            if await self._days.is_done(day) or not await self._days.claim(day):
                return
            await self._one(day)
        except TableError as error:
            self._observer.failed(day.isoformat(), error)

    async def _one(self, day: date) -> None:
        name = day.isoformat()
        try:
            self._observer.closed(name, await close_books(self._table, self._storeroom))
            report = await self._reconciliation.reconcile()
            for finding in report.findings:
                await self._note(finding)
        except Exception as error:  # noqa: BLE001 - whatever it is: the process also sets goods aside, and the day is tried again
            self._observer.failed(name, error)
            await self._days.give_back(day)
            return
        await self._days.finish(day)
        for finding in report.findings:
            self._observer.discrepancy(finding)
        self._observer.reconciled(name, report)
