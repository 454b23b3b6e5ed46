"""The demonstration is a client like any other: it sends its key, tries again what may be tried again, and gives up in words."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import islice

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from workers.demo import feed
from workers.demo.feed import TRIES_MAX, Fed, Feeder, FeedError, body_of
from workers.intake.generator import Expectation, GeneratedOrder, GeneratorSettings, OrderGenerator


def an_order(expectation: Expectation = Expectation.COMPLETED) -> GeneratedOrder:
    """The first generated order of that expectation."""
    every = OrderGenerator(GeneratorSettings(seed=1)).orders(5_000)
    return next(order for order in every if order.expectation is expectation)


@dataclass
class Api:
    """Answers with these statuses in turn, the last one for ever, and remembers what it was asked."""

    statuses: list[int]
    cancel_status: int = 202
    replayed: bool = False
    keys: list[str | None] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        self.keys.append(request.headers.get("Idempotency-Key"))
        self.paths.append(request.path)
        if request.path.endswith("/cancel"):
            return web.json_response({"orderId": "order-1"}, status=self.cancel_status)
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        headers = {"Idempotency-Replayed": "true"} if self.replayed else {}
        return web.json_response({"orderId": "order-1", "detail": "no"}, status=status, headers=headers)


@asynccontextmanager
async def feeding(api: Api) -> AsyncIterator[Feeder]:
    app = web.Application()
    app.router.add_post("/{path:.*}", api.answer)
    async with TestServer(app) as server, aiohttp.ClientSession() as session:
        yield Feeder(session, base_url=str(server.make_url("")).rstrip("/"), token="t", concurrency=4)


async def fed(api: Api, *orders: GeneratedOrder) -> list[Fed]:
    taken: list[Fed] = []
    async with feeding(api) as feeder:
        await feeder.feed(iter(orders), taken.append)
    return taken


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pauses between tries are not what these tests are about."""
    monkeypatch.setattr(feed, "FIRST_PAUSE_S", 0)


async def test_a_failure_of_the_service_is_tried_again_under_the_same_key() -> None:
    """So that an order whose answer was lost is not placed twice."""
    api, order = Api([503, 500, 202]), an_order()

    taken = await fed(api, order)

    assert taken == [Fed("order-1", Expectation.COMPLETED, new=True)]
    assert api.keys == [f"demo:{order.key}"] * 3


async def test_a_service_that_stays_down_is_given_up_in_words() -> None:
    """After a bounded number of tries."""
    api = Api([503])

    with pytest.RaisesGroup(pytest.RaisesExc(FeedError, match="was not taken: 503 no")):
        await fed(api, an_order())
    assert len(api.keys) == TRIES_MAX


async def test_a_refusal_is_not_tried_again() -> None:
    """The same request would be refused again."""
    api = Api([422])

    with pytest.RaisesGroup(pytest.RaisesExc(FeedError, match="was not taken: 422 no")):
        await fed(api, an_order())
    assert len(api.keys) == 1


async def test_an_order_of_an_earlier_run_is_known_as_such() -> None:
    """The API says that it had answered before."""
    (taken,) = await fed(Api([202], replayed=True), an_order())

    assert not taken.new


@pytest.mark.parametrize(("status", "too_late"), [(202, False), (409, True)])
async def test_a_change_of_mind_is_asked_for_and_may_come_too_late(status: int, too_late: bool) -> None:
    """A conflict says that the goods have left: no error, another end."""
    api = Api([202], cancel_status=status)

    (taken,) = await fed(api, an_order(Expectation.CANCEL_REQUESTED))

    assert api.paths == ["/orders", "/orders/order-1/cancel"]
    assert taken.too_late is too_late


async def test_every_order_is_sent_once() -> None:
    """More orders than may be under way at once."""
    api = Api([202])
    orders = list(islice(OrderGenerator(GeneratorSettings(seed=1)).orders(40), 40))

    await fed(api, *orders)

    assert {key for key in api.keys if key is not None} == {f"demo:{order.key}" for order in orders}


@pytest.mark.parametrize("expectation", Expectation)
def test_the_body_asks_the_sandbox_for_the_end_that_is_expected(expectation: Expectation) -> None:
    """Only where an end does not come by itself; prices travel as decimal strings."""
    body = body_of(an_order(expectation))

    hooks = {name: body[name] for name in ("paymentOutcome", "inventoryOutcome") if name in body}
    assert (
        hooks
        == {
            Expectation.COMPLETED: {},
            Expectation.CANCEL_REQUESTED: {},
            Expectation.PAYMENT_DECLINED: {"paymentOutcome": "declined"},
            Expectation.OUT_OF_STOCK: {"inventoryOutcome": "out_of_stock"},
            Expectation.BOTH_FAILED: {"paymentOutcome": "declined", "inventoryOutcome": "out_of_stock"},
        }[expectation]
    )
    assert all(isinstance(item["price"], str) for item in body["items"])
