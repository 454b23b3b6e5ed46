"""A bridge: the emulator's state on disk, whole and often.

MiniStack writes its state only when it ends in good order, one file per service. If it is killed instead, all since the
last good stop is gone, and if it is killed while it writes, files of two moments lie side by side: a table that says
"published" beside a queue that never got the message. So here a snapshot is written every fifteen seconds by a forked
child, which sees all services at one instant while the parent goes on serving (as Redis does it), into a folder of its
own; a symbolic link is then turned to that folder, which is atomic. The last state, at the end, goes the same way.
"""

import importlib
import logging
import os
import shutil
import signal
import time
from pathlib import Path
from typing import Any

INTERVAL_S = 15.0
FIRST_AFTER_S = 3.0
"""The first snapshot comes early: it holds the resources that were just provisioned."""
SHARE_OF_TIME_MAX = 0.1
"""A large state makes snapshots rarer, so that they never take more than this share of the time."""
CHILD_S_MAX = 120.0

logger = logging.getLogger("orderstore.emulator.snapshots")


class Snapshots:
    """Writes the emulator's state. `current` is a symbolic link to the newest whole state."""

    def __init__(self, current: Path, *, close_in_child: tuple[int, ...]) -> None:
        """`close_in_child`: the lock and the port; a writer that outlives a killed emulator must hold neither."""
        self.dirty = False
        """Set by whoever serves a request: without one there is nothing new to write."""
        self._current = current
        self._close_in_child = close_in_child
        self._app: Any = None
        self._persistence: Any = None
        self._child: int | None = None
        self._target = current
        self._started = 0.0
        self._due = 0.0

    def recover(self) -> None:
        """Remove what killed writers left behind. Called before the emulator is imported: it reads `current` as it starts."""
        self._current.parent.mkdir(parents=True, exist_ok=True)
        if not self._current.is_symlink():
            self._publish(self._new_folder())  # some of its modules would make a plain folder here as they are imported
        kept = self._current.resolve()
        for folder in self._current.parent.glob(f"{self._current.name}.*"):
            if folder.resolve() != kept:
                folder.unlink() if folder.is_symlink() else shutil.rmtree(folder)

    def tick(self) -> None:
        """Called every second: end a finished snapshot, begin the next when it is due."""
        now = time.monotonic()
        if self._child is not None:
            self._reap(self._child, now)
        elif self.dirty and now >= self._due:
            self.dirty = False
            self._begin(now)

    def attach(self) -> None:
        """Take the saving over from the emulator. Called when it has read its state and is about to serve."""
        self._app = importlib.import_module("ministack.app")
        self._persistence = importlib.import_module("ministack.core.persistence")
        self._app.PERSIST_STATE = False  # else it would write its files one by one when it ends
        self._due = time.monotonic() + FIRST_AFTER_S

    def finish(self) -> None:
        """Write the last state, in this process: nothing is served any more. Raises OSError when it could not be written."""
        self._give_up()
        folder = self._new_folder()
        self._write(folder)
        self._publish(folder)

    def _begin(self, now: float) -> None:
        self._started = now
        self._target = self._new_folder()
        self._child = os.fork()
        if self._child == 0:
            status = 1
            try:
                for descriptor in self._close_in_child:
                    os.close(descriptor)
                self._write(self._target)
                status = 0
            except BaseException:
                logger.exception("the snapshot failed")
            finally:
                os._exit(status)

    def _reap(self, child: int, now: float) -> None:
        took_s = now - self._started
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid == 0:
            if took_s > CHILD_S_MAX:
                logger.error("the snapshot took longer than %s s and was given up", CHILD_S_MAX)
                self._give_up()
            return
        self._child = None
        self._due = now + max(INTERVAL_S, took_s / SHARE_OF_TIME_MAX)
        if status == 0:
            self._publish(self._target)
        else:
            logger.error("the snapshot failed with status %s; the one before it stays", status)
            shutil.rmtree(self._target, ignore_errors=True)

    def _give_up(self) -> None:
        if self._child is not None:
            os.kill(self._child, signal.SIGKILL)
            os.waitpid(self._child, 0)
            self._child = None
            shutil.rmtree(self._target, ignore_errors=True)

    def _new_folder(self) -> Path:
        folder = self._current.with_name(f"{self._current.name}.{time.time_ns()}")
        folder.mkdir()
        return folder

    def _write(self, folder: Path) -> None:
        """Write every service's state. The emulator's own writer only logs its failures; here a missing file is one."""
        self._persistence.STATE_DIR = str(folder)
        for service, get_state in self._app._build_persistence_save_dict().items():  # noqa: SLF001 - what its own stop writes
            state = get_state()
            if state is not None:
                self._persistence.save_state(service, state)
                with (folder / f"{service}.json").open("rb") as written:
                    os.fsync(written.fileno())

    def _publish(self, folder: Path) -> None:
        """Turn the link to `folder`, at once or not at all, and remove what it showed before."""
        before = self._current.resolve() if self._current.is_symlink() else None
        link = self._current.with_name(f"{self._current.name}.link")
        link.unlink(missing_ok=True)
        link.symlink_to(folder.name)
        link.replace(self._current)
        if before is not None:
            shutil.rmtree(before, ignore_errors=True)
