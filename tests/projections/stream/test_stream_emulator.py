"""The reader over the embedded environment's stream, through its restart, which the stream's records do not survive."""

from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from deploy.local import environment as local
from projections.stream import GapCause
from tests.projections.stream.real_tables import eventually, reading, table

pytestmark = pytest.mark.emulator


@pytest.fixture
def state_dir(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "state"
    local.clean(tmp_path / "state")


async def test_after_a_restart_of_the_stream_s_service_the_lost_position_is_a_gap_and_is_healed(
    state_dir: Path,
) -> None:
    """What was written but not read before the restart is in the table only."""
    name = "events"
    first = local.start(state_dir)
    async with table(first.endpoint_url, name) as (events, source, leases):
        await events.create()
        async with reading(events, source, leases):
            await events.put(10)
            await eventually(lambda: len(events.live) == 10)
        await events.put(5)  # nobody reads these before the records are gone
        written = events.written
    await anyio.to_thread.run_sync(local.stop, state_dir)
    second = await anyio.to_thread.run_sync(local.start, state_dir)
    async with table(second.endpoint_url, name) as (events, source, leases):
        events.written, events.live = list(written), list(written[:10])
        async with reading(events, source, leases) as watch:
            await eventually(events.complete)
            await events.put(5)
            await eventually(lambda: events.live[-5:] == events.written[-5:])
        assert [cause for cause, _ in watch.gaps] == [GapCause.TRIMMED]
        assert watch.bootstraps == 0
