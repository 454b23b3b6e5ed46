"""How many tasks the process's event loop has: counting walks through all of them, so it is done now and then, not at every scrape."""

from collections.abc import Awaitable, Callable
from typing import Final

import anyio
from anyio.abc import TaskStatus

from workers.metrics.table import Metrics

COUNT_EVERY_S: Final = 15.0


def watching_tasks(metrics: Metrics) -> Callable[..., Awaitable[None]]:
    """A task that keeps the gauge `orderstore_tasks` up to date; it counts itself too."""

    async def watch(*, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        task_status.started()
        while True:
            metrics.set("orderstore_tasks", None, len(anyio.get_running_tasks()))
            await anyio.sleep(COUNT_EVERY_S)

    return watch
