"""Real processes, really killed: the roles run as production runs them, and are hit at random moments while customers order.

Afterwards everything drains, and what every party wrote down is held against the log (`chaos/reckoning.py`). The numbered faults:

1 SIGKILL between commit and delete          2 SIGKILL between commit and publication       4 one message with two workers
11 SIGTERM during a poll                     12 a second SIGTERM                            15 the owner of a claim dies, or wakes late
17 a process stands still for too long       28 a projector between write and checkpoint    30 one deployment after the other
"""

import os
from collections.abc import Sequence
from pathlib import Path

import anyio
import pytest

from deploy.local.environment import Environment
from tests.e2e.chaos.fleet import Seat, large_fleet, small_fleet
from tests.e2e.chaos.run import Result, run_chaos
from tests.e2e.chaos.shapes import Name, shape_of

pytestmark = pytest.mark.e2e

SHORT_SEED = 1_407
LONG_SEEDS = (101, 102, 103, 104)
CHURN_SEEDS = (201, 202)


def run(
    seed: int, name: Name, seats: Sequence[Seat], *, emulator: Environment, folder: Path, arguments: str = ""
) -> Result:
    """One run; what it came to is printed."""
    print(f"seed {seed}")  # noqa: T201 - which run it was
    replay = f"python -m tests.e2e.chaos --shape {name} --seed {seed}{arguments}"

    async def work() -> Result:
        return await run_chaos(seed, shape_of(name), seats, emulator=emulator, folder=folder, replay=replay)

    result = anyio.run(work)
    print(result)  # noqa: T201 - the figures of a run that passed
    return result


@pytest.mark.timeout(480)
def test_roles_hit_at_random_moments_leave_no_effect_out_and_none_double(emulator: Environment, tmp_path: Path) -> None:
    """Faults 1, 2, 4, 11, 12, 15, 17 and 28: ten blows in twelve seconds; then all agree, and all end with 0 when asked to."""
    seed = int(os.environ.get("E2E_SEED", SHORT_SEED))
    result = run(seed, "short", small_fleet(), emulator=emulator, folder=tmp_path)
    assert result.orders == shape_of("short").orders  # E096 E097 E099, design 1.1


@pytest.mark.long
@pytest.mark.timeout(1_500)
@pytest.mark.parametrize("seed", LONG_SEEDS)
def test_two_minutes_of_hail_change_nothing_but_how_long_it_takes(
    seed: int, emulator: Environment, tmp_path: Path
) -> None:
    """Faults 1, 2, 4, 11, 12, 15, 17 and 28: fifty blows. Every other seed on many small processes."""
    large = seed % 2 == 0
    seats = large_fleet() if large else small_fleet()
    result = run(seed, "long", seats, emulator=emulator, folder=tmp_path, arguments=" --large" if large else "")
    assert result.orders == shape_of("long").orders


@pytest.mark.long
@pytest.mark.timeout(1_500)
@pytest.mark.parametrize("seed", CHURN_SEEDS)
def test_one_deployment_after_the_other_dead_letters_nothing(seed: int, emulator: Environment, tmp_path: Path) -> None:
    """Fault 30: twenty restarts in forty seconds under load. Nobody is killed, so no message may be given up, and none be mailed twice."""
    result = run(seed, "churn", small_fleet(), emulator=emulator, folder=tmp_path)
    assert (result.dead_by_kills, result.mails_twice_by_blow) == (0, 0)
