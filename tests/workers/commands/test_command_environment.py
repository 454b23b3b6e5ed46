"""Where a command works: the variables if there are any, else the embedded environment, and a word of advice if neither."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from orderstore.registry import CONSUMERS
from tests.workers.test_process_settings import REQUIRED
from workers import settings as settings_module
from workers.commands import environment
from workers.commands.environment import (
    LOCAL_NUMBERS,
    EnvironmentFailed,
    find_settings,
    only_service,
    start_local,
    stop_local,
)
from workers.queues import consume_settings
from workers.settings import from_environment


class Program:
    """The embedded environment as a program: remembers how it was called, answers as told."""

    def __init__(self, answer: object = None, *, code: int = 0, stderr: str = "", hangs: bool = False) -> None:
        self.commands: list[list[str]] = []
        self._answer, self._code, self._stderr, self._hangs = answer, code, stderr, hangs

    def __call__(self, command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        self.commands.append(command)
        if self._hangs:
            raise subprocess.TimeoutExpired(command, options["timeout"])
        return subprocess.CompletedProcess(command, self._code, json.dumps(self._answer), self._stderr)


@pytest.fixture
def variables(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The process's environment, without any of ours."""
    found = {"PATH": "/bin"}
    monkeypatch.setattr(settings_module.os, "environ", found)
    return found


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Put a program in the place of `deploy.local`."""

    def put(**answer: Any) -> Program:
        made = Program(**answer)
        monkeypatch.setattr(environment.subprocess, "run", made)
        return made

    return put


def test_variables_win_and_nothing_else_is_asked(variables: dict[str, str], program: Any, tmp_path: Path) -> None:
    """An environment in the folder is of no interest then, not even as a source of defaults."""
    variables |= REQUIRED
    asked = program(code=1)

    settings = find_settings(tmp_path, ORDERSTORE_RESOURCE_PREFIX="other")

    assert (settings.resource_prefix, settings.visibility_timeout_s) == ("other", 120)
    assert asked.commands == []


def test_the_environment_that_runs_in_the_folder_is_found(
    variables: dict[str, str], program: Any, tmp_path: Path
) -> None:
    """Its own settings, over the numbers that suit one machine."""
    program(answer={"state": "running"})
    own = {**REQUIRED, "ORDERSTORE_QUEUE_WAIT_S": "1"}
    (tmp_path / "environment.json").write_text(json.dumps({"settings": own}))

    settings = find_settings(tmp_path)

    assert (settings.resource_prefix, settings.queue_wait_s, settings.visibility_timeout_s) == ("shop", 1, 30)


def test_where_nothing_was_ever_started_the_command_says_what_to_do(
    variables: dict[str, str], program: Any, tmp_path: Path
) -> None:
    """Without asking: an empty folder is no environment."""
    asked = program(answer={"state": "running"})

    with pytest.raises(EnvironmentFailed, match="start one with `orderstore up`"):
        find_settings(tmp_path)
    assert asked.commands == []


@pytest.mark.parametrize("state", ["stopped", "deaf", "absent"])
def test_an_environment_that_does_not_run_is_not_written_to(
    variables: dict[str, str], program: Any, tmp_path: Path, state: str
) -> None:
    """Its file is still there and names a port that may be anybody's by now."""
    program(answer={"state": state})
    (tmp_path / "environment.json").write_text(json.dumps({"settings": REQUIRED}))

    with pytest.raises(EnvironmentFailed, match="no embedded environment runs"):
        find_settings(tmp_path)


def test_a_start_hides_messages_as_long_as_the_settings_say(program: Any, tmp_path: Path) -> None:
    """The queues are made with the visibility timeout that the service will be told: else it would refuse them."""
    asked = program(answer={"settings": REQUIRED, "api_token": "token", "adopted": True})

    local = start_local(tmp_path)

    (command,) = asked.commands
    assert command[command.index("--visibility-timeout-s") + 1] == LOCAL_NUMBERS["ORDERSTORE_VISIBILITY_TIMEOUT_S"]
    assert command[-1] != str(tmp_path)
    assert str(tmp_path) in command
    assert (local.api_token, local.adopted) == ("token", True)
    assert local.settings == {**LOCAL_NUMBERS, **REQUIRED}


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ({"code": 1, "stderr": "deploy.local: run `make setup`\n"}, "^deploy.local: run `make setup`$"),
        ({"code": -9}, "`stop` of the embedded environment ended with -9"),
        ({"hangs": True}, "did not stop within"),
    ],
    ids=["in its own words", "without a word", "never"],
)
def test_a_program_that_fails_is_quoted(program: Any, tmp_path: Path, answer: dict[str, Any], says: str) -> None:
    """The message is all that a person gets to see."""
    program(**answer)

    with pytest.raises(EnvironmentFailed, match=says):
        stop_local(tmp_path)


@pytest.mark.parametrize("name", CONSUMERS)
def test_the_numbers_of_one_machine_suit_every_consumer(name: str) -> None:
    """They pass the settings' own checks, and the consume loop's."""
    settings = from_environment({**REQUIRED, **LOCAL_NUMBERS})

    found = consume_settings(settings, name, retention_s=345_600, dead_letter_retention_s=1_209_600)
    assert found.stop_timeout_s == 30


def test_a_folder_is_served_by_one_process_at_a_time(tmp_path: Path) -> None:
    """The second is told so; when the first has ended, the folder is free, however it ended."""
    with (
        only_service(tmp_path),
        pytest.raises(EnvironmentFailed, match="another process serves"),
        only_service(tmp_path),
    ):
        pytest.fail("two served one folder")
    with pytest.raises(RuntimeError, match="crash"), only_service(tmp_path):
        raise RuntimeError("crash")
    with only_service(tmp_path):
        assert (tmp_path / "service.lock").exists()
