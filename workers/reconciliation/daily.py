"""The daily reconciliation of payments: a part of the payment role. Some hours after midnight UTC one instance compares the day before,
and days that were missed; which are done stands in the payment worker's table.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Final, Protocol

import anyio
from anyio.abc import TaskStatus

from workers.reconciliation.payments import Report
from workers.tables.errors import ConditionRefused, TableError
from workers.tables.port import Change, Item, PutNew, Table
from workers.tables.rows import typed

BEGIN_AFTER_S: Final = 2 * 3_600.0
"""After midnight: what was begun in the last minutes of a day has come to its end by then, or has not without a cause."""
LOOK_S: Final = 600.0
DAYS_BACK: Final = 5
"""Days that are made up for after the service stood still: below what `HOLD_WARNED_AFTER_DAYS` leaves of a hold."""
CLAIM_S: Final = 2 * 3_600.0
"""An instance that claimed a day and has not finished it by then died over it."""


class Reconciles(Protocol):
    """What compares a day: `workers.reconciliation.payments.PaymentReconciliation`."""

    async def reconcile(self, day: date) -> Report:
        """Compare one UTC day, and note what does not fit."""
        ...


class ReconciliationObserver(Protocol):
    """Facts, as they happen. Implementations return at once and never raise."""

    def discrepancy(self, order_id: str, kind: str, *, noted: bool) -> None:
        """A payment does not fit; `noted` tells whether its order says so now."""

    def unreadable(self, order_id: str) -> None:
        """An order's payments could not be compared: the log does not give the order as it was written."""

    def reconciled(self, day: str, compared: int) -> None:
        """A day was compared: so many payments."""

    def failed(self, day: str, error: Exception) -> None:
        """It could not be, for now; it is tried again."""

    def behind(self, days: int) -> None:
        """So many days of the last ones are not compared yet."""


@dataclass(frozen=True, slots=True)
class _Day:
    claimed_at_ms: int
    done: bool


def _day_in(row: Item) -> _Day:
    """Raises RowUnreadable."""
    return typed(_Day, row, "a day of the reconciliation")


class DoneDays:
    """Which days are done, and who is at work on one, in a service table. `key`: what the table's key is called; `job`: of what."""

    def __init__(
        self, table: Table, *, now_ms: Callable[[], int], key: str = "attempt", job: str = "reconciliation"
    ) -> None:
        self._table = table
        self._now_ms = now_ms
        self._name = key
        self._job = job

    async def is_done(self, day: date) -> bool:
        """Whether somebody has finished it."""
        row = await self._table.get(self._key(day))
        return row is not None and _day_in(row).done

    async def claim(self, day: date) -> bool:
        """Take a day that nobody has finished, or is at work on."""
        now = self._now_ms()
        standing = await self._table.put_new(PutNew(self._key(day), {"claimed_at_ms": now, "done": False}))
        if standing is None:
            return True
        known = _day_in(standing)
        if known.done or now - known.claimed_at_ms < CLAIM_S * 1_000:
            return False
        try:
            seen = {"claimed_at_ms": known.claimed_at_ms, "done": False}
            await self._table.change(Change(key=self._key(day), assign={"claimed_at_ms": now}, equals=seen))
        except ConditionRefused:
            return False
        return True

    async def give_back(self, day: date) -> None:
        """Let another instance, or this one, try again soon."""
        await self._table.change(Change(key=self._key(day), assign={"claimed_at_ms": 0}, equals={"done": False}))

    async def finish(self, day: date) -> None:
        """It is done, for ever."""
        await self._table.change(Change(key=self._key(day), assign={"done": True}))

    def _key(self, day: date) -> dict[str, str]:
        return {self._name: f"{self._job}/{day.isoformat()}"}


class DailyReconciliation:
    """Runs until cancelled. Trouble is told and tried again; it never ends the process."""

    def __init__(
        self,
        reconciliation: Reconciles,
        days: DoneDays,
        *,
        now_ms: Callable[[], int],
        random: Random,
        observer: ReconciliationObserver,
    ) -> None:
        """`now_ms` is the wall clock, which says what day it is; `random` spreads the instances."""
        self._reconciliation = reconciliation
        self._days = days
        self._now_ms = now_ms
        self._random = random
        self._observer = observer

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Compare each day. Ready at once: books that are late make no process unready."""
        task_status.started()
        while True:
            await anyio.sleep(LOOK_S * self._random.uniform(0.5, 1.0))
            await self.catch_up()

    async def catch_up(self) -> None:
        """Compare what is over and not compared yet, oldest first."""
        over = (datetime.fromtimestamp(self._now_ms() / 1_000, tz=UTC) - timedelta(seconds=BEGIN_AFTER_S)).date()
        behind = 0
        for back in range(DAYS_BACK, 0, -1):
            day = over - timedelta(days=back)
            try:
                if not await self._days.is_done(day) and not await self._one(day):
                    behind += 1
            except TableError as error:
                self._observer.failed(day.isoformat(), error)
                return
        self._observer.behind(behind)

    async def _one(self, day: date) -> bool:
        if not await self._days.claim(day):
            return False
        try:
            report = await self._reconciliation.reconcile(day)
        except Exception as error:  # noqa: BLE001 - whatever it is: the process also takes payments, and the day is tried again
            self._observer.failed(day.isoformat(), error)
            await self._days.give_back(day)
            return False
        await self._days.finish(day)
        for found in report.found:
            self._observer.discrepancy(found.order_id, found.finding.kind, noted=found.noted)
        for order_id in report.unreadable:
            self._observer.unreadable(order_id)
        self._observer.reconciled(day.isoformat(), report.compared)
        return True
