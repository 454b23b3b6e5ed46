"""The signals that end a process in good order: heard while it works, and of no effect once it has given everything back."""

import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Final

import anyio

STOPPING: Final = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def signals_heard() -> Iterator[AsyncIterator[signal.Signals]]:
    """SIGINT and SIGTERM, as they come. Afterwards they are ignored until the process ends: nothing is left that a signal could hurry, and
    an exit code that says "killed" would be wrong."""
    try:
        with anyio.open_signal_receiver(*STOPPING) as signals:
            yield signals
            # Between the end of the receiver and the next line but one they would have their usual effect.
            signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
    finally:
        for number in STOPPING:
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
