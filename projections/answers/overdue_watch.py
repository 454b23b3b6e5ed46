"""How many orders are late, stage by stage, and for how long: told as figures once a minute, whether anybody asks or not."""

from collections.abc import Callable
from typing import Final

import anyio
from anyio.abc import TaskStatus

from projections.answers.overdue import lateness
from projections.observe import Observer
from projections.view_store import ViewStore
from projections.views import deadlines, exceptions
from projections.views.view import Generation

LOOK_EVERY_S: Final = 60.0
LOOK_WITHIN_S: Final = 30.0


class OverdueWatch:
    """Looks at the beginning of each list of `deadlines`, and at the open exceptions, in the generations that readers use, for one tenant;
    `now_ms` is the wall clock.

    A look that fails is reported, and what was told before stands: it never ends the process that it runs in.
    """

    def __init__(self, view_store: ViewStore, *, tenant: str, now_ms: Callable[[], int], observer: Observer) -> None:
        self._view_store = view_store
        self._tenant = tenant
        self._now_ms = now_ms
        self._observer = observer

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Look every LOOK_EVERY_S, until cancelled."""
        task_status.started()
        while True:
            try:
                with anyio.fail_after(LOOK_WITHIN_S):
                    await self.look()
            except Exception as error:  # noqa: BLE001 - a figure that cannot be told is no reason to stop the projector
                self._observer.overdue_unseen(error=error)
            await anyio.sleep(LOOK_EVERY_S)

    async def look(self) -> None:
        """Tell every stage, also those in which nothing is late. Raises ViewStoreError, and KeyError for a document of another schema."""
        found = await self._view_store.generations([deadlines.NAME, exceptions.NAME])
        current = {name: Generation(name, of_view.current) for name, of_view in found.items()}
        late = await lateness(self._view_store, current, tenant=self._tenant, now_ms=self._now_ms())
        for stage, of_stage in late.stages.items():
            self._observer.overdue(stage=stage, orders=of_stage.orders, oldest_s=of_stage.oldest_s)
