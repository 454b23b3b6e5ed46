"""Start, look at, stop and remove the embedded environment. Each may be called at any time, twice at once, and after any crash."""

import errno
import hashlib
import json
import shutil
import time
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from deploy.local import process
from deploy.local.errors import StateDirUnusable
from deploy.local.provision import Clients, DataPlane, provision
from deploy.local.state_dir import SERVICE_FILES, StateDir, write_whole

RESOURCE_PREFIX = "orderstore-local"
LOCK_WAIT_S = 90.0
START_WAIT_S = 30.0
STOP_WAIT_S = 30.0
TAKEOVER_WAIT_S = 5.0
LAST_WRITER_WAIT_S = 10.0
REMOVE_AGAIN_S = 0.05
TOKEN_SCOPES = ("orders:read", "orders:write", "admin")


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """A running environment. `settings` are environment variables for the service; `adopted` tells that it ran already."""

    pid: int
    port: int
    endpoint_url: str
    started_at: str
    adopted: bool
    api_token: str = field(repr=False)
    settings: dict[str, str] = field(repr=False)

    def as_json(self) -> str:
        """What `environment.json` holds and `start` prints."""
        return json.dumps(asdict(self), indent=2)


def start(
    path: Path,
    *,
    resource_prefix: str = RESOURCE_PREFIX,
    visibility_timeout_s: int = 120,
    interpreter: Path | None = None,
    end_with: int | None = None,
) -> Environment:
    """Start the environment in the folder `path`, or take over the one that runs there, and provision it.

    `end_with`: a process whose end also ends an emulator that is started now (for tests, which may be killed).
    Raises LocalEnvironmentError (see `errors`).
    """
    state = StateDir.open_or_create(path)
    with state.exclusive(LOCK_WAIT_S):
        before = last_environment(state)
        emulator = process.find_when_known(state, TAKEOVER_WAIT_S)
        adopted = emulator is not None and wait_for_answer(emulator)
        if emulator is not None and not adopted:
            process.kill(state, emulator, wait_s=STOP_WAIT_S)  # it holds the folder and is deaf
        if emulator is None or not adopted:
            emulator = process.launch(
                state,
                interpreter=interpreter or process.default_interpreter(),
                preferred_port=before.get("port") if isinstance(before.get("port"), int) else None,
                wait_s=START_WAIT_S,
                end_with=end_with,
            )
        plane = DataPlane(
            endpoint_url=emulator.endpoint_url,
            resource_prefix=resource_prefix,
            visibility_timeout_s=visibility_timeout_s,
        )
        with Clients(plane) as clients:
            settings = provision(plane, clients)
        token = state.api_token()
        settings["ORDERSTORE_API_TOKENS"] = token_setting(token)
        environment = Environment(
            pid=emulator.pid,
            port=emulator.port,
            endpoint_url=emulator.endpoint_url,
            started_at=before["started_at"] if adopted and "started_at" in before else now(),
            adopted=adopted,
            api_token=token,
            settings=settings,
        )
        write_whole(state.environment, environment.as_json() + "\n")
        return environment


def status(path: Path) -> dict[str, Any]:
    """What runs in the folder `path`: `state` is absent, stopped, running or deaf. Raises StateDirUnusable."""
    state = StateDir(path.resolve())
    if not state.path.is_dir():
        return {"state": "absent", "state_dir": str(state.path)}
    emulator = process.find_when_known(state, TAKEOVER_WAIT_S)
    if emulator is None:
        return {"state": "stopped", "state_dir": str(state.path)}
    return {
        "state": "running" if process.answers(emulator) else "deaf",
        "state_dir": str(state.path),
        "pid": emulator.pid,
        "port": emulator.port,
        "endpoint_url": emulator.endpoint_url,
        "started_at": (state.read_environment() or {}).get("started_at"),
    }


def stop(path: Path) -> bool:
    """Stop the environment so that it keeps its state; whether one ran. Raises LocalEnvironmentError."""
    state = StateDir(path.resolve())
    if not state.path.is_dir():
        return False
    with state.exclusive(LOCK_WAIT_S):
        emulator = process.find_when_known(state, TAKEOVER_WAIT_S)
        if emulator is None:
            return False
        process.end(state, emulator, wait_s=STOP_WAIT_S)
        return True


def clean(path: Path) -> bool:
    """Stop the environment and remove its folder with all that it holds; whether there was one. Raises LocalEnvironmentError."""
    state = StateDir(path.resolve())
    if not state.path.is_dir():
        return False
    if any(entry.name not in SERVICE_FILES for entry in state.path.iterdir()) and not state.start_lock.exists():
        raise StateDirUnusable(f"{state.path} was not made by this program and is left alone")
    with state.unserved(), state.exclusive(LOCK_WAIT_S):
        emulator = process.find_when_known(state, TAKEOVER_WAIT_S)
        if emulator is not None:
            process.kill(state, emulator, wait_s=STOP_WAIT_S)
        remove(state.path)
    return True


def remove(path: Path) -> None:
    """Remove a folder in which the writer of a snapshot, who outlives a killed emulator, may still make files for a moment.

    Raises OSError when it is still not empty after LAST_WRITER_WAIT_S.
    """
    deadline = time.monotonic() + LAST_WRITER_WAIT_S
    while True:
        try:
            shutil.rmtree(path)
        except OSError as error:
            if error.errno != errno.ENOTEMPTY or time.monotonic() >= deadline:
                raise
        else:
            return
        time.sleep(REMOVE_AGAIN_S)


def wait_for_answer(emulator: process.Emulator) -> bool:
    """Whether an emulator that was found answers; it may be busy for a few seconds."""
    return any(process.answers(emulator, timeout_s=TAKEOVER_WAIT_S) for _ in range(2))


def last_environment(state: StateDir) -> dict[str, Any]:
    """What the last start wrote; nothing when that is missing or damaged, for this start writes it anew."""
    try:
        return state.read_environment() or {}
    except StateDirUnusable:
        return {}


def token_setting(token: str) -> str:
    """The setting ORDERSTORE_API_TOKENS for one token. Only its hash is kept by the service."""
    digest = hashlib.sha256(token.encode()).hexdigest()
    return json.dumps([{"name": "admin", "sha256": digest, "scopes": list(TOKEN_SCOPES)}])


def now() -> str:
    """The wall clock, for people."""
    return datetime.now(UTC).isoformat(timespec="seconds")
