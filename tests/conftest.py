"""Resources that several test folders share. Plain ones only: what runs tasks is built inside the test that needs it."""

import functools
import gc
import logging
import os
from collections import defaultdict
from collections.abc import Generator, Iterator
from pathlib import Path

import botocore.session
import pytest
import structlog
import typer.main
import typer.testing
from hypothesis import HealthCheck, settings

from deploy.local.environment import Environment
from tests.contract.dynamodb_local.server import left_out
from tests.emulator import fresh_settings, start_emulator, stop_emulator
from tests.workers.intake.csv_files import WHOLE_FILE
from tests.workers.intake.whole_year import staged_once
from workers.intake.online_retail.feed import StagedFile

UNIT_EXAMPLES = 10
"""`make test-unit` draws so many of what `make test` draws 100 of, so that it takes seconds; a test with more asks for a multiple."""

WAITS = {"e2e": 30, "emulator": 3, "real_data": 5, "moto": 0.3, "thorough": 1}
"""How long a test with such a marker takes, in seconds, very roughly: only the order of the files hangs on it."""

GARBAGE_LOOKED_FOR_EVERY = 10_000
"""Objects more than went, until the garbage collector looks at the youngest (700 by default): most tests are over before."""

LEFT_OUT = pytest.StashKey[str | None]()


# No test depends on how fast the machine is, or on what else runs on it.
ANY_MACHINE = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("whole", **ANY_MACHINE)
settings.register_profile("unit", max_examples=UNIT_EXAMPLES, **ANY_MACHINE)
settings.load_profile("whole")


def pytest_addoption(parser: pytest.Parser) -> None:
    """`make conformance` runs AWS's own DynamoDB Local; a plain run leaves it out, and says so."""
    parser.addoption(
        "--dynamodb-local",
        choices=("skip", "run", "required"),
        default="skip",
        help="DynamoDB Local: leave it out; run it where Java and Maven are; or fail where they are not",
    )


def pytest_configure(config: pytest.Config) -> None:
    """The option's marker stands beside it. Each session of the AWS client reads megabytes of JSON about the services, which takes longer
    than most tests: here all share one reading."""
    botocore.session.create_loader = functools.cache(botocore.session.create_loader)
    # So do a hundred commands, whose parameters are read off their functions again at each call.
    typer.main.get_command = typer.testing._get_command = functools.cache(typer.main.get_command)
    config.addinivalue_line("markers", "dynamodb_local: runs against AWS's own DynamoDB Local, see --dynamodb-local")
    config.stash[LEFT_OUT] = left_out(config.getoption("--dynamodb-local"))


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Modules and thousands of tests stay to the end: the garbage collector need not walk through them again and again."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.set_threshold(GARBAGE_LOOKED_FOR_EVERY, *gc.get_threshold()[1:])
        gc.enable()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files come first: what is short fills up the end, when other workers have a long one to finish; and while
    some wait the others compute. (Within a file nothing moves.)"""
    waits: defaultdict[Path, float] = defaultdict(float)
    for item in items:
        waits[item.path] += max((weight for name, weight in WAITS.items() if item.get_closest_marker(name)), default=0)
    items.sort(key=lambda item: -waits[item.path])


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skipped from one place, so that the summary says why in one line."""
    reason = item.config.stash[LEFT_OUT]
    if reason is not None and item.get_closest_marker("dynamodb_local"):
        pytest.skip(reason)


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    """One emulator for the whole run. Its `api_token` opens the API of every environment in it."""
    state_dir = tmp_path_factory.mktemp("emulator")
    yield start_emulator(state_dir)
    stop_emulator(state_dir)


@pytest.fixture
def environment(emulator: Environment) -> dict[str, str]:
    """Settings (environment variables) of a data plane that nobody else uses: tables, topic, queues, bucket and key."""
    return fresh_settings(emulator)


@pytest.fixture(scope="session")
def staged_year(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StagedFile]:
    """The real year, staged once for all processes of a run; to be looked at. Who tests the staging stages for himself."""
    folder = tmp_path_factory.getbasetemp()
    with staged_once(WHOLE_FILE, folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder) as staged:
        yield staged


@pytest.fixture(autouse=True)
def logs_of_its_own() -> Iterator[None]:
    """A command that runs in this process sends the logs to its own output, which is closed when it ends: the next test gets them anew."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    if structlog.is_configured():
        structlog.reset_defaults()
        root.handlers[:] = handlers
        root.setLevel(level)
