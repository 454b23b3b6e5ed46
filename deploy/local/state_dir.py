"""The state folder: its files, its two locks, and writes that are whole or absent.

environment.json   what `start` promises its caller (mode 0600: it holds the API token)
api-token          the random API token, made once (mode 0600)
start.lock         held while a start, stop or clean works: one at a time
service.lock       held by the service that works on this environment, for as long as it lives; the service makes it
service-settings.json   what the service was told of the business at its last start; the service makes it
emulator.lock      held by the emulator for as long as it lives; its content says who that is
emulator.log       what the emulator says
emulator/          what the emulator keeps
"""

import contextlib
import fcntl
import json
import os
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.local.errors import Busy, StateDirUnusable

POLL_S = 0.02
SERVICE_LOCK = "service.lock"
SERVICE_FILES = frozenset(
    {SERVICE_LOCK, "orderstore.log.jsonl", "service-settings.json"}
)  # what the service keeps in it


@dataclass(frozen=True, slots=True)
class StateDir:
    """One state folder. Construct with `open_or_create`, or directly to look at one that may not be there."""

    path: Path

    @classmethod
    def open_or_create(cls, path: Path) -> "StateDir":
        """The folder at `path`, made if it is missing. Raises StateDirUnusable."""
        path = path.resolve()
        try:
            path.mkdir(parents=True, exist_ok=True)
            probe = path / f".probe-{secrets.token_hex(4)}"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise StateDirUnusable(f"the state folder {path} cannot be written: {error.strerror}") from error
        return cls(path)

    @property
    def environment(self) -> Path:
        """The result of the last start."""
        return self.path / "environment.json"

    @property
    def log(self) -> Path:
        """The emulator's log."""
        return self.path / "emulator.log"

    @property
    def start_lock(self) -> Path:
        """Held while somebody starts, stops or removes the environment."""
        return self.path / "start.lock"

    @property
    def emulator_lock(self) -> Path:
        """Held by the emulator for its whole life."""
        return self.path / "emulator.lock"

    @property
    def saved_state(self) -> Path:
        """The link to the newest whole state that the emulator wrote."""
        return self.path / "emulator" / "state"

    @contextlib.contextmanager
    def exclusive(self, wait_s: float) -> Iterator[None]:
        """Hold the folder against other starts and stops. Raises Busy after `wait_s` seconds."""
        deadline = time.monotonic() + wait_s
        with open_lock(self.start_lock) as descriptor:
            while not try_lock(descriptor):
                if time.monotonic() >= deadline:
                    holder = os.pread(descriptor, 32, 0).decode("ascii", "replace") or "unknown"
                    raise Busy(f"{self.path} is locked by another start or stop (process {holder}); try again later")
                time.sleep(POLL_S)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, str(os.getpid()).encode(), 0)
            yield

    @contextlib.contextmanager
    def unserved(self) -> Iterator[None]:
        """Keep a service from starting on this folder. Raises Busy while one runs: what it works on is not taken away."""
        with open_lock(self.path / SERVICE_LOCK) as descriptor:
            if not try_lock(descriptor):
                raise Busy(f"a service works on {self.path}; stop it first (Ctrl-C), nothing was removed")
            yield

    def api_token(self) -> str:
        """The API token of this environment: random, made at the first call, the same ever after."""
        path = self.path / "api-token"
        try:
            return path.read_text(encoding="ascii").strip()
        except FileNotFoundError:
            token = secrets.token_urlsafe(32)
            write_whole(path, token + "\n")
            return token

    def read_environment(self) -> dict[str, Any] | None:
        """What the last start wrote, or None. Raises StateDirUnusable when it is damaged."""
        try:
            content = json.loads(self.environment.read_bytes())
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise StateDirUnusable(f"{self.environment} is damaged: run start, which writes it anew") from error
        if not isinstance(content, dict):
            raise StateDirUnusable(f"{self.environment} is damaged: run start, which writes it anew")
        return content


@contextlib.contextmanager
def open_lock(path: Path) -> Iterator[int]:
    """A descriptor of the lock file, which is made if it is missing. Closing it gives the lock up, unless a child inherited it."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StateDirUnusable(f"{path} cannot be opened: {error.strerror}") from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def try_lock(descriptor: int) -> bool:
    """Take the lock unless somebody has it. The kernel gives it back when its holder ends, however that happens."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def write_whole(path: Path, text: str) -> None:
    """Write a file that only its owner may read; a reader sees all of it or what was there before."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
