"""Waits until nothing is left to do: queues empty, the stream read to its end, no dead letters. Says what is stuck."""

from dataclasses import dataclass
from typing import Final

import anyio
from botocore.exceptions import BotoCoreError, ClientError

from projections.stream.leases import LeaseStoreUnavailable
from projections.stream.low_water import caught_up_to_ms
from tests.load.stage import Stage
from workers.core import now_ms
from workers.subscriptions import RELAY_SUBSCRIPTION, VIEWS_SUBSCRIPTION

LOOK_EVERY_S: Final = 2.0
TELL_EVERY_S: Final = 30.0
LOOKS_MAX: Final = 20
PATIENCE_S: Final = 600.0
"""Nothing moves for so long: more than three visibility timeouts, so that no message merely waits to be seen again."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How much waits where; the dead letters are not counted among what waits."""

    waiting: dict[str, int]
    dead: dict[str, int]
    marks_ms: tuple[int, int]

    @property
    def empty(self) -> bool:
        """Whether no queue holds anything, visible or hidden."""
        return not any(self.waiting.values())

    def moved_since(self, before: "Standing") -> bool:
        """Whether anything was done meanwhile: marks move on by themselves, so they do not count while queues hold something."""
        return self.waiting != before.waiting or self.dead != before.dead

    def __str__(self) -> str:
        return (
            ", ".join(f"{name} {count:,}" for name, count in self.waiting.items() if count) or "no queue holds anything"
        )


class NotDrained(AssertionError):
    """Something is stuck; the message says where."""


async def standing(stage: Stage) -> Standing:
    """One look, by the calls that any operator has. An emulator that is too busy to answer is asked again. Raises NotDrained."""
    for _ in range(LOOKS_MAX):
        try:
            return await _look(stage)
        except (ClientError, BotoCoreError, LeaseStoreUnavailable) as error:
            stage.tell(f"no answer to a look at the queues: {error}")
            await anyio.sleep(LOOK_EVERY_S)
    raise NotDrained(f"the emulator answered none of {LOOKS_MAX} looks")


async def _look(stage: Stage) -> Standing:
    prefix = f"{stage.settings['ORDERSTORE_RESOURCE_PREFIX']}-"
    depths = await stage.depths()
    marks = [await caught_up_to_ms(stage.core.leases, name) for name in (RELAY_SUBSCRIPTION, VIEWS_SUBSCRIPTION)]
    named = {name.removeprefix(prefix): count for name, count in sorted(depths.items())}
    return Standing(
        {name: count for name, count in named.items() if not name.endswith("-dlq")},
        {name: count for name, count in named.items() if name.endswith("-dlq") and count},
        (marks[0] or 0, marks[1] or 0),
    )


async def published(stage: Stage) -> Standing:
    """Wait until everything recorded so far is with the topic; what waits in the queues then. Raises NotDrained."""
    until_ms = now_ms()
    with anyio.move_on_after(PATIENCE_S):
        while (now := await standing(stage)).marks_ms[0] <= until_ms:  # noqa: ASYNC110 - other processes set no event
            await anyio.sleep(LOOK_EVERY_S)
        return now
    raise NotDrained(f"the relay did not come to what was recorded before within {PATIENCE_S:.0f} s")


async def drained(stage: Stage) -> float:
    """Wait for it; how long it took, in seconds. Raises NotDrained.

    Work is left nowhere when all queues were empty at a moment, everything recorded before that moment has been published and
    projected, and the queues are then still empty: what a worker records while it holds a message is recorded before its queue is empty.
    """
    began = moved = told = anyio.current_time()
    before = await standing(stage)
    empty_since_ms: int | None = now_ms() if before.empty else None
    while True:
        await anyio.sleep(LOOK_EVERY_S)
        now = await standing(stage)
        moment = anyio.current_time()
        if now.moved_since(before):
            moved = moment
        if not now.empty:
            empty_since_ms = None
        elif empty_since_ms is None:
            empty_since_ms = now_ms()
        elif min(now.marks_ms) > empty_since_ms:
            if now.dead:
                raise NotDrained(f"dead letters: {now.dead}")
            return moment - began
        if moment - moved > PATIENCE_S:
            raise NotDrained(f"nothing has moved for {PATIENCE_S:.0f} s; waiting: {now}; dead letters: {now.dead}")
        if moment - told > TELL_EVERY_S:
            stage.tell(f"after {moment - began:.0f} s there wait: {now}" + (f"; dead: {now.dead}" if now.dead else ""))
            told = moment
        before = now
