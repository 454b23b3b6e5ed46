"""The projector's process says how old the oldest unpublished event is, from the tables as they are on AWS."""

import anyio
import pytest

from tests.projections.histories import happy_commits, order_number
from workers.core import open_core
from workers.metrics.table import Metrics
from workers.settings import from_environment
from workers.subscriptions import RELAY_SUBSCRIPTION, VIEWS_SUBSCRIPTION, publication_watch, reader, subscriber
from workers.wiring import open_service

pytestmark = pytest.mark.emulator

# Marks move with a lease's renewal: a third of this.
QUICK = {"ORDERSTORE_LEASE_DURATION_S": "1.5", "ORDERSTORE_STREAM_IDLE_S": "0.05", "ORDERSTORE_METRICS_PORT": "0"}


async def until(age_ms, wanted, *, within_s: float = 30) -> None:
    with anyio.fail_after(within_s):
        while not wanted(await age_ms()):  # noqa: ASYNC110 - a table is looked at
            await anyio.sleep(0.1)


async def test_what_waits_grows_old_until_a_relay_comes(environment: dict[str, str]) -> None:
    """Without a relay the age grows; with one it falls to zero, and stays there."""
    settings = from_environment({**environment, **QUICK})
    async with open_core(settings, Metrics()) as core:
        watch = publication_watch(core)
        views, relay = VIEWS_SUBSCRIPTION, RELAY_SUBSCRIPTION

        async def age_ms() -> int:
            await watch.look()
            return watch.oldest_age_ms()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(reader(core, views, watch.noting(subscriber(core, views))).run)
            for index in range(3):
                for commit in happy_commits(order_number(index)):
                    await core.store.append(commit)
            await until(age_ms, lambda age: age > 1_000)
            tasks.start_soon(reader(core, relay, subscriber(core, relay)).run)
            await until(age_ms, lambda age: age == 0)
            tasks.cancel_scope.cancel()


async def test_a_projector_watches_and_a_relay_does_not(environment: dict[str, str]) -> None:
    """Whoever may be dead is not asked how he is."""
    settings = from_environment({**environment, **QUICK})
    parts = {}
    for role in ("projector", "relay"):
        async with open_service(settings, [role], Metrics()) as running:
            parts[role] = {"publication watch", "overdue watch"} & set(running.service.readiness())
            running.service.stop_now()
    assert parts == {"projector": {"publication watch", "overdue watch"}, "relay": set()}
