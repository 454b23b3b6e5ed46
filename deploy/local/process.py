"""The emulator as a process: start it detached, find one that is already there, end it in good order.

Whether an emulator lives is told by its lock, not by its process id: the kernel frees the lock when it dies, zombie or
not, and a process id may belong to somebody else by then. A starter that is killed leaves its emulator running, in a
session of its own; the next starter finds the lock taken, asks the holder who it is, and takes it over.
"""

import http.client
import json
import os
import secrets
import signal
import socket
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from deploy.local.errors import EmulatorFailed, NotSetUp, StateDirUnusable
from deploy.local.state_dir import POLL_S, StateDir, open_lock, try_lock

HOST = "127.0.0.1"
SERVER = Path(__file__).parent / "emulator" / "server.py"
INHERITED = ("HOME", "LANG", "LC_ALL", "PATH", "TMPDIR", "TZ")
"""All that the emulator gets of our environment: a stray AWS_ or LOCALSTACK_ variable would change what it does."""
LOG_BYTES_MAX = 5_000_000
"""A longer log is put aside at the next launch, in place of the one before it."""
LOOKED_AT_S_MAX = 2.0
"""Who asks for the status holds the lock for a moment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Emulator:
    """A living emulator. `instance` is random and new for each process: it tells ours from whoever else listens on the port."""

    pid: int
    port: int
    instance: str

    @property
    def endpoint_url(self) -> str:
        """Where all its services are."""
        return f"http://{HOST}:{self.port}"


def default_interpreter() -> Path:
    """The interpreter of the emulator's virtual environment, which `make setup` puts beside ours."""
    return Path(sys.prefix) / "emulator" / "bin" / "python"


def find(state: StateDir) -> Emulator | None:
    """The emulator that holds this folder, or None. Raises StateDirUnusable when its lock is held but names nobody."""
    if not state.emulator_lock.exists():
        return None
    with open_lock(state.emulator_lock) as descriptor:
        if try_lock(descriptor):
            return None
        content = os.pread(descriptor, 4096, 0)
    try:
        return Emulator(**json.loads(content))
    except (ValueError, TypeError) as error:
        raise StateDirUnusable(f"{state.emulator_lock} is held by a process that it does not name") from error


def find_when_known(state: StateDir, wait_s: float) -> Emulator | None:
    """Like `find`, but gives an emulator that is only just starting (its starter was killed) the time to write its name."""
    deadline = time.monotonic() + wait_s
    while True:
        try:
            return find(state)
        except StateDirUnusable:
            if time.monotonic() >= deadline:
                raise
        time.sleep(POLL_S)


