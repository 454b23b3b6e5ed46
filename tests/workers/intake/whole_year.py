"""The real year, read and matched once for all tests that only look at it: that takes as long as a hundred other tests."""

import fcntl
import os
import pickle
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from workers.intake.online_retail.feed import StagedFile
from workers.intake.online_retail.staging import stage


@contextmanager
def staged_once(file: Path, folder: Path) -> Iterator[StagedFile]:
    """`stage(file)` as whoever came first left it in `folder`. Processes that come meanwhile wait for it; nobody can change it."""
    index, totals = folder / "year.sqlite", folder / "year.totals"
    with (folder / "year.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not totals.exists():
            _stage(file, index, totals)
    connection = sqlite3.connect(f"file:{index}?mode=ro&immutable=1", uri=True, check_same_thread=False)
    with closing(connection):
        yield StagedFile(connection, pickle.loads(totals.read_bytes()))


def _stage(file: Path, index: Path, totals: Path) -> None:
    """The totals come last and whole: where they are, so is all."""
    index.unlink(missing_ok=True)
    with stage(file) as staged, closing(sqlite3.connect(index)) as kept:
        staged._index.backup(kept)
        unfinished = totals.with_suffix(f".{os.getpid()}")
        unfinished.write_bytes(pickle.dumps(staged.totals))
    unfinished.rename(totals)
