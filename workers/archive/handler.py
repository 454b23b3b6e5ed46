"""The handler of the archive's queue: a message is done when its order is archived through the commit that it tells of."""

from workers.archive.batcher import Batcher
from workers.archive.hint import hint_of
from workers.runtime.outcome import Done, Outcome
from workers.runtime.queue import Message


class ArchiveHandler:
    """See `workers/runtime/outcome.py`, `Handler`."""

    def __init__(self, batcher: Batcher) -> None:
        self._batcher = batcher

    async def __call__(self, message: Message) -> Outcome:
        """Wait until it is archived. Raises MalformedMessage; FlushFailed and the order's own faults, which are worth a retry."""
        await self._batcher.archived(hint_of(message))
        return Done()
