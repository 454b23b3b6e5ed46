"""One customer who is told of very much at once: every note comes in, soon, however many processes put them there."""

from collections.abc import Sequence
from random import Random

import anyio
import pytest

from tests.virtual_time import run_virtual
from tests.workers.inbox.test_inboxes import START_MS, TENANT, note
from workers.inbox.memory import MemoryInboxTable
from workers.inbox.notes import number_of, owner_for
from workers.inbox.writing import InboxWriter
from workers.tables.errors import TableContended
from workers.tables.port import Item, Key, Operation

CHANNEL_S = 9.0
"""What a channel is given of a handler's deadline."""


class Busy(MemoryInboxTable):
    """As far away as DynamoDB, and of two transactions on one item at a time both are turned away."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.random = Random(seed)
        self.under_way: dict[str, int] = {}

    async def get(self, key: Key) -> Item | None:
        await anyio.sleep(self.random.uniform(0.002, 0.006))
        return await super().get(key)

    async def transact(self, operations: Sequence[Operation]) -> None:
        owner = str(operations[0].key["owner"])
        if self.under_way.get(owner):
            await anyio.sleep(0.005)
            raise TableContended("TransactionConflict")
        self.under_way[owner] = 1
        try:
            await anyio.sleep(self.random.uniform(0.006, 0.012))
            await super().transact(operations)
        finally:
            self.under_way[owner] = 0


@pytest.mark.parametrize(("processes", "each"), [(1, 400), (8, 30)])
def test_a_customer_who_is_told_of_much_at_once_gets_every_note_in_time(processes: int, each: int) -> None:
    """An import, or a shop of many orders: each note within a channel's time, so that no breaker takes it for an outage. Seeded."""

    async def scenario() -> None:
        table = Busy(seed=11)
        writers = [
            InboxWriter(table, now_ms=lambda: START_MS, random=Random(number), kept_days=90)
            for number in range(processes)
        ]
        added: list[str] = []

        async def add(writer: InboxWriter, number: int) -> None:
            with anyio.fail_after(CHANNEL_S):
                added.append(await writer.add(note(number)))

        async with anyio.create_task_group() as group:
            for number in range(processes * each):
                group.start_soon(add, writers[number % processes], number)
        assert added == ["added"] * (processes * each)
        assert await table.number(owner_for(TENANT, "C-1")) == processes * each
        rows = await table.came_after(owner_for(TENANT, "C-1"), 0, limit=1_000)
        assert [number_of(row) for row in rows] == list(range(1, processes * each + 1))

    run_virtual(scenario)


def test_customers_do_not_wait_for_each_other() -> None:
    """One at a time is for one inbox: a hundred customers are told of something in the time of a few."""

    async def scenario() -> None:
        writer = InboxWriter(Busy(seed=3), now_ms=lambda: START_MS, random=Random(1), kept_days=90)
        begun = anyio.current_time()
        async with anyio.create_task_group() as group:
            for number in range(100):
                group.start_soon(writer.add, note(number, customer=f"C-{number}"))
        assert anyio.current_time() - begun < 0.1
        assert writer._turns == {}, "nothing is kept of an inbox that nobody writes to"

    run_virtual(scenario)
