"""Resources that several test folders share. Plain ones only: what runs tasks is built inside the test that needs it."""

from collections.abc import Iterator

import pytest

from deploy.local.environment import Environment
from tests.emulator import fresh_settings, start_emulator, stop_emulator


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
