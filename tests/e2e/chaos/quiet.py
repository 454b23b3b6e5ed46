"""After the blows: everything has to come to its end by itself; what was given up because of them is sent on as an operator would."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import anyio

from tests.e2e.chaos.customers import Shop
from tests.e2e.chaos.fleet import NUMBERS, Fleet
from tests.e2e.chaos.reckoning import Books, read_books, unsettled
from tests.e2e.emulated import Queued
from tests.e2e.programs import orderstore

QUIET_S_MAX: Final = 300.0
LOOK_S: Final = 0.5
ROUNDS_MAX: Final = 3
CAUSE: Final = "receives used up"


@dataclass(eq=False)
class Quiet:
    """Waits for the end. `redrives`: whether dead letters may be sent on, a few times."""

    settings: Mapping[str, str]
    shop: Shop
    fleet: Fleet
    redrives: bool = False
    redriven: list[str] = field(default_factory=list)
    """Queues, one for each letter that was sent on."""
    rounds: int = 0

    async def drained(self) -> tuple[Books, float]:
        """The books when everything has come to its end, and how long that took. AssertionError with what has not."""
        began = anyio.current_time()
        while True:
            books = await read_books(self.settings)
            left = unsettled(books, self.shop)
            took_s = anyio.current_time() - began
            if not left and not books.dead:
                return books, took_s
            dead = [f"dead letter in {letter.queue}: {letter.body[:200]}" for letter in books.dead]
            late = took_s > QUIET_S_MAX
            if late or (books.dead and not books.waiting and not await self._sent_on(books.dead)):
                raise AssertionError("\n".join([f"not drained after {took_s:.0f} s:", *dead, *left[:40]]))
            await anyio.sleep(LOOK_S)

    async def _sent_on(self, letters: list[Queued]) -> bool:
        """Have the command line send on what the queue gave up; False when nobody may, or it was in vain before."""
        if not self.redrives or self.rounds >= ROUNDS_MAX:
            return False
        self.rounds += 1
        await self.fleet.ready()
        for full_name, count in sorted(Counter(letter.queue for letter in letters).items()):
            queue = full_name.removesuffix("-dlq").removeprefix(f"{self.settings['ORDERSTORE_RESOURCE_PREFIX']}-")
            self.fleet.story.tell(f"{count} dead letters of {queue} are sent on")
            command = (
                "dlq",
                "redrive",
                queue,
                "--cause",
                CAUSE,
                "--even-if-moved-on",
                "--reason",
                "hail",
                "--rate",
                "200",
            )
            run = partial(orderstore, *command, cwd=self.fleet.folder, variables={**NUMBERS, **self.settings})
            finished = await anyio.to_thread.run_sync(run)
            assert finished.code == 0, finished.said
            self.redriven += [queue] * count
        return True
