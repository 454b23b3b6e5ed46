"""The gate against real tables: what it asks of AWS is reading, and nothing else."""

import pytest

from projections.comparing.replay_check import replay_check
from projections.projecting.projector import ViewProjector
from projections.projecting.targets import current_targets
from projections.views import VIEWS
from tests.projections.histories import happy_commits, order_number, records_of
from tests.projections.read_side import CountingObserver
from workers.core import open_core
from workers.metrics.table import Metrics
from workers.settings import from_environment

pytestmark = pytest.mark.emulator
READS = {"GetItem", "BatchGetItem", "Query", "Scan", "GetObject", "ListObjectsV2"}


async def test_a_build_is_tried_against_a_running_environment_with_reads_alone(environment) -> None:
    """Every call that leaves the process while it replays, by its name; the log is whole, and one view has been thrown away."""
    async with open_core(from_environment(environment), Metrics()) as core:
        targets = await current_targets(core.views)
        projector = ViewProjector(core.store, core.views, targets, observer=CountingObserver())
        for index in range(30):
            commits = happy_commits(order_number(index))
            for commit in commits:
                await core.store.append(commit)
            if index:
                await projector.apply(records_of(commits))
        asked: list[str] = []
        for client in (core.clients.dynamodb, core.clients.s3, core.clients.kms, core.clients.sqs):
            client.meta.events.register("before-call", lambda model, **_: asked.append(model.name))

        report = await replay_check(
            core.store, core.views, await current_targets(core.views), looks_max=2, look_again_after_s=0.01
        )

        assert report.orders == 30
        assert {cause: group.count for cause, group in report.groups.items()} == {
            f"{view.name} is missing": 1
            for view in VIEWS
            if view.name not in ("exceptions", "backorders")  # this order is in neither
        }
        assert asked
        assert set(asked) <= READS
