"""The intake as it is put together: what the role needs is said before it begins, and its queue is one like the others'."""

import pytest

from orderstore.registry import CONSUMERS
from tests.workers.test_wiring import out_of_reach
from workers.consuming import connections_for
from workers.core import open_core
from workers.intake.opening import INTAKE, LINES_AT_ONCE, bus_of, files_desk, intake_handler
from workers.metrics.table import Metrics
from workers.settings import ROLES, SettingsError


async def test_the_role_says_what_it_lacks_before_it_begins() -> None:
    """Which variable, and where its value is found; the other roles need no bucket."""
    async with open_core(out_of_reach(), Metrics()) as core:
        with pytest.raises(SettingsError, match=r"ORDERSTORE_INTAKE_BUCKET: missing.*IntakeBucketName"):
            await intake_handler(core)
        with pytest.raises(SettingsError, match="ORDERSTORE_INTAKE_BUCKET"):
            files_desk(core)


def test_the_queue_of_the_intake_is_not_the_topic_s() -> None:
    """It hears the bus: no filter of the registry speaks of it, and yet it has a role and a concurrency."""  # B01, B04
    settings = out_of_reach()

    assert INTAKE not in CONSUMERS
    assert INTAKE in ROLES
    assert settings.concurrency(INTAKE) == 20
    assert (settings.queue(INTAKE), bus_of(settings)) == ("shop-intake", "shop-intake")


def test_there_is_a_connection_for_every_line_under_way() -> None:
    """A smaller pool makes acknowledgements wait behind orders."""  # B08
    settings = out_of_reach()

    beside = connections_for(settings, [])
    assert connections_for(settings, [INTAKE]) - beside >= settings.intake_concurrency * LINES_AT_ONCE
