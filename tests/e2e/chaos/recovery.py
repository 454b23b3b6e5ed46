"""How long a message is late when the process that holds it is killed: `python -m tests.e2e.chaos.recovery [--times N]` prints a table.

For each queue, one worker is made to hold a message and is killed; another, which stood still until then, finishes it. For the two
subscriptions of the stream, the owner of the lease is killed and the next order is waited for. Nothing is asserted: these are figures.
"""

import argparse
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median
from typing import Final

import anyio
import httpx

from deploy.local.environment import Environment
from tests.e2e.chaos.customers import GOODS, Shop, Wish
from tests.e2e.chaos.fleet import NUMBERS, VISIBILITY_TIMEOUT_S, Fleet, running_fleet, small_fleet
from tests.e2e.chaos.reckoning import EAR
from tests.e2e.chaos.run import PIECES, hang_ear, receive
from tests.e2e.chaos.story import Story, until
from tests.e2e.emulated import Emulated
from tests.emulator import fresh_settings, start_emulator, stop_emulator

QUEUES: Final = ("payment", "inventory", "shipping", "billing", "notification", "archive")
TRIES_MAX: Final = 12
POLLS_OVER_S: Final = int(NUMBERS["ORDERSTORE_QUEUE_WAIT_S"]) + 1.0
CAUGHT_S: Final = 0.5
GONE_S_MAX: Final = 120.0
LOOK_S: Final = 0.005


@dataclass(eq=False)
class Measuring:
    """One fleet and what is measured on it. All times are seconds."""

    fleet: Fleet
    shop: Shop
    emulated: Emulated
    placed: int = 0
    found: dict[str, list[float]] = field(default_factory=dict)

    async def queue(self, name: str) -> None:
        """One sample for a queue: from the kill until the message is gone."""
        holder, heir = self.fleet.members["workers-1"], self.fleet.members["workers-2"]
        for _ in range(TRIES_MAX):
            await self.fleet.ready()
            await until(lambda: not self._messages(), within_s=GONE_S_MAX)
            heir.stopped = heir.send(signal.SIGSTOP)
            try:
                await anyio.sleep(POLLS_OVER_S)  # a poll that it left open would take the message along
                await self._place()
                caught = await until(lambda: bool(self._in_flight(name)), within_s=10, every_s=LOOK_S)
                holder.expected_to_end = True
                holder.send(signal.SIGKILL)
                killed_at, held = anyio.current_time(), self._in_flight(name)
            finally:
                heir.stopped = not heir.send(signal.SIGCONT)
            await anyio.sleep(CAUGHT_S)
            late = held & self._messages(name)
            if caught and late:
                await until(lambda: not late & self._messages(name), within_s=GONE_S_MAX, every_s=LOOK_S)  # noqa: B023 - awaited here
                self._note(name, anyio.current_time() - killed_at)
                return

    async def subscription(self, name: str, seen: Callable[[str], bool]) -> None:
        """One sample for a subscription: from the kill of its owner until the next order is seen."""
        await self.fleet.ready()
        for seat in ("streams-1", "streams-2"):
            before, member = self._owner(name), self.fleet.members[seat]
            member.expected_to_end = True
            member.send(signal.SIGKILL)
            killed_at = anyio.current_time()
            order_id = await self._place()
            await until(lambda: seen(order_id), within_s=GONE_S_MAX, every_s=4 * LOOK_S)  # noqa: B023 - awaited here
            took_s = anyio.current_time() - killed_at
            await self.fleet.ready()
            if self._owner(name) != before:
                self._note(name, took_s)

    def published(self, order_id: str) -> bool:
        """Whether the topic was told of the order."""
        return any(order_id in message.body for message in self.emulated.queued(EAR))

    def viewed(self, order_id: str) -> bool:
        """Whether readers of the view see the order."""
        headers = {"Authorization": f"Bearer {self.shop.token}"}
        address = f"{self.shop.url}/orders/{order_id}"
        return httpx.get(address, headers=headers, trust_env=False, timeout=10).status_code == 200

    async def _place(self) -> str:
        self.placed += 1
        wish = Wish(
            number=self.placed,
            key=f"recovery-{self.placed}",
            wants="goods",
            sku=GOODS[1],
            quantity=1,
            copies=1,
            again=False,
            later_s=0,
        )
        before = set(self.shop.accepted)
        async with httpx.AsyncClient(trust_env=False, timeout=10) as client:
            await self.shop.order(client, wish)
        (order_id,) = set(self.shop.accepted) - before
        return order_id

    def _messages(self, queue: str = "") -> set[str]:
        queued = self.emulated.queued(f"-{queue}" if queue else "")
        return {message.body for message in queued if not message.queue.endswith((EAR, "-dlq"))}

    def _in_flight(self, queue: str) -> set[str]:
        return {message.body for message in self.emulated.queued(f"-{queue}") if message.receive_count}

    def _owner(self, subscription: str) -> str:
        rows = self.emulated.rows("leases")
        return str(next(row.get("owner") for row in rows if row["subscription"] == subscription))

    def _note(self, name: str, took_s: float) -> None:
        print(f"{name}: {took_s:.1f} s", file=sys.stderr, flush=True)  # noqa: T201 - it takes minutes: show that it goes on
        self.found.setdefault(name, []).append(took_s)


async def measure(emulator: Environment, folder: Path, *, times: int) -> dict[str, list[float]]:
    """All samples, by queue or subscription."""
    settings = fresh_settings(emulator, visibility_timeout_s=VISIBILITY_TIMEOUT_S)
    hang_ear(settings)
    await receive(settings, dict.fromkeys(GOODS, PIECES), receipt="recovery")
    story = Story()
    async with running_fleet(small_fleet(), settings=settings, folder=folder, story=story) as fleet:
        await fleet.ready()
        shop = Shop(fleet.api_url, emulator.api_token, story)
        measuring = Measuring(fleet, shop, Emulated(settings))
        for _ in range(times):
            for name in QUEUES:
                await measuring.queue(name)
            await measuring.subscription("views", measuring.viewed)
            await measuring.subscription("relay", measuring.published)
    return measuring.found


@contextmanager
def scratch() -> Iterator[tuple[Environment, Path]]:
    """An emulator and a folder, both gone afterwards."""
    with tempfile.TemporaryDirectory() as path:
        state_dir, folder = Path(path) / "emulator", Path(path) / "logs"
        folder.mkdir()
        try:
            yield start_emulator(state_dir), folder
        finally:
            stop_emulator(state_dir)


def main() -> int:
    """Measure, and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=3)
    asked = parser.parse_args()
    with scratch() as (emulator, folder):
        found = anyio.run(partial(measure, emulator, folder, times=asked.times))
    print(f"visibility timeout {VISIBILITY_TIMEOUT_S} s, lease {NUMBERS['ORDERSTORE_LEASE_DURATION_S']} s")  # noqa: T201 - a command's output
    for name, samples in found.items():
        each = ", ".join(f"{sample:.1f}" for sample in samples)
        print(f"{name:<14} median {median(samples):5.1f} s   ({each})")  # noqa: T201 - a command's output
    return 0


if __name__ == "__main__":
    sys.exit(main())
