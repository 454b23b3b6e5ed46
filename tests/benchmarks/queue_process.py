"""A consumer as a process of its own, for a benchmark to kill: it holds what it gets, and says how many that are."""

import os
import signal
import sys
from random import Random

import anyio

from tests.benchmarks.queue_backend import NOTHING_BUT_QUEUES
from tests.benchmarks.queue_holding import SETTINGS, Holder
from tests.benchmarks.queueing import now_ms
from workers.aws import open_clients
from workers.runtime.consume import ConsumeLoop
from workers.runtime.outcome import Outcome
from workers.runtime.queue import Message
from workers.runtime.sqs import SqsQueue
from workers.settings import from_environment

FOR_EVER_S = 280.0


class Telling(Holder):
    """Says how many it holds after each."""

    async def __call__(self, message: Message) -> Outcome:
        """Hold it."""
        outcome = await super().__call__(message)
        sys.stdout.write(f"{len(self.held)}\n")
        sys.stdout.flush()
        return outcome


async def main() -> None:
    """Consume until SIGTERM, which drains, or SIGKILL."""
    url = os.environ["QUEUE_URL"]
    settings = from_environment({**NOTHING_BUT_QUEUES, "ORDERSTORE_AWS_ENDPOINT_URL": os.environ["ENDPOINT"]})
    async with open_clients(settings, connections=16) as clients:
        queue = SqsQueue(clients.sqs, name="held", url=url, dead_letter_url=f"{url}-dlq")
        loop = ConsumeLoop(queue, Telling(FOR_EVER_S), SETTINGS, now_ms=now_ms, source=Random(1))
        async with anyio.create_task_group() as group:
            await group.start(loop.run)
            with anyio.open_signal_receiver(signal.SIGTERM) as signals:
                async for _ in signals:
                    loop.stop()
                    break


if __name__ == "__main__":
    anyio.run(main, backend_options={"use_uvloop": True})
