"""A desk over memory queues, beside the small world of the workers: real orders, real handlers, virtual time."""

import random
from collections.abc import Mapping
from typing import Any

import anyio

from orderstore.objects import MemoryObjectStore
from orderstore.recorded import Actor
from tests.workers.world import Faults, World
from workers.dead_letters.desk import Desk
from workers.dead_letters.look import Box
from workers.dead_letters.records import Records
from workers.dead_letters.standing import Judge
from workers.runtime.deadletter import dead_letter_attributes
from workers.runtime.memory import MemoryQueue
from workers.runtime.queue import Message

EPOCH_MS = 1_767_225_600_000
ADA = Actor("operator", "ada")
QUEUES = ("payment", "inventory", "shipping", "billing", "notification", "archive", "webhooks", "intake")
WHY = "INC-1042"


class DeskWorld(World):
    """The workers' world on the virtual clock, with a queue and its dead letters for each department, and a desk."""

    def __init__(self, *, faults: Faults | None = None, capture: Any = "on_dispatch") -> None:
        super().__init__(faults=faults, capture=capture)
        self.dead = {name: MemoryQueue(f"{name}-dlq", now_ms=self.now_ms, retention_s=14 * 86_400) for name in QUEUES}
        self.queues = {
            name: MemoryQueue(name, now_ms=self.now_ms, dead_letters=self.dead[name], receive_count_max=3)
            for name in QUEUES
        }
        self.locked = MemoryObjectStore()
        self.archived_through = 0
        self.records = Records(self.locked, tenant="test", now_ms=self.now_ms)
        self.boxes = {
            name: Box(source=self.queues[name], letters=self.dead[name], receive_count_max=3, poll_wait_s=0)
            for name in QUEUES
        }
        self.desk = Desk(
            queues=QUEUES,
            open_box=self._open,
            orders=self.orders,
            tenant="test",
            judge=Judge(self.orders, tenant="test", told=self._told, archived=self._archived),
            records=self.records,
            now_ms=self.now_ms,
            source=random.Random(7),
        )

    def now_ms(self) -> int:
        return EPOCH_MS + round(anyio.current_time() * 1_000)

    async def bury(self, queue: str, body: str, *, reason: str | None = None, **attributes: str) -> str:
        """A dead letter: given up with a reason, or (None) moved by the queue itself."""
        if reason is not None:
            original = Message(id="first", receipt="r", body=body, attributes=attributes, receive_count=1, sent_at_ms=0)
            attributes = dead_letter_attributes(original, reason)
        return await self.dead[queue].send(body, attributes=attributes)

    async def buried_order(self, queue: str = "payment", **fields: Any) -> tuple[str, str]:
        """An order whose message to a queue died; (order id, letter id). Its other messages are still to be delivered."""
        order_id = await self.place(**fields)
        body = next(message.body for name, message in self.messages if name == queue and order_id in message.body)
        self.messages = type(self.messages)(
            (name, message) for name, message in self.messages if (name, message.body) != (queue, body)
        )
        return order_id, await self.bury(queue, body)

    async def redrive(self, queue: str = "payment", wanted: Mapping[str, Any] | None = None, **how: Any) -> Any:
        how = {"actor": ADA, "reason": WHY, "dry_run": False, **how}
        return await self.desk.redrive(queue, wanted or {}, **how)

    async def work(self, queue: str) -> int:
        """Hand everything that waits in a queue to its worker, once; how many messages that was."""
        done = 0
        while messages := await self.queues[queue].receive(max_messages=10, wait_s=0, visibility_timeout_s=120):
            for message in messages:
                await self.handlers[queue](message)
            done += len(messages)
            await self.queues[queue].delete(messages)
        return done

    async def waiting(self, queue: str = "payment") -> list[Message]:
        """What is in a queue now. Not received: that would count, and after three times be a death."""
        await anyio.lowlevel.checkpoint()
        return [
            Message(
                id=stored.id,
                receipt="none",
                body=stored.body,
                attributes=stored.attributes,
                receive_count=stored.receive_count,
                sent_at_ms=stored.sent_at_ms,
            )
            for stored in self.queues[queue]._stored.values()
        ]

    async def letters(self, queue: str = "payment") -> int:
        """How many letters anybody could see now."""
        return (await self.dead[queue].depths()).visible

    async def _open(self, name: str) -> Box:
        return self.boxes[name]

    async def _told(self, order_id: str, event_id: str) -> bool:
        rows = [row async for row in self.tables["notifications"].scan() if row["order"] == order_id]
        mine = [row for row in rows if row["notification"].startswith(f"{event_id}:")]
        return bool(mine) and all(row["state"] in ("sent", "suppressed", "failed") for row in mine)

    async def _archived(self, _order_id: str) -> int:
        return self.archived_through
