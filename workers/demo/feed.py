"""Feed generated orders through the API, as a client would: over HTTP, with a token and an Idempotency-Key an order.

The key comes from the seed and the order's place, so that a run which was killed can be run again and adds nothing twice.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

import aiohttp
import anyio
import orjson

from workers.intake.generator import Expectation, GeneratedOrder

TRIES_MAX: Final = 8
FIRST_PAUSE_S: Final = 0.2
REQUEST_TIMEOUT_S: Final = 60

_HOOKS: Final[dict[Expectation, dict[str, str]]] = {
    Expectation.COMPLETED: {},
    Expectation.CANCEL_REQUESTED: {},
    Expectation.PAYMENT_DECLINED: {"paymentOutcome": "declined"},
    Expectation.OUT_OF_STOCK: {"inventoryOutcome": "out_of_stock"},
    Expectation.BOTH_FAILED: {"paymentOutcome": "declined", "inventoryOutcome": "out_of_stock"},
}


class FeedError(Exception):
    """The API did not take an order; what it took before is kept and goes on."""


@dataclass(frozen=True, slots=True)
class Fed:
    """An order that the API took. `too_late` when the cancellation that was asked for came after the dispatch."""

    order_id: str
    expectation: Expectation
    new: bool
    too_late: bool = False


class Feeder:
    """Sends orders, `concurrency` at a time."""

    def __init__(self, session: aiohttp.ClientSession, *, base_url: str, token: str, concurrency: int) -> None:
        self._session = session
        self._base_url = base_url
        self._token = token
        self._limiter = anyio.CapacityLimiter(concurrency)

    async def feed(self, orders: Iterator[GeneratedOrder], on_fed: Callable[[Fed], None]) -> None:
        """Send every order. Raises FeedError (in a group) for the first that is not taken."""
        async with anyio.create_task_group() as group:
            for order in orders:
                # Taken here, before the task exists: so a million orders never wait in memory.
                await self._limiter.acquire_on_behalf_of(order.key)
                group.start_soon(self._feed_one, order, on_fed, name=f"feed {order.key}")

    async def _feed_one(self, order: GeneratedOrder, on_fed: Callable[[Fed], None]) -> None:
        try:
            status, answer, headers = await self._post("/orders", body_of(order), key=f"demo:{order.key}")
            if status != HTTPStatus.ACCEPTED:
                raise FeedError(f"order {order.key} was not taken: {status} {answer.get('detail', answer)}")
            order_id: str = answer["orderId"]
            too_late = False
            if order.expectation is Expectation.CANCEL_REQUESTED:
                status, answer, _ = await self._post(f"/orders/{order_id}/cancel", {"reason": "changed my mind"})
                if status not in (HTTPStatus.ACCEPTED, HTTPStatus.CONFLICT):
                    raise FeedError(f"the cancellation of {order_id} failed: {status} {answer.get('detail', answer)}")
                too_late = status == HTTPStatus.CONFLICT
            new = "idempotency-replayed" not in {name.lower() for name in headers}
            on_fed(Fed(order_id, order.expectation, new=new, too_late=too_late))
        finally:
            self._limiter.release_on_behalf_of(order.key)

    async def _post(
        self, path: str, body: dict[str, Any], *, key: str | None = None
    ) -> tuple[int, dict[str, Any], dict[str, str]]:
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        if key is not None:
            headers["Idempotency-Key"] = key
        pause_s = FIRST_PAUSE_S
        for last in (*[False] * (TRIES_MAX - 1), True):
            try:
                async with self._session.post(
                    self._base_url + path,
                    data=orjson.dumps(body),
                    headers=headers,
                    timeout=aiohttp.ClientTimeout(total=REQUEST_TIMEOUT_S),
                ) as response:
                    if response.status < HTTPStatus.INTERNAL_SERVER_ERROR or last:
                        return response.status, orjson.loads(await response.read()), dict(response.headers)
            except (aiohttp.ClientError, TimeoutError) as error:
                if last:
                    raise FeedError(f"{path}: {error!r} after {TRIES_MAX} tries") from error
            await anyio.sleep(pause_s)
            pause_s *= 2
        raise AssertionError("the last try returns or raises")


def body_of(order: GeneratedOrder) -> dict[str, Any]:
    """The request of the article (E038), with prices as decimal strings."""
    body: dict[str, Any] = {
        "customerEmail": order.customer_email,
        "currency": order.currency,
        "country": order.country,
        "channel": "demo",
        "reference": order.key,
        "items": [
            {
                "sku": line.sku,
                "quantity": line.quantity,
                "price": str(line.unit_price),
                "description": line.description,
            }
            for line in order.lines
        ],
        **_HOOKS[order.expectation],
    }
    if order.customer_id is not None:
        body["customerId"] = order.customer_id
    return body