def answers(emulator: Emulator, *, timeout_s: float = 2.0) -> bool:
    """Whether the process that listens on the emulator's port is this emulator."""
    connection = http.client.HTTPConnection(HOST, emulator.port, timeout=timeout_s)
    try:
        connection.request("GET", "/_orderstore/identity")
        response = connection.getresponse()
        return (
            response.status == http.HTTPStatus.OK and json.loads(response.read()).get("instance") == emulator.instance
        )
    except (OSError, ValueError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def launch(
    state: StateDir, *, interpreter: Path, preferred_port: int | None, wait_s: float, end_with: int | None = None
) -> Emulator:
    """Start an emulator on this folder and wait until it answers.

    The port is the preferred one if it is free, else any free one. With `end_with`, the emulator ends when that process is gone.
    Raises NotSetUp, EmulatorFailed.
    """
    if not interpreter.exists():
        raise NotSetUp(f"the emulator is not installed ({interpreter} is missing): run `make setup`")
    if state.log.exists() and state.log.stat().st_size > LOG_BYTES_MAX:
        state.log.replace(state.log.with_suffix(".log.1"))
    instance = secrets.token_hex(16)
    with open_lock(state.emulator_lock) as lock, listen(preferred_port) as listener:
        if not wait_for_lock(lock, LOOKED_AT_S_MAX):
            raise EmulatorFailed(f"the emulator of {state.path} still runs")
        os.ftruncate(lock, 0)
        pid = spawn_detached(
            [
                *(str(interpreter), "-B", str(SERVER)),
                *("--state-dir", str(state.path), "--instance", instance),
                *("--listen-fd", str(listener.fileno()), "--lock-fd", str(lock)),
                *(() if end_with is None else ("--end-with", str(end_with))),
            ],
            inherited=(listener.fileno(), lock),
            log=state.log,
        )
        emulator = Emulator(pid=pid, port=listener.getsockname()[1], instance=instance)
    deadline = time.monotonic() + wait_s
    while not answers(emulator):
        if os.waitpid(pid, os.WNOHANG)[0]:
            raise EmulatorFailed(f"the emulator ended as soon as it was started; its last words:\n{tail(state.log)}")
        if time.monotonic() >= deadline:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            raise EmulatorFailed(f"the emulator did not answer within {wait_s:g} s; see {state.log}")
        time.sleep(POLL_S)
    return emulator


def spawn_detached(command: list[str], *, inherited: tuple[int, ...], log: Path) -> int:
    """Start a process that outlives this one: in its own session, so that neither Ctrl-C nor our death reaches it. Its id."""
    for descriptor in inherited:
        os.set_inheritable(descriptor, True)  # noqa: FBT003 - the signature is the standard library's
    return os.posix_spawn(
        command[0],
        command,
        {name: os.environ[name] for name in INHERITED if name in os.environ},
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
    )


def listen(preferred_port: int | None) -> socket.socket:
    """A listening socket on loopback. Raises EmulatorFailed when there is none to be had."""
    failure: OSError | None = None
    for port in dict.fromkeys((preferred_port or 0, 0)):
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((HOST, port))
            listener.listen(1024)
        except (OSError, OverflowError) as error:
            listener.close()
            failure = error if isinstance(error, OSError) else failure
        else:
            return listener
    raise EmulatorFailed(f"no port of {HOST} can be listened on: {failure}")


def end(state: StateDir, emulator: Emulator, *, wait_s: float) -> None:
    """End the emulator and wait until its state is saved. Raises EmulatorFailed when it had to be killed or saved nothing."""
    saved_before = saved_state(state)
    send_signal(emulator, signal.SIGTERM)
    if not wait_until_gone(state, wait_s):
        kill(state, emulator, wait_s=wait_s)
        raise EmulatorFailed(f"the emulator did not end within {wait_s:g} s and was killed; see {state.log}")
    reap(emulator.pid)
    if saved_state(state) == saved_before:
        raise EmulatorFailed(f"the emulator ended without saving its state; see {state.log}")


def kill(state: StateDir, emulator: Emulator, *, wait_s: float) -> None:
    """End the emulator at once; its state is not wanted any more. Raises EmulatorFailed."""
    send_signal(emulator, signal.SIGKILL)
    if not wait_until_gone(state, wait_s):
        raise EmulatorFailed(f"the emulator (process {emulator.pid}) cannot be ended")
    reap(emulator.pid)


def saved_state(state: StateDir) -> Path | None:
    """The folder with the newest whole state: a new one for each."""
    return state.saved_state.readlink() if state.saved_state.is_symlink() else None


def reap(pid: int) -> None:
    """Collect the emulator if it was our child, so that it does not stay behind as a zombie."""
    try:
        os.waitpid(pid, 0)
    except ChildProcessError:
        return  # another process started it


def wait_until_gone(state: StateDir, wait_s: float) -> bool:
    """Whether the emulator's lock became free in time."""
    with open_lock(state.emulator_lock) as descriptor:
        return wait_for_lock(descriptor, wait_s)


def wait_for_lock(descriptor: int, wait_s: float) -> bool:
    """Whether the lock could be taken in time."""
    deadline = time.monotonic() + wait_s
    while not try_lock(descriptor):
        if time.monotonic() >= deadline:
            return False
        time.sleep(POLL_S)
    return True


def send_signal(emulator: Emulator, number: signal.Signals) -> None:
    """Signal the process that held the lock a moment ago."""
    try:
        os.kill(emulator.pid, number)
    except ProcessLookupError:
        return  # it ended by itself in that moment


def tail(path: Path, lines: int = 15) -> str:
    """The last lines of a log."""
    return "\n".join(path.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
