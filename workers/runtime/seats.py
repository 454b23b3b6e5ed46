"""Where a task waits for its next message."""

import anyio

from workers.runtime.held import Held


class Seat:
    """A task that waits for a message, or for None, which ends it."""

    __slots__ = ("held", "taken")

    def __init__(self) -> None:
        self.taken = anyio.Event()
        self.held: Held | None = None

    def begin(self, held: Held | None) -> None:
        """Give it one."""
        self.held = held
        self.taken.set()
