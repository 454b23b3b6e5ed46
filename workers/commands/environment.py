"""Where a command works: the environment's variables, or the embedded environment of a state directory.

The embedded environment is another program (`deploy.local`), started as a child and spoken to over its output: no service
code knows it.
"""

import fcntl
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import typer

from workers.commands.passing_on import LOCK_FILE, changes, in_force, written_down
from workers.settings import PREFIX, Settings, business_variables, from_environment, is_configured

START_TIMEOUT_S: Final = 120
VISIBILITY_TIMEOUT_S: Final = 30
# On a laptop a killed process should not leave its messages hidden for two minutes, and Ctrl-C should not wait for a long
# poll; the defaults of production are the article's (E076 to E081).
LOCAL_NUMBERS: Final[Mapping[str, str]] = {
    "ORDERSTORE_VISIBILITY_TIMEOUT_S": str(VISIBILITY_TIMEOUT_S),
    "ORDERSTORE_HANDLER_DEADLINE_S": "5",
    "ORDERSTORE_QUEUE_WAIT_S": "2",
    "ORDERSTORE_RETRY_BASE_S": "1",
    "ORDERSTORE_RETRY_MAX_S": "30",
    "ORDERSTORE_DRAIN_BUDGET_S": "20",
    "ORDERSTORE_STOP_TIMEOUT_S": "30",
    "ORDERSTORE_LEASE_DURATION_S": "3",
    "ORDERSTORE_UNTRACKED_SKU": "accept",
    "ORDERSTORE_PAYMENT_CONCURRENCY": "16",
    "ORDERSTORE_INVENTORY_CONCURRENCY": "16",
    "ORDERSTORE_SHIPPING_CONCURRENCY": "16",
    "ORDERSTORE_NOTIFICATION_CONCURRENCY": "16",
    "ORDERSTORE_ARCHIVE_CONCURRENCY": "256",
    "ORDERSTORE_ARCHIVE_LINGER_S": "0.5",
}


class EnvironmentFailed(Exception):
    """The embedded environment did not start, or is not running. The message says what to do."""


@dataclass(frozen=True, slots=True)
class Local:
    """A running embedded environment."""

    state_dir: Path
    settings: dict[str, str]
    api_token: str
    adopted: bool


def start_local(state_dir: Path) -> Local:
    """Start the embedded environment of `state_dir`, or take over the one that runs there. Raises EnvironmentFailed."""
    answer = _call(state_dir, "start")
    return Local(
        state_dir, {**LOCAL_NUMBERS, **answer["settings"]}, answer["api_token"], bool(answer.get("adopted", False))
    )


def stop_local(state_dir: Path) -> None:
    """Stop it in good order, so that its state is there again next time. Raises EnvironmentFailed."""
    _call(state_dir, "stop")


def find_settings(state_dir: Path, **overrides: str) -> Settings:
    """The settings for a command: the variables if they describe a deployment, else the embedded environment that runs in `state_dir`, with
    what the service there was told of the business.

    Raises SettingsError, EnvironmentFailed.
    """
    if is_configured():
        return from_environment(overrides=overrides)
    if not (state_dir / "environment.json").exists() or _call(state_dir, "status").get("state") != "running":
        raise EnvironmentFailed(
            f"no {PREFIX}… variables are set and no embedded environment runs in {state_dir}: "
            "start one with `orderstore up`, name its directory with --state-dir, or set the variables (`orderstore settings`)"
        )
    local = variables_in((state_dir / "environment.json").read_bytes(), state_dir)
    business, notes = in_force(state_dir)
    for note in notes:
        typer.echo(note, err=True)
    return from_environment({**LOCAL_NUMBERS, **local, **business}, overrides=overrides)


def variables_in(content: bytes, state_dir: Path) -> Mapping[str, str]:
    """What the embedded environment wrote down of itself. Raises EnvironmentFailed."""
    try:
        found = json.loads(content)["settings"]
    except (ValueError, KeyError, TypeError, RecursionError):
        found = None
    match found:
        case dict() if all(isinstance(name, str) and isinstance(value, str) for name, value in found.items()):
            return found
        case _:
            raise EnvironmentFailed(
                f"{state_dir}/environment.json cannot be read: stop the environment and start it again (`orderstore down`, `up`)"
            )


@contextmanager
def only_service(state_dir: Path) -> Iterator[None]:
    """Hold the state directory for one serving process. Raises EnvironmentFailed when another one serves there.

    The lock is the operating system's: it ends with the process, however that ends.
    """
    if state_dir.resolve() == Path.cwd():
        raise EnvironmentFailed("the state needs a directory of its own: choose another --state-dir")
    try:
        state_dir.mkdir(parents=True, exist_ok=True)
        lock = (state_dir / LOCK_FILE).open("a")
    except OSError as error:
        raise EnvironmentFailed(
            f"{state_dir} cannot be written ({error.strerror}): choose another --state-dir"
        ) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            differing = changes(written_down(state_dir), business_variables(), when="when it was started")
            raise EnvironmentFailed(
                "\n".join(
                    [
                        f"another process serves {state_dir} already: use that one, stop it, or choose another --state-dir",
                        *differing,
                    ]
                )
            ) from error
        yield


def _call(state_dir: Path, verb: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "deploy.local", verb, "--state-dir", str(state_dir), "--json"]
    if verb == "start":
        command += ["--visibility-timeout-s", str(VISIBILITY_TIMEOUT_S)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=START_TIMEOUT_S, check=False)  # noqa: S603 - our own program
    except subprocess.TimeoutExpired as error:
        raise EnvironmentFailed(f"the embedded environment did not {verb} within {START_TIMEOUT_S} s") from error
    if done.returncode != 0:
        raise EnvironmentFailed(
            done.stderr.strip() or f"`{verb}` of the embedded environment ended with {done.returncode}"
        )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer
