"""Customers: they order at a steady rate through the API, repeat what was not answered, cancel, and send things back."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final, Literal

import anyio
import httpx

from tests.e2e.chaos.story import Story

Wants = Literal["goods", "declined", "out of stock", "both", "scarce goods", "to cancel", "a refund"]
SHARES: Final[dict[Wants, int]] = {
    "goods": 8,
    "declined": 2,
    "out of stock": 2,
    "both": 1,
    "scarce goods": 3,
    "to cancel": 4,
    "a refund": 4,
}
HOOKS: Final[dict[Wants, dict[str, str]]] = {
    "declined": {"paymentOutcome": "declined"},
    "out of stock": {"inventoryOutcome": "out_of_stock"},
    "both": {"paymentOutcome": "declined", "inventoryOutcome": "out_of_stock"},
}
GOODS: Final = ("LAPTOP-001", "MOUSE-002", "DESK-003")
SCARCE: Final = "GLOBE-004"
ANSWER_S_MAX: Final = 400.0
PAUSE_S: Final = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What one customer is up to. `copies`: how often the same request is sent at once; `again`: and once more later."""

    number: int
    key: str
    wants: Wants
    sku: str
    quantity: int
    copies: int
    again: bool
    later_s: float

    @property
    def body(self) -> dict[str, Any]:
        """The request. The address is this order's alone, so that mails can be told apart."""
        return {
            "customerEmail": f"buyer-{self.key}@example.com",
            "customerId": f"buyer-{self.number % 7}",
            "currency": "USD",
            "items": [
                {"sku": self.sku, "quantity": self.quantity, "price": "12.50"},
                {"sku": GOODS[0], "quantity": 1, "price": "99.99"},
            ],
            **HOOKS.get(self.wants, {}),
        }


@dataclass(eq=False)
class Shop:
    """What the API answered. `accepted`: order id by wish, as soon as it said 202."""

    url: str
    token: str
    story: Story
    accepted: dict[str, Wish] = field(default_factory=dict)
    refunded: dict[str, set[str]] = field(default_factory=dict)
    """Refund ids that were accepted, by order."""
    cancelled: set[str] = field(default_factory=set)
    """Orders whose cancellation was accepted."""
    repeats: int = 0
    ended: bool = False
    """Whether every customer has come to the end of their wishes."""
    broken: list[str] = field(default_factory=list)
    """Answers that break a promise."""

    async def order(self, client: httpx.AsyncClient, wish: Wish) -> None:
        """One customer from the order to the end of their wishes."""
        ids: set[str] = set()

        async def place() -> None:
            answer = await self._ask(client, "POST", "/orders", wish.body, key=wish.key)
            if answer.status_code != 202:
                self._broken(f"order {wish.key}: {answer.status_code} {answer.text}")
                return
            order_id: str = answer.json()["orderId"]
            ids.add(order_id)
            self.accepted[order_id] = wish

        async with anyio.create_task_group() as group:
            for copy in range(wish.copies):
                group.start_soon(place, name=f"order {wish.key} copy {copy}")
        await anyio.sleep(wish.later_s)
        if wish.again:
            await place()
        if len(ids) != 1:
            self._broken(f"order {wish.key} has {len(ids)} ids: {sorted(ids)}")
            return
        order_id = ids.pop()
        if wish.wants == "to cancel":
            answer = await self._ask(client, "POST", f"/orders/{order_id}/cancel", {"reason": "changed my mind"})
            if answer.status_code == 202:
                self.cancelled.add(order_id)
            elif answer.status_code != 409:
                self._broken(f"cancelling {order_id}: {answer.status_code} {answer.text}")
        elif wish.wants == "a refund":
            await self._send_back(client, order_id, wish)

    async def _send_back(self, client: httpx.AsyncClient, order_id: str, wish: Wish) -> None:
        """Wait for the goods, then ask for the money of one line; twice with one key is once."""
        with anyio.move_on_after(ANSWER_S_MAX):
            while True:
                answer = await self._ask(client, "GET", f"/orders/{order_id}?consistency=strong")
                if answer.status_code != 200:
                    self._broken(f"order {order_id} was accepted, now: {answer.status_code} {answer.text}")
                    return
                if answer.json()["status"] in ("COMPLETED", "CANCELLED", "REJECTED"):
                    break
                await anyio.sleep(2 * PAUSE_S)
            for _ in range(wish.copies):
                asked = {"lines": [{"line": 1, "quantity": 1}], "reason": "too small"}
                answer = await self._ask(client, "POST", f"/orders/{order_id}/refunds", asked, key=f"{wish.key}-back")
                if answer.status_code != 202:
                    self._broken(f"refund of {order_id}: {answer.status_code} {answer.text}")
                    return
                self.refunded.setdefault(order_id, set()).add(answer.json()["refundId"])
            return
        self._broken(f"order {order_id} did not end within {ANSWER_S_MAX:.0f} s, so nothing could be sent back")

    async def _ask(
        self, client: httpx.AsyncClient, method: str, path: str, body: object = None, *, key: str | None = None
    ) -> httpx.Response:
        """Ask until there is an answer that is final: the door may be closed for a while, or fall in one's face."""
        headers = {"Authorization": f"Bearer {self.token}"} | ({"Idempotency-Key": key} if key else {})
        with anyio.fail_after(ANSWER_S_MAX):
            while True:
                try:
                    answer = await client.request(method, self.url + path, json=body, headers=headers)
                except httpx.TransportError:
                    self.repeats += 1
                else:
                    if answer.status_code < 500 and answer.status_code != 429:
                        return answer
                    self.repeats += 1
                await anyio.sleep(PAUSE_S)

    def _broken(self, text: str) -> None:
        self.broken.append(text)
        self.story.tell(f"BROKEN {text}")


def draw_wishes(seed: int, count: int) -> list[Wish]:
    """What the customers want: a function of the seed."""
    random = Random(f"wishes {seed}")
    wants = random.choices(list(SHARES), list(SHARES.values()), k=count)
    return [
        Wish(
            number=number,
            key=f"{seed}-{number}",
            wants=want,
            sku=SCARCE if want == "scarce goods" else random.choice(GOODS[1:]),
            quantity=random.randint(1, 3),
            copies=random.choices((1, 2, 3), (7, 2, 1))[0],
            again=random.random() < 0.15,
            later_s=random.uniform(0, 1.5),
        )
        for number, want in enumerate(wants)
    ]


async def keep_ordering(shop: Shop, wishes: Sequence[Wish], *, per_s: float) -> None:
    """Each wish at its time, whatever became of those before; returns when every customer has come to an end."""
    began = anyio.current_time()
    limits = httpx.Limits(max_connections=100, max_keepalive_connections=20)
    async with (
        httpx.AsyncClient(trust_env=False, timeout=10, limits=limits) as client,
        anyio.create_task_group() as all_,
    ):
        for position, wish in enumerate(wishes):
            await anyio.sleep_until(began + position / per_s)
            all_.start_soon(shop.order, client, wish, name=f"customer {wish.key}")
    shop.ended = True
