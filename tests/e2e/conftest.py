"""One running service that the tests share which disturb nobody: starting one takes seconds."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.programs import Program, running, state_directory


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """`orderstore up` over an environment of its own, with its API answering. Tests use orders of their own."""
    folder = tmp_path_factory.mktemp("served")
    with state_directory(folder) as state_dir, running("up", "--port", "0", state_dir=state_dir, folder=folder) as up:
        assert up.api.call("GET", "/readyz").status == 200
        yield up


@pytest.fixture
def state_dir(tmp_path: Path) -> Iterator[Path]:
    """A state directory for one test; its emulator is stopped with the test."""
    with state_directory(tmp_path) as path:
        yield path
