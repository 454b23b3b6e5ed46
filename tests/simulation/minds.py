"""What a customer does while an order lives: answers, or does not; pays in another way; wants less of it; sends something back."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any, Final

import anyio

from orderstore.change_requests import AnswerQuestion, CancelLines, DelayOrder, RequestReturn, RetryPayment
from orderstore.domain.decide_returns import returnable
from orderstore.domain.deciding import existing
from orderstore.domain.ids import order_id_for_key
from orderstore.domain.parts import InventoryStatus
from orderstore.domain.rejections import CommandRejected
from orderstore.domain.state import Order, PaymentStatus, ShipmentStatus
from orderstore.orders import Orders
from orderstore.recorded import Actor
from orderstore.store.errors import StoreError
from orderstore.transact import Contended
from orderstore.wishes import answering, undoing
from orderstore.wishes.returning import return_id_for_key
from tests.simulation.growing import Growing
from tests.simulation.habits import Habits
from tests.simulation.processes import TENANT
from tests.simulation.wishing import GOOD_CARD, SOFT_DECLINE

if TYPE_CHECKING:
    from tests.simulation.run import Run

CUSTOMER: Final = Actor("customer", "customer-1")
OPERATOR: Final = Actor("operator", "ada")
PAUSE_S: Final = 0.5
LOOKS_EVERY_S: Final = 8.0
IMPATIENT_S: Final = 3.0
"""Of who still means to do something by itself: what is cancelled late has left, and what is sent back late nobody takes in."""
UNTIL_S: Final = 95.0
SET_ASIDE: Final = (InventoryStatus.RESERVED, InventoryStatus.PARTIAL, InventoryStatus.BACKORDERED)
SOON: Final = "2099-01-01T00:00:00Z"

Ask = Callable[[], Awaitable[Any]]


async def until_answered(ask: Callable[[], Awaitable[Any]]) -> Any:
    """The answer; None when the business says no. Whoever has no answer asks again."""
    while True:
        try:
            return await ask()
        except CommandRejected:
            return None
        except (StoreError, Contended):
            await anyio.sleep(PAUSE_S)


@dataclass(slots=True)
class _Mood:
    """What this customer will have done once."""

    cancels: bool
    sends_back: bool
    exchanges: bool
    delayed: bool
    answered: int = 0


class Minds:
    """Customers who look at their orders now and then."""

    def __init__(self, run: "Run", orders: Orders) -> None:
        self._run = run
        self._habits: Habits = run.habits
        self._orders = orders

    async def live(self, order_id: str) -> None:
        """One order's customer."""
        random = Random(f"mind {self._run.seed} {order_id}")
        habits = self._habits
        mood = _Mood(
            cancels=random.random() < habits.cancels_lines,
            sends_back=random.random() < habits.sends_back,
            exchanges=random.random() < habits.exchanges,
            delayed=random.random() < habits.delays,
        )
        own = Random(f"more {self._run.seed} {order_id}")
        growing = Growing(own, wants=own.random() < habits.wants_more)
        while anyio.current_time() < UNTIL_S:
            impatient = mood.cancels or mood.sends_back
            await anyio.sleep(random.expovariate(1 / (IMPATIENT_S if impatient else LOOKS_EVERY_S)))
            try:
                order = existing((await self._orders.load(order_id)).state)
            except (StoreError, CommandRejected):
                continue  # it may still lie on the bus
            for act in self._wanted(order, mood, random):
                await act()
            for wish in growing.wishes(order):
                await self._asking(order_id, wish)()

    def _wanted(self, order: Order, mood: _Mood, random: Random) -> list[Ask]:
        order_id, habits, asks = order.order.order_id, self._habits, list[Ask]()
        if order.payment.status is PaymentStatus.FAILED and random.random() < habits.pays_again:
            method = random.choice((GOOD_CARD, GOOD_CARD, SOFT_DECLINE, None))
            key = f"pay-{order.payment.attempt}"
            wish = answering.retry_payment(RetryPayment(payment_method=method), idempotency_key=key)
            asks.append(self._asking(order_id, wish))
        for question in order.questions:
            if question.kind != "payment" and random.random() < habits.answers:
                said = AnswerQuestion(answer=random.choice(("accepted", "accepted", "declined")))
                asks.append(self._asking(order_id, answering.answer(question.action_id, said)))
        if mood.cancels and random.random() < (0.8 if order.inventory.status in SET_ASIDE else 0.15):
            mood.cancels = False
            line = random.randrange(len(order.order.lines))
            asked = CancelLines.model_validate({"lines": [{"line": line, "quantity": 1}]})
            wish = undoing.cancel_lines(order_id, asked, actor=CUSTOMER, idempotency_key="less")
            asks.append(self._asking(order_id, wish))
        if mood.delayed and random.random() < 0.5:
            mood.delayed = False
            late = DelayOrder.model_validate({"promisedAt": SOON, "reason": "strike", "consentWithinS": 60})
            asks.append(
                lambda: until_answered(
                    lambda: self._orders.delay(order_id, late, actor=OPERATOR, idempotency_key="late")
                )
            )
        arrived = any(shipment.status is ShipmentStatus.DELIVERED for shipment in order.shipments)
        if mood.sends_back and arrived and (pieces := returnable(order)):
            mood.sends_back = False
            asks.append(self._sending_back(order_id, dict(pieces), mood, random))
        return asks

    def _asking(self, order_id: str, wish: Any) -> Ask:
        return lambda: until_answered(lambda: self._orders.ask(order_id, wish, actor=CUSTOMER))

    def _sending_back(self, order_id: str, pieces: dict[int, int], mood: _Mood, random: Random) -> Ask:
        line = random.choice(sorted(pieces))
        asked: dict[str, Any] = {"lines": [{"line": line, "quantity": random.randint(1, pieces[line])}]}
        asked["reason"] = "other"
        if mood.exchanges:
            asked["exchange"] = {"items": [{"sku": "CABLE", "quantity": 1, "price": "9.90"}]}
        wanted = RequestReturn.model_validate(asked)
        key = "back"

        async def send_back() -> None:
            await until_answered(
                lambda: self._orders.request_return(order_id, wanted, actor=CUSTOMER, idempotency_key=key)
            )
            exchange_id = order_id_for_key(TENANT, f"exchange:{return_id_for_key(order_id, key)}")
            if mood.exchanges and await self._is_there(exchange_id):
                self._run.customers.placed[f"exchange for {order_id}"] = exchange_id

        return send_back

    async def _is_there(self, order_id: str) -> bool:
        while True:
            try:
                await self._orders.load(order_id)
            except CommandRejected:
                return False
            except StoreError:
                await anyio.sleep(PAUSE_S)
            else:
                return True
