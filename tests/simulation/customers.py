"""Customers and operators: what they ask of the API while everything goes wrong. They repeat a request until they have an answer."""

import json
from collections import defaultdict
from collections.abc import Awaitable, Callable
from functools import partial
from random import Random
from typing import TYPE_CHECKING, TypeVar

import anyio

from orderstore.domain.ids import order_id_for_key
from orderstore.domain.rejections import CommandRejected, UnknownOrder
from orderstore.orders import Orders
from orderstore.requests import CancelOrder, HoldOrder, PlaceOrder, ReleaseHold, RequestRefund
from orderstore.store.errors import StoreError
from orderstore.transact import Contended
from orderstore.wishes.undoing import refund_id_for_key
from tests.simulation.minds import CUSTOMER, OPERATOR, PAUSE_S, Minds
from tests.simulation.processes import TENANT, Process, orders_of
from tests.simulation.wire import Wire
from tests.simulation.wishing import request_of
from workers.intake.handler import ORDER_REQUEST
from workers.intake.queue.requests import key_scope

if TYPE_CHECKING:
    from tests.simulation.run import Run

T = TypeVar("T")
SHOP = "shop.example"
OVER_THE_BUS = 0.3


class Customers:
    """Places `count` orders over `seconds` and does to each what its story says. `placed` are those that the API accepted."""

    def __init__(self, run: "Run", *, count: int, seconds: float) -> None:
        self._run = run
        self._count = count
        self._seconds = seconds
        self._random = Random(f"customers {run.seed}")
        self.placed: dict[str, str] = {}
        """Order id by the customer's own key."""
        self.held: set[str] = set()
        """Orders that nobody releases."""
        self.requests: set[str] = set()
        """Those that came over the bus."""
        self.refunds_asked: defaultdict[str, set[str]] = defaultdict(set)
        """The refunds that a customer asked for, by order."""

    async def shop(self, process: Process, wire: Wire) -> None:
        """All of them. Where the API's process dies, another one stands there: the request is repeated."""

        def another() -> None:
            wire.dead = False

        wire.on_crash = another
        orders = orders_of(process, wire)
        self._minds = Minds(self._run, orders)
        async with anyio.create_task_group() as tasks:
            for number in range(self._count):
                random = Random(f"customer {self._run.seed} {number}")
                tasks.start_soon(self._story, orders, number, random)

    async def _story(self, orders: Orders, number: int, random: Random) -> None:
        await anyio.sleep(random.uniform(0, self._seconds))
        key = f"key-{number}"
        request = request_of(random, number, self._run.habits)
        door = self._over_the_bus if random.random() < OVER_THE_BUS else self._over_the_api
        order_id = await door(orders, request, key)
        self.placed[key] = order_id
        again = partial(door, orders, request, key)
        async with anyio.create_task_group() as tasks:
            if not self._run.habits.plain:
                tasks.start_soon(self._minds.live, order_id)
            await self._act(orders, order_id, again, random)

    async def _act(self, orders: Orders, order_id: str, again: Callable[[], Awaitable[str]], random: Random) -> None:
        act = random.choice(("none", "none", "none", "again", "cancel", "cancel", "hold", "refund", "refund"))
        await anyio.sleep(random.uniform(0, self._seconds) if act != "refund" else self._seconds)
        match act:
            case "again":
                assert await again() == order_id
            case "cancel":
                await self._until_answered(lambda: orders.cancel(order_id, CancelOrder(), actor=CUSTOMER))
            case "hold":
                await self._hold(orders, order_id, random)
            case "refund":
                for attempt in range(random.choice((1, 2))):
                    self.refunds_asked[order_id].add(refund_id_for_key(order_id, f"refund-{attempt}"))
                    asked = RequestRefund.model_validate({"lines": [{"line": 0, "quantity": 1}]})
                    await self._until_answered(
                        lambda asked=asked, attempt=attempt: orders.request_refund(  # type: ignore[misc]  # defaults bind the loop's values
                            order_id, asked, actor=CUSTOMER, idempotency_key=f"refund-{attempt}"
                        )
                    )
            case _:
                pass

    async def _over_the_api(self, orders: Orders, request: PlaceOrder, key: str) -> str:
        accepted = await self._until_answered(lambda: orders.place(request, actor=CUSTOMER, idempotency_key=key))
        assert accepted is not None, "a new order is never refused"
        return accepted.history.events[0].order_id

    async def _over_the_bus(self, orders: Orders, request: PlaceOrder, key: str) -> str:
        """By the intake's queue, twice at times; the order has an id before it is there."""
        queue = self._run.outside.queues["intake"]
        document = request.model_dump(mode="json", by_alias=True, exclude_none=True)
        event = {"id": key, "source": SHOP, "detail-type": ORDER_REQUEST, "detail": {**document, "idempotencyKey": key}}
        self.requests.add(key)
        for _ in range(2 if self._random.random() < self._run.faults.duplicate else 1):
            await queue.send(json.dumps(event))
        order_id = order_id_for_key(TENANT, f"{key_scope(SHOP)}{key}")
        while True:
            try:
                await orders.load(order_id)
            except (StoreError, UnknownOrder):
                await anyio.sleep(PAUSE_S)
                if self._run.asked_long_enough:
                    return order_id
            else:
                return order_id

    async def _hold(self, orders: Orders, order_id: str, random: Random) -> None:
        asked = HoldOrder.model_validate({"holdId": "h1", "reason": "fraud_review"})
        held = await self._until_answered(lambda: orders.hold(order_id, asked, actor=OPERATOR, idempotency_key="h1"))
        if held is None:
            return
        if random.random() < 0.3:
            self.held.add(order_id)
            return
        await anyio.sleep(random.uniform(0, self._seconds))
        await self._until_answered(lambda: orders.release_hold(order_id, "h1", ReleaseHold(), actor=OPERATOR))

    async def _until_answered(self, ask: Callable[[], Awaitable[T]]) -> T | None:
        """The answer; None when the business says no."""
        while True:
            try:
                return await ask()
            except CommandRejected:
                return None
            except (StoreError, Contended):
                await anyio.sleep(PAUSE_S)
