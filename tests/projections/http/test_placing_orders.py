"""`POST /orders`: durable before it answers, exact to the last digit, and nothing stored for a refusal."""

from typing import Any

import anyio
import pytest

from orderstore.domain.events import OrderCreated
from orderstore.orders import placed
from orderstore.store.memory import MemoryEventStore
from tests.ordering import PlainVault, orders_over
from tests.projections.http.api import ADMIN, ARTICLE, TENANT, running


async def test_the_articles_request_is_accepted() -> None:
    """202 with the order, its event and its state; the log has it, with the article's total of 900.00 USD."""  # E004-E010, E039, D23
    async with running() as api:
        response = await api.post("/orders", ARTICLE)
        body = response.json()
        history = await api.orders.load(body["orderId"])
        (created,) = history.events

        assert response.status_code == 202
        assert body == {
            "orderId": body["orderId"],
            "eventId": created.event_id,
            "commit": 1,
            "status": "ORDER_RECEIVED",
        }
        assert response.headers["location"] == f"/orders/{body['orderId']}"
        assert response.headers["x-correlation-id"] == body["orderId"] == created.correlation_id
        assert placed(history).order.total_minor == 90_000
        assert (await api.get(response.headers["location"])).json()["total"] == "900.00"
        assert await api.stored() == [f"{TENANT}/order-{body['orderId']}"]
        assert api.measures.accepted == [False]


@pytest.mark.parametrize("price", [b"850", b'"850"', b"850.00", b'"850.000000"', b"8.5e2", b'"8.5E+2"', b"8500e-1"])
async def test_numbers_and_decimal_strings_are_one_price(price: bytes) -> None:
    """However a client writes 850, it is the same request."""  # E039, K2
    async with running() as api:
        items = b'{"sku":"LAPTOP-001","quantity":1,"price":%s},{"sku":"MOUSE-002","quantity":2,"price":25}'
        body = b'{"customerEmail":"jane@example.com","currency":"USD","items":[' + items % price + b"]}"
        first = await api.post("/orders", ARTICLE, Idempotency_Key="k")
        again = await api.send(body, Idempotency_Key="k")

        assert (first.status_code, again.status_code) == (202, 202)
        assert first.json() == again.json()


async def test_prices_never_pass_through_binary_floating_point() -> None:
    """0.1 + 0.2 is 0.3, and thirty lines of 0.1 are 3.00: no digit is lost or made up."""  # E007
    async with running() as api:
        lines = b",".join(b'{"sku":"S","quantity":1,"price":%s}' % price for price in [b"0.1", b"0.2", *[b"0.1"] * 27])
        response = await api.send(b'{"currency":"USD","items":[%s]}' % lines)
        order = (await api.orders.load(response.json()["orderId"])).events[0].event

        assert isinstance(order, OrderCreated)
        assert str(order.total_exact) == "3.0"
        assert order.total_minor == 300


@pytest.mark.parametrize("price", [b"0.100000000000000005", b'"0.1000001"', b"1e-7"])
async def test_a_price_with_too_many_digits_is_refused_not_rounded(price: bytes) -> None:
    """Rounding somebody's price silently would be a lie."""
    async with running() as api:
        response = await api.send(b'{"currency":"USD","items":[{"sku":"S","quantity":9,"price":%s}]}' % price)

        assert response.status_code == 422
        assert response.json()["errors"][0]["pointer"] == "/items/0/price"
        assert await api.stored() == []


async def test_the_caller_is_named_in_history_and_its_trace_travels_on() -> None:
    """Who asked, as whom, and under which trace."""
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    async with running() as api:
        by_shop = (await api.post("/orders", ARTICLE, traceparent=trace)).json()["orderId"]
        by_operator = (await api.post("/orders", ARTICLE, token=ADMIN)).json()["orderId"]
        (shop,) = (await api.orders.load(by_shop)).events
        (operator,) = (await api.orders.load(by_operator)).events

        assert (shop.actor.type, shop.actor.id, shop.traceparent) == ("customer", "writer", trace)
        assert (operator.actor.type, operator.actor.id, operator.traceparent) == ("operator", "admin", None)


@pytest.mark.parametrize(
    "trace",
    [
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more" + "x" * 1000,
        "nonsense",
    ],
)
async def test_a_malformed_trace_is_dropped_and_the_order_taken(trace: str) -> None:
    """W3C: whoever cannot read it restarts the trace; it is no reason to lose an order."""
    async with running() as api:
        response = await api.post("/orders", ARTICLE, traceparent=trace)

        assert response.status_code == 202
        assert (await api.orders.load(response.json()["orderId"])).events[0].traceparent is None


async def test_a_repeat_with_the_same_key_is_answered_the_same() -> None:
    """One order, however often it is sent; the repeat says that it is one."""  # E044, A16
    async with running() as api:
        first = await api.post("/orders", ARTICLE, Idempotency_Key="checkout-17")
        again = await api.post("/orders", ARTICLE, Idempotency_Key="checkout-17")

        assert (again.status_code, again.json()) == (202, first.json())
        assert "idempotency-replayed" not in first.headers
        assert again.headers["idempotency-replayed"] == "true"
        assert len(await api.stored()) == 1
        assert api.measures.accepted == [False, True]


