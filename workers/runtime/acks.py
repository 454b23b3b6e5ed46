"""Acknowledgements: batched deletions, and the memory of what was settled.

A deletion may answer success and delete nothing, and a standard queue may deliver a deleted message again. So the ids of settled
messages are remembered (the newest `remembered_ids_max`), and a redelivery is deleted without running its handler.
"""

import random
from collections import OrderedDict
from collections.abc import Sequence

from workers.runtime.batches import Batcher, Ending
from workers.runtime.held import Held, Holdings, Stage
from workers.runtime.observe import CallFailed, Deleted, QueueObserver
from workers.runtime.queue import BATCH_ENTRIES_MAX, Queue
from workers.runtime.settings import ConsumeSettings


class Acks:
    """Deletes settled messages."""

    def __init__(
        self,
        queue: Queue,
        holdings: Holdings,
        settings: ConsumeSettings,
        *,
        observer: QueueObserver,
        source: random.Random,
    ) -> None:
        self._queue = queue
        self._holdings = holdings
        self._observer = observer
        self._remembered: OrderedDict[str, None] = OrderedDict()
        self._remembered_max = settings.remembered_ids_max
        self._batcher = Batcher(
            self._delete,
            ended=self._ended,
            failed=self._failed,
            linger_s=settings.ack_linger_s,
            call_timeout_s=settings.call_timeout_s,
            source=source,
        )

    def is_settled(self, message_id: str) -> bool:
        """Whether this process has done or dead-lettered it."""
        return message_id in self._remembered

    def remember(self, message_id: str) -> None:
        """Its work is done: never run it here again."""
        if message_id in self._remembered:
            self._remembered.move_to_end(message_id)
        else:
            self._remembered[message_id] = None
        if len(self._remembered) > self._remembered_max:
            self._remembered.popitem(last=False)

    def add(self, held: Held) -> None:
        """Delete it soon. Call this only after the work is durable."""
        self.remember(held.message.id)
        self._holdings.move(held, Stage.DELETING)
        self._batcher.add(held)

    async def run(self) -> None:
        """Delete until cancelled."""
        await self._batcher.run()

    async def flush(self) -> None:
        """Return when everything added has been deleted or given up."""
        await self._batcher.flush()

    async def _delete(self, batch: Sequence[Held]) -> tuple[Sequence[Held], Sequence[Held]]:
        owner = {copy.receipt: held for held in batch for copy in held.copies}
        # One entry per receipt: the adapters number the entries, so two receipts of one message do not collide.
        copies = [copy for held in batch for copy in held.copies]
        if len(copies) > len(owner):
            copies = list({copy.receipt: copy for copy in copies}.values())
        again: list[Held] = []
        gone: list[Held] = []
        for first in range(0, len(copies), BATCH_ENTRIES_MAX):
            for failure in await self._queue.delete(copies[first : first + BATCH_ENTRIES_MAX]):
                held = owner[failure.message.receipt]
                if not failure.gone:
                    again.append(held)
                    self._failed(1, failure.reason)
                elif failure.message.receipt == held.message.receipt:
                    gone.append(held)
                    self._failed(1, failure.reason)
        return again, gone

    def _ended(self, held: Held, ending: Ending) -> None:
        self._holdings.drop(held)
        if ending == "ok":
            self._observer.deleted(Deleted(queue=self._queue.name, count=1))

    def _failed(self, count: int, reason: str) -> None:
        self._observer.ack_failed(CallFailed(queue=self._queue.name, count=count, reason=reason))


class Returns:
    """Gives messages back to the queue, visible again after their own delay."""

    def __init__(
        self,
        queue: Queue,
        holdings: Holdings,
        settings: ConsumeSettings,
        *,
        observer: QueueObserver,
        source: random.Random,
    ) -> None:
        self._queue = queue
        self._holdings = holdings
        self._observer = observer
        self._batcher = Batcher(
            self._change,
            ended=lambda held, _: holdings.drop(held),
            failed=self._failed,
            linger_s=settings.ack_linger_s,
            call_timeout_s=settings.call_timeout_s,
            source=source,
        )

    def add(self, held: Held, after_s: int) -> None:
        """Give it back soon, visible after `after_s`; 0 is at once."""
        held.return_after_s = after_s
        self._holdings.move(held, Stage.RETURNING)
        self._batcher.add(held)

    async def run(self) -> None:
        """Give back until cancelled."""
        await self._batcher.run()

    async def flush(self) -> None:
        """Return when everything added has been given back or given up."""
        await self._batcher.flush()

    async def _change(self, batch: Sequence[Held]) -> tuple[Sequence[Held], Sequence[Held]]:
        again: list[Held] = []
        gone: list[Held] = []
        owner = {held.message.receipt: held for held in batch}
        for failure in await self._queue.change_visibility([(held.message, held.return_after_s) for held in batch]):
            (gone if failure.gone else again).append(owner[failure.message.receipt])
            self._failed(1, failure.reason)
        return again, gone

    def _failed(self, count: int, reason: str) -> None:
        self._observer.return_failed(CallFailed(queue=self._queue.name, count=count, reason=reason))
