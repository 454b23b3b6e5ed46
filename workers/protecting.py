"""The task's protection put together: which work of this process it looks at, and whether there is an agent to ask at all."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from random import Random
from typing import Final

import structlog

from orderstore.audit.roots import SignedRoot
from workers.anchoring import DailyRoots
from workers.ecs_agent import open_agent
from workers.metrics.protection import ProtectionMetrics
from workers.metrics.table import Metrics
from workers.protection import Jobs, Protection, ProtectionSettings
from workers.queues import Consumer
from workers.settings import Settings, ecs_agent_uri

QUIET_PER_LONG: Final = 2
_log: Final = structlog.get_logger("workers.protection")


@asynccontextmanager
async def protection(
    settings: Settings, consumers: Sequence[Consumer], jobs: Jobs, *, metrics: Metrics, random: Random
) -> AsyncIterator[list[Protection]]:
    """The part that protects the task while work of the consumers or the jobs is long; none outside of ECS, or where it is off."""
    if not settings.task_protection:
        yield []
        return
    uri = ecs_agent_uri()
    if uri is None:
        _log.info("no ECS agent: the task is never protected", variable="ECS_AGENT_URI")
        yield []
        return
    after_s = settings.task_protection_after_s
    times = ProtectionSettings(after_s=after_s, quiet_s=QUIET_PER_LONG * after_s)
    async with open_agent(uri, timeout_s=times.call_timeout_s) as agent:
        looks = [*(consumer.oldest_running_s for consumer in consumers), jobs.oldest_s]
        yield [Protection(agent, looks, observer=ProtectionMetrics(metrics), random=random, settings=times)]


class CountedRoots:
    """`DailyRoots` that count as work of this task while one is made: over a large log that takes long, and begins anew when cut off."""

    def __init__(self, roots: DailyRoots, jobs: Jobs) -> None:
        self._roots = roots
        self._jobs = jobs

    async def make_daily(self) -> tuple[SignedRoot, bool]:
        """See `DailyRoots.make_daily`."""
        with self._jobs.under_way("daily root"):
            return await self._roots.make_daily()

    async def newest(self) -> SignedRoot | None:
        """See `DailyRoots.newest`."""
        return await self._roots.newest()