async def test_the_same_key_with_another_body_is_refused() -> None:
    """The first order stands as it was, and nothing is stored beside it."""
    async with running() as api:
        first = await api.post("/orders", ARTICLE, Idempotency_Key="k")
        other = await api.post("/orders", {**ARTICLE, "currency": "GBP"}, Idempotency_Key="k")

        assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
        assert len(await api.stored()) == 1
        assert (await api.get(f"/orders/{first.json()['orderId']}")).json()["currency"] == "USD"


async def test_concurrent_repeats_make_one_order() -> None:
    """Twenty impatient clicks at once: twenty equal answers, one commit."""
    async with running() as api:
        answers: list[Any] = []

        async def click() -> None:
            response = await api.post("/orders", ARTICLE, Idempotency_Key="click")
            answers.append((response.status_code, response.json(), response.headers.get("idempotency-replayed")))

        async with anyio.create_task_group() as clicks:
            for _ in range(20):
                clicks.start_soon(click)

        assert {(status, body["orderId"], body["eventId"]) for status, body, _ in answers} == {
            (202, answers[0][1]["orderId"], answers[0][1]["eventId"])
        }
        assert [replayed for _, _, replayed in answers].count("true") == 19
        assert len(await api.stored()) == 1


async def test_without_a_key_every_request_is_an_order_of_its_own() -> None:
    """Only the client knows that it repeats itself."""
    async with running() as api:
        await api.place()
        await api.place()

        assert len(await api.stored()) == 2


@pytest.mark.parametrize("key", ["", "x" * 256, "tab\tinside", "caf\xe9"])
async def test_a_key_out_of_bounds_is_refused(key: str) -> None:
    """1 to 255 printable ASCII characters."""
    async with running() as api:
        headers = {"Authorization": "Bearer writer-secret", "Idempotency-Key": key.encode("latin-1")}
        response = await api.client.post("/orders", json=ARTICLE, headers=headers)

        assert response.status_code == 400
        assert response.json()["errors"][0]["parameter"] == "Idempotency-Key"
        assert await api.stored() == []


async def test_two_keys_are_refused() -> None:
    """Which of them names the order? Nobody can tell."""
    async with running() as api:
        headers = [("Authorization", "Bearer writer-secret"), ("Idempotency-Key", "a"), ("Idempotency-Key", "b")]
        response = await api.client.post("/orders", json=ARTICLE, headers=headers)

        assert (response.status_code, response.json()["code"]) == (400, "bad_parameter")
        assert await api.stored() == []


async def test_a_key_of_255_characters_is_taken() -> None:
    """The bound itself is inside."""
    async with running() as api:
        assert (await api.post("/orders", ARTICLE, Idempotency_Key="~" * 255)).status_code == 202


HOOKS = [{"paymentOutcome": "declined"}, {"inventoryOutcome": "reserved"}, {"simulateTechnicalFailure": "payment"}]


@pytest.mark.parametrize("hook", HOOKS)
async def test_test_hooks_are_refused_without_the_sandbox(hook: dict[str, str]) -> None:
    """A customer must not decide whether a payment succeeds."""  # E038, K5
    async with running(hooks_allowed=False) as api:
        response = await api.post("/orders", {**ARTICLE, **hook})

        assert (response.status_code, response.json()["code"]) == (422, "hooks_refused")
        assert await api.stored() == []


@pytest.mark.parametrize("hook", HOOKS)
async def test_test_hooks_work_with_the_sandbox(hook: dict[str, str]) -> None:
    """The article's scenarios need them."""
    async with running(hooks_allowed=True) as api:
        assert (await api.post("/orders", {**ARTICLE, **hook})).status_code == 202


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
async def test_a_moment_that_utc_cannot_hold_is_refused(moment: str) -> None:
    """Taken, it would be an order that every projector stumbles over for ever."""
    async with running() as api:
        response = await api.post("/orders", {**ARTICLE, "placedAt": moment})

        assert response.status_code == 422
        assert await api.stored() == []


async def test_a_repeat_says_so_also_when_nothing_in_it_is_drawn_anew() -> None:
    """The header tells what happened, not whether two orders look alike."""
    async with running() as api:
        anonymous = {**ARTICLE, "customerEmail": None, "placedAt": "2026-03-01T12:00:00Z"}
        await api.post("/orders", anonymous, Idempotency_Key="k")
        again = await api.post("/orders", anonymous, Idempotency_Key="k")

        assert again.headers.get("idempotency-replayed") == "true"


async def test_an_order_of_an_erased_customer_is_refused_in_words() -> None:
    """It is no fault of ours that may be repeated: what was erased stays so, and nothing is stored."""
    vault, store = PlainVault(), MemoryEventStore()
    vault.erased.add("customer:customer-1")
    async with running(store=store, orders=orders_over(store, vault=vault)) as api:
        response = await api.post("/orders", {**ARTICLE, "customerId": "customer-1"})

        assert (response.status_code, response.json()["code"]) == (422, "customer_erased")
        assert await api.stored() == []
