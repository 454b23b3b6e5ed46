"""Taking turns at the same things, in the order of arrival, within one process.

DynamoDB refuses a transaction while another is at work on any of its items. Forty handlers that all want one article, and each try again
at random, refuse one another until some have used up their tries. In line they do not: then only other processes are in the way.
"""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio


@dataclass(eq=False, slots=True)
class _Line:
    """Those who wait for one thing, and who is at it."""

    lock: anyio.Lock = field(default_factory=anyio.Lock)
    users: int = 0


class Turns:
    """A line for each thing that somebody is at; there are never more than those who wait ask for."""

    def __init__(self) -> None:
        self._lines: dict[str, _Line] = {}

    @asynccontextmanager
    async def at(self, things: Iterable[str]) -> AsyncIterator[None]:
        """Wait for one's turn at all of these. Always in the same order, so that no two can wait for one another."""
        held: list[_Line] = []
        wanted = sorted(set(things))
        lines = [self._lines.setdefault(thing, _Line()) for thing in wanted]
        for line in lines:
            line.users += 1
        try:
            for line in lines:
                await line.lock.acquire()
                held.append(line)
            yield
        finally:
            for line in held:
                line.lock.release()
            for thing, line in zip(wanted, lines, strict=True):
                line.users -= 1
                if line.users == 0:
                    del self._lines[thing]

    def __len__(self) -> int:
        """How many things somebody is at, or waits for."""
        return len(self._lines)
