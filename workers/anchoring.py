"""The day's signed root: a part of a process that makes it once a UTC day, whichever instance comes first, and says how old it is.

After midnight each instance waits a random while, looks whether the day has its root, and makes it if not. Two that do so at once make
one root: the object's key is its number, written with `If-None-Match`. Nothing is lost when it is late; that it is late shows.
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Final, Protocol

import anyio
from anyio.abc import TaskStatus

from orderstore.audit.heads import ScratchUnusable
from orderstore.audit.root_maker import AuditError, RootRefused
from orderstore.audit.roots import SignedRoot, milliseconds
from orderstore.store.errors import StoreError

DAY_MS: Final = 24 * 60 * 60 * 1000


class DailyRoots(Protocol):
    """What makes them: `orderstore.audit.root_maker.RootMaker`."""

    async def make_daily(self) -> tuple[SignedRoot, bool]:
        """Make the root of this UTC day unless there is one; return the newest, and whether this call made it."""
        ...


class AnchoringObserver(Protocol):
    """Facts about roots, as they happen. Implementations return at once and never raise."""

    def root_age(self, seconds: float) -> None:
        """How old the newest root is; while none is known, how long it has been looked for."""

    def root_made(self, number: int, orders: int, commits: int) -> None:
        """This instance made a root."""

    def root_refused(self, findings: int) -> None:
        """The log or the last root is not as it was written: for a person, `orderstore audit verify`."""

    def root_failed(self, error: Exception) -> None:
        """It could not be made for now; it is tried again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnchoringSettings:
    """Times. A verification reads the whole log, so that one that was refused is not repeated at once."""

    spread_s: float = 300
    """After midnight, and at the start, each instance waits anything up to this."""
    start_spread_s: float = 10
    look_s: float = 30
    """How often the clock is looked at and the age is told: a laptop that slept, or a clock that was set, is noticed."""
    retry_base_s: float = 30
    retry_max_s: float = 1_800
    refused_retry_s: float = 3_600

    def __post_init__(self) -> None:
        """Refuse times that do not go together."""
        if min(self.spread_s, self.start_spread_s) < 0 or min(self.look_s, self.refused_retry_s) <= 0:
            raise ValueError("times are positive")
        if not 0 < self.retry_base_s <= self.retry_max_s:
            raise ValueError("0 < retry_base_s <= retry_max_s")


class Anchoring:
    """Runs until cancelled. Trouble with the log, the bucket or the key is told and tried again; it never ends the process."""

    def __init__(
        self,
        maker: DailyRoots,
        *,
        now_ms: Callable[[], int],
        random: Random,
        observer: AnchoringObserver,
        settings: AnchoringSettings | None = None,
    ) -> None:
        """`now_ms` is the wall clock, which says what day it is; `random` spreads the instances."""
        self._maker = maker
        self._now_ms = now_ms
        self._random = random
        self._observer = observer
        self._settings = settings or AnchoringSettings()
        self._newest_ms = now_ms()
        self._failures = 0

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Make each day's root. Ready at once: a root that is late makes no process unready."""
        task_status.started()
        async with anyio.create_task_group() as group:
            group.start_soon(self._tell_age, name="age of the newest root")
            await anyio.sleep(self._random.uniform(0, self._settings.start_spread_s))
            while True:
                pause_s = await self._try()
                if pause_s is None:
                    await self._next_day()
                else:
                    await anyio.sleep(pause_s)

    async def _try(self) -> float | None:
        """Make the day's root, or find it; None when it is there, else how long to wait before the next try."""
        try:
            newest, is_ours = await self._maker.make_daily()
        except RootRefused as refused:
            self._observer.root_refused(len(refused.findings))
            return self._settings.refused_retry_s * self._random.uniform(0.5, 1)
        except (AuditError, StoreError, ScratchUnusable) as error:
            self._observer.root_failed(error)
            self._failures += 1
            ceiling_s = min(
                self._settings.retry_max_s, self._settings.retry_base_s * 2.0 ** min(self._failures - 1, 32)
            )
            return ceiling_s * self._random.uniform(0.5, 1)
        self._failures = 0
        self._newest_ms = milliseconds(newest.document.created_at)
        self._report_age()
        if is_ours:
            self._observer.root_made(newest.number, newest.document.orders, newest.document.commits)
        return None

    async def _next_day(self) -> None:
        """Wait for the day after the newest root's, by the wall clock, and then a random while."""
        following_ms = (self._newest_ms // DAY_MS + 1) * DAY_MS
        while True:
            left_s = (following_ms - self._now_ms()) / 1000
            if left_s <= 0:
                break
            await anyio.sleep(min(left_s, self._settings.look_s))
        await anyio.sleep(self._random.uniform(0, self._settings.spread_s))

    async def _tell_age(self) -> None:
        while True:
            self._report_age()
            await anyio.sleep(self._settings.look_s)

    def _report_age(self) -> None:
        self._observer.root_age(max(0.0, (self._now_ms() - self._newest_ms) / 1000))
