"""Waiting for something to become true: bounded, and never longer than the process that it depends on lives."""

import subprocess
import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PAUSE_S = 0.1


def eventually(
    look: Callable[[], T], *, what: str, within_s: float = 30, process: subprocess.Popen[bytes] | None = None
) -> T:
    """Look again and again until `look` answers something true, and return that. AssertionError after `within_s` seconds.

    Between two looks it waits for the end of `process`: whoever is gone will not do it any more, so that fails at once.
    """
    deadline = time.monotonic() + within_s
    while True:
        found = look()
        if found:
            return found
        left_s = deadline - time.monotonic()
        assert left_s > 0, f"{what}: not within {within_s:g} s; the last look found {found!r}"
        if not ends(process, within_s=min(PAUSE_S, left_s)) or process is None:
            continue
        found = look()  # what it did last
        assert found, f"{what}: the process ended with {process.returncode} before"
        return found


def ends(process: subprocess.Popen[bytes] | None, *, within_s: float) -> bool:
    """Whether the process ends within so many seconds."""
    if process is None:
        threading.Event().wait(within_s)
        return False
    try:
        process.wait(within_s)
    except subprocess.TimeoutExpired:
        return False
    return True
