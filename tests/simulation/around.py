"""Who is around, and no process of the service: the bank, which asks its customers and takes money back, and the van that brings goods."""

from collections import Counter
from random import Random
from typing import TYPE_CHECKING, Final

import anyio

from orderstore.domain.rejections import UnknownOrder
from orderstore.domain.state import Placed
from orderstore.history import History
from orderstore.orders import placed
from orderstore.store.errors import StoreError
from tests.projections.stream.fake_stream import wall_ms
from tests.simulation.habits import Habits
from tests.simulation.wishing import SKUS
from workers.inventory.locations import Location, Locations
from workers.inventory.stock import MAIN, Place
from workers.inventory.table_stock import TableStock
from workers.payment.hints import hint_body, notice_body
from workers.payment.sandbox import SandboxDisputes, act
from workers.payment.sandbox_cards import ASKS_CUSTOMER
from workers.sandbox.ledger import TableLedger

if TYPE_CHECKING:
    from tests.simulation.run import Run

BANK_EVERY_S: Final = 6.0
LAST_DELIVERY: Final = 60
"""Pieces of each article that come when the faults are over: whoever waits for goods waits no longer."""
NAMES: Final = (MAIN, "north", "south")


def locations_of(habits: Habits) -> Locations:
    """Where goods lie in a run."""
    return Locations(tuple(Location(name) for name in NAMES[: habits.locations]))


class Van:
    """Brings goods. `received` is what it brought, by article and location."""

    def __init__(self, run: "Run") -> None:
        self._run = run
        self._random = Random(f"van {run.seed}")
        self._stock = TableStock(run.outside.tables["inventory"], random=Random(1), locations=locations_of(run.habits))
        self._times = 0
        self.received: Counter[Place] = Counter()

    async def open(self) -> None:
        """So many of each are there in the beginning."""
        for name in NAMES[: self._run.habits.locations]:
            await self._bring(
                "opening" if name == MAIN else f"opening-{name}", dict.fromkeys(SKUS, self._run.habits.pieces), name
            )

    async def drive(self) -> None:
        """Something now and then."""
        every_s = self._run.habits.goods_in_every_s
        while True:
            await anyio.sleep(self._random.expovariate(1 / every_s))
            await self.come({self._random.choice(SKUS): self._random.randint(1, 3)})

    async def come(self, goods: dict[str, int]) -> None:
        """Once more."""
        self._times += 1
        await self._bring(f"delivery-{self._times}", goods, self._random.choice(NAMES[: self._run.habits.locations]))

    async def _bring(self, name: str, goods: dict[str, int], location: str) -> None:
        await self._stock.receive(name, goods, location=location)
        self.received.update({Place(location, sku): pieces for sku, pieces in goods.items()})
        self._run.note("van", f"{name}: {goods} to {location}")


class Bank:
    """Knows its payments by the provider's books, and tells the shop of disputes as a webhook does: with a notice, which is only a hint."""

    def __init__(self, run: "Run") -> None:
        self._run = run
        self._random = Random(f"bank {run.seed}")
        self._ledger = TableLedger(run.outside.tables["sandbox"], now_ms=wall_ms)
        self._disputes = SandboxDisputes(self._ledger)
        self._open: dict[str, str] = {}
        """Reference by order."""
        self._judged: set[str] = set()

    async def work(self) -> None:
        """For the whole run."""
        while True:
            await anyio.sleep(self._random.expovariate(1 / BANK_EVERY_S))
            for order_id in list(self._run.customers.placed.values()):
                try:
                    history = await self._run.known.order(order_id)
                except (UnknownOrder, StoreError):
                    continue
                await self._let_act(history)
                await self._dispute(order_id, placed(history))

    async def _let_act(self, history: History) -> None:
        order, habits = placed(history), self._run.habits
        key = f"{order.order.order_id}:payment:{order.payment.attempt}"
        row = await self._ledger.get(f"payment/{key}")
        if row is None or row.details.get("card") != ASKS_CUSTOMER or await self._ledger.get(f"{row.key}/acted"):
            return
        if self._random.random() < habits.does_what_the_bank_asks:
            await act(self._ledger, key)
            self._run.note("bank", f"{order.order.order_id[-4:]} has done what was asked")
            await self._run.outside.queues["payment"].send(hint_body(history))

    async def _dispute(self, order_id: str, order: Placed) -> None:
        habits, random = self._run.habits, self._random
        reference = self._open.get(order_id)
        if reference is not None:
            if self._run.calm or random.random() < 0.2:
                del self._open[order_id]
                won = random.random() < habits.dispute_won
                await self._disputes.close(reference, won=won)
                await self._tell(reference, f"dispute of {order_id[-4:]} is {'won' if won else 'lost'}")
            return
        reference, taken_minor = order.payment.provider_reference, order.payment.captured_minor
        if self._run.calm or order_id in self._judged or not taken_minor or reference is None:
            return
        self._judged.add(order_id)
        if random.random() < habits.disputes:
            left_minor = taken_minor - sum(refund.amount_minor for refund in order.payment.refunds)
            if left_minor > 0:
                self._open[order_id] = reference
                await self._disputes.open(reference, amount_minor=random.choice((left_minor, max(1, left_minor // 3))))
                await self._tell(reference, f"{order_id[-4:]} is disputed")

    async def _tell(self, reference: str, what: str) -> None:
        self._run.note("bank", what)
        for _ in range(2 if self._random.random() < self._run.faults.duplicate else 1):
            await self._run.outside.queues["payment"].send(notice_body(reference))
