"""A log, its views a moment behind it, and any number of sweepers on one virtual clock."""

from collections import Counter
from collections.abc import Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from random import Random

import anyio

from orderstore.domain import decisions as d
from orderstore.domain import events as e
from orderstore.domain.ids import stream_of
from orderstore.domain.state import State
from orderstore.history import History
from orderstore.orders import Orders
from orderstore.recorded import Actor, Cause
from orderstore.store.memory import MemoryEventStore
from orderstore.transact import Transactor
from projections.answers.current_generations import CurrentGenerations
from projections.answers.due_orders import VIEWS as LISTED
from projections.answers.due_orders import DueOrders
from projections.view_store.memory import MemoryViewStore
from projections.views import backorders, deadlines, exceptions
from projections.views.view import Generation
from tests.builders import NOON, order_created
from tests.ordering import TENANT, PlainVault
from tests.projections.lagging import project, targets_in
from workers.sweepers import ViewLists
from workers.sweeping.order_sweep import OrderSweep
from workers.sweeping.ports import HintNotTaken
from workers.sweeping.rechecking import Rechecking
from workers.sweeping.sweeper import Sweeper

NOON_MS = int(NOON.timestamp() * 1_000)
NAMES = (deadlines.NAME, exceptions.NAME, backorders.NAME)


class CountingSweeps:
    """A SweepObserver that counts, and the Hints that were given."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.failures: list[tuple[str, str]] = []
        self.lists: list[str] = []
        self.turns: list[tuple[int, float]] = []
        self.hints: list[tuple[str, str]] = []
        self.deaf = False

    def swept(self, what: str) -> None:
        self.counts[what] += 1

    def failed(self, order_id: str, error: Exception) -> None:
        self.failures.append((order_id, type(error).__name__))

    def lists_failed(self, error: Exception) -> None:
        self.lists.append(type(error).__name__)

    def hinted(self, department: str, *, taken: bool) -> None:
        self.counts[f"{department} {'taken' if taken else 'missed'}"] += 1

    def turned(self, *, looked_at: int, lag_s: float) -> None:
        self.turns.append((looked_at, lag_s))

    async def hint(self, department: str, history: History) -> None:
        await anyio.lowlevel.checkpoint()
        if self.deaf:
            raise HintNotTaken(department)
        self.hints.append((department, history.stream.rpartition("order-")[2]))


class SweepWorld:
    """The wall clock is noon of the first of March and the virtual seconds since the start."""

    def __init__(self, *, seed: int = 7, store: MemoryEventStore | None = None) -> None:
        self.store = store or MemoryEventStore()
        self.views = MemoryViewStore()
        self.seen = CountingSweeps()
        self.random = Random(seed)
        self.vault = PlainVault()
        transactor = Transactor(self.store, now_ms=self.now_ms)
        self.orders = Orders(transactor, tenant=TENANT, vault=self.vault, hooks_allowed=False, now_ms=self.now_ms)
        self._transactor = transactor
        self._targets = tuple(one for one in targets_in(1) if one.view.name in NAMES)
        self.placed: list[str] = []
        self.lists = ViewLists(self.due_orders())

    def due_orders(self) -> DueOrders:
        return DueOrders(self.views, tenant=TENANT, generations=CurrentGenerations(self.views, LISTED))

    def now_ms(self) -> int:
        return NOON_MS + round(anyio.current_time() * 1_000)

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.now_ms() / 1_000, tz=UTC)

    def inside(self, **delta: float) -> datetime:
        """A moment that is still to come."""
        return self.now() + timedelta(**delta)

    async def place(self, number: int = 0, *, terms: e.Terms | None = None, **changes: object) -> str:
        """An order that was placed now."""
        order_id = f"00000000-0000-4000-8000-{number:012x}"
        created = order_created(order_id=order_id, terms=terms, placed_at=self.now(), **changes)
        await self._transactor.transact(
            History(stream=stream_of(TENANT, order_id)),
            lambda state: d.place(state, order=created),
            cause=self.cause("placed"),
        )
        self.placed.append(order_id)
        await self.project(order_id)
        return order_id

    def cause(self, purpose: str) -> Cause:
        number = self.random.getrandbits(64)
        return Cause(
            causation_id=f"{purpose}-{number}",
            purpose=purpose,
            correlation_id="c",
            actor=Actor("service", "test"),
            source="test",
        )

    async def happen(self, order_id: str, *decides: Callable[[State], tuple[e.Event, ...]]) -> History:
        """Decided one after the other, and projected."""
        history = await self.orders.load(order_id)
        for decide in decides:
            history = await self.orders.record(history, decide, cause=self.cause("test"))
        await self.project(order_id)
        return history

    async def project(self, order_id: str) -> None:
        await project(self.store, self.views, stream_of(TENANT, order_id), self._targets)

    async def project_all(self) -> None:
        for order_id in tuple(self.placed):
            await self.project(order_id)

    def sweep(self) -> OrderSweep:
        return OrderSweep(self.orders, self.seen, now_ms=self.now_ms, observer=self.seen)

    def sweeper(self, seed: int = 1, *, lists: object = None) -> Sweeper:
        return Sweeper(lists or self.lists, self.sweep(), now_ms=self.now_ms, random=Random(seed), observer=self.seen)

    def rechecking(self) -> Rechecking:
        return Rechecking(self.lists, self.orders, self.sweep(), random=Random(3), observer=self.seen)

    @asynccontextmanager
    async def running(self, *sweepers: Sweeper, lag_s: float = 2.0):
        """Sweepers and a projector that is this far behind."""

        async def projecting() -> None:
            while True:
                await anyio.sleep(lag_s)
                await self.project_all()

        async with anyio.create_task_group() as group:
            group.start_soon(projecting)
            for one in sweepers:
                await group.start(one.run)
            yield group
            group.cancel_scope.cancel()

    async def names(self, order_id: str) -> list[str]:
        """What happened to it."""
        return [recorded.name for recorded in (await self.orders.load(order_id)).events]

    async def events(self, order_id: str) -> list[e.Event]:
        return [recorded.event for recorded in (await self.orders.load(order_id)).events]

    async def open_kinds(self, order_id: str) -> list[str]:
        """What the order wants somebody for, by the view."""
        await self.project(order_id)
        key = Generation(exceptions.NAME, 1).key(TENANT, order_id)
        stored = (await self.views.get([key])).get(key)
        return [] if stored is None else [entry.kind for entry in exceptions.VIEW.read(stored.document).open]
