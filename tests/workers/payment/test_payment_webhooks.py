"""Stripe's webhooks at the API's door: signed or refused, in any order, twice, late; never more than a hint."""

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import stripe
import structlog
from structlog.testing import LogCapture

from projections.http.auth import BearerTokens, Token, sha256_of
from projections.http.services import Services
from tests.projections.http.shared_app import app_over
from tests.workers.payment.test_stripe_faults import StripeWorld
from workers.payment.webhooks import HintNotTaken, StripeHooks
from workers.runtime.outcome import Defer, Done

SECRET, NEXT_SECRET = "whsec_now", "whsec_next"


class Door:
    """The API with a hook whose hints land on the world's payment queue."""

    def __init__(self, world: StripeWorld, **changes: Any) -> None:
        self.world = world
        self.sent: list[str] = []
        self.logs = LogCapture()
        self.hooks = StripeHooks(world.orders, secrets=[SECRET, NEXT_SECRET], send=self._send)
        self.down = False
        services: dict[str, Any] = {
            "orders": world.orders,
            "views": None,
            "authentication": BearerTokens([Token("t", sha256_of("t"), frozenset({"admin"}))]),
            "readiness": dict,
            "metrics": lambda: (b"", ""),
            "fresh": None,
            "exceptions": None,
            "sales": None,
            "business": None,
            "publication": None,
            "tenant": "test",
            "logger": structlog.wrap_logger(None, processors=[self.logs]),
            "payment_hooks": self.hooks,
            **changes,
        }
        self.app = app_over(Services(**services))

    async def _send(self, body: str) -> None:
        if self.down:
            raise HintNotTaken("down")
        self.sent.append(body)
        self.world.send("payment", body)

    @asynccontextmanager
    async def client(self) -> AsyncIterator[httpx.AsyncClient]:
        transport = httpx.ASGITransport(app=self.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
            yield client

    async def tell(
        self, body: str, *, signature: str | None = None, secret: str = SECRET, age_s: int = 0
    ) -> httpx.Response:
        signed = stripe.WebhookSignature.generate_signature_header(body, secret, int(time.time()) - age_s)
        async with self.client() as client:
            return await client.post(
                "/webhooks/payments",
                content=body,
                headers={"Stripe-Signature": signed if signature is None else signature},
            )


def event_of(kind: str, order_id: str | None, **more: Any) -> str:
    metadata = {} if order_id is None else {"orderstore_order": order_id}
    thing = {"id": "pi_1", "object": "payment_intent", "metadata": metadata, **more}
    return json.dumps({"id": "evt_1", "object": "event", "type": kind, "data": {"object": thing}})


async def test_a_webhook_makes_the_worker_look_at_its_order() -> None:
    """The payment was processing; the hint brings the order on as soon as Stripe has decided."""  # E030
    world = StripeWorld()
    door = Door(world)
    order_id = await world.place(paymentMethod="pm_processing")
    queue, message = next(entry for entry in world.messages if entry[0] == "payment")
    assert isinstance(await world.handlers[queue](message), Defer)
    world.stripe.settle("ok")
    answer = await door.tell(event_of("payment_intent.amount_capturable_updated", order_id))
    assert (answer.status_code, answer.json()) == (200, {"status": "noted"})
    await world.deliver()
    assert await world.status(order_id) == "Completed"


async def test_webhooks_come_in_any_order_and_twice_and_late() -> None:
    """Before our own response, after it, again when all is over: the effects are those of no webhook at all."""  # E074, D13
    world = StripeWorld()
    door = Door(world)
    order_id = await world.place(paymentMethod="pm_ok")
    for kind in ("charge.succeeded", "payment_intent.succeeded"):  # before the worker has even begun
        assert (await door.tell(event_of(kind, order_id))).json() == {"status": "noted"}
    world.stripe.faults.extend([None, None, None, "lost after"])
    for _ in range(2):
        await world.deliver(copies=2)
        await door.tell(event_of("payment_intent.succeeded", order_id))
    await world.deliver()
    assert await world.status(order_id) == "Completed"
    assert len(world.stripe.successes) == 1
    assert (await door.tell(event_of("payment_intent.succeeded", order_id))).json() == {"status": "ignored"}


@pytest.mark.parametrize(
    "kind", ["payment_intent.created", "payment_intent.processing", "payment_intent.requires_action"]
)
async def test_what_only_says_that_there_is_no_outcome_yet_wakes_nobody(kind: str) -> None:
    """Stripe tells of each intent while our own request is under way: a second worker would meet it there, and get a conflict that
    looks like an outage."""  # D12
    world = StripeWorld()
    door = Door(world)
    order_id = await world.place(paymentMethod="pm_ok")

    assert (await door.tell(event_of(kind, order_id))).json() == {"status": "ignored"}
    assert door.sent == []


async def test_a_webhook_before_the_response_and_the_response_agree() -> None:
    """A second worker finds the charge that the first is still waiting for; both write the same outcome once."""
    world = StripeWorld()
    door = Door(world)
    order_id = await world.place(paymentMethod="pm_ok")
    queue, message = next(entry for entry in world.messages if entry[0] == "payment")
    real = world.gateway.authorize

    async def slow(*arguments: Any, **named: Any) -> Any:
        answer = await real(*arguments, **named)  # the charge has landed, and before we hear of it …
        world.gateway.authorize = real  # type: ignore[method-assign]  # only the first one is slow
        assert (await door.tell(event_of("payment_intent.succeeded", order_id))).json() == {"status": "noted"}
        assert await world.handlers["payment"](world.messages[-1][1]) == Done()
        return answer

    world.gateway.authorize = slow  # type: ignore[method-assign]  # as above
    assert await world.handlers[queue](message) == Done()
    await world.deliver()
    assert (await world.events(order_id)).count("PaymentCompleted") == 1
    assert len(world.stripe.successes) == 1


@pytest.mark.parametrize(
    "signature", ["", "t=1,v1=00", "t=x", "v1=aa", "t=1", "nonsense", "t=9999999999999999999,v1=a", "=,=,="]
)
async def test_what_stripe_did_not_sign_is_refused(signature: str) -> None:
    """400, nothing is handed on, and nothing of it is logged."""  # D33
    world = StripeWorld()
    door = Door(world)
    order_id = await world.place(paymentMethod="pm_ok")
    answer = await door.tell(
        event_of("payment_intent.succeeded", order_id, receipt_email="ada@example.com"), signature=signature
    )
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_signature")
    assert door.sent == []
    assert "ada@example.com" not in repr(door.logs.entries)
    assert order_id not in repr(door.logs.entries)


async def test_a_signature_is_for_one_body_one_secret_and_five_minutes() -> None:
    """Both secrets of a rotation are good; an old message, or another's, is not."""
    world = StripeWorld()
    door = Door(world)
    body = event_of("payment_intent.succeeded", await world.place(paymentMethod="pm_ok"))
    assert (await door.tell(body, secret=NEXT_SECRET)).status_code == 200
    assert (await door.tell(body, secret="whsec_former")).status_code == 400
    assert (await door.tell(body, age_s=290)).status_code == 200
    assert (await door.tell(body, age_s=310)).status_code == 400
    other = stripe.WebhookSignature.generate_signature_header(body + " ", SECRET)
    assert (await door.tell(body, signature=other)).status_code == 400


@pytest.mark.parametrize(
    "body",
    [
        event_of("customer.created", None),
        event_of("payment_intent.succeeded", "not-an-order"),
        event_of("payment_intent.succeeded", "00000000-0000-4000-8000-000000000000"),
        json.dumps(
            {"id": "evt_1", "object": "event", "type": "x", "data": {"object": {"metadata": {"orderstore_order": 5}}}}
        ),
    ],
)
async def test_what_is_meant_for_nobody_here_is_ignored(body: str) -> None:
    """The account may have other users; an error would make Stripe send it for three days."""
    world = StripeWorld()
    door = Door(world)
    answer = await door.tell(body)
    assert (answer.status_code, answer.json()) == (200, {"status": "ignored"})
    assert door.sent == []


@pytest.mark.parametrize("body", ["[]", "null", "{}", '{"object": "v2.core.event"}', "not json", '{"data": 5}'])
async def test_a_signed_body_that_is_no_event_is_an_answer_and_no_fault(body: str) -> None:
    """Nothing that has a signature takes the API down either."""
    door = Door(StripeWorld())
    assert (await door.tell(body)).status_code in (200, 400)
    assert door.sent == []


async def test_a_hint_that_cannot_be_handed_on_is_asked_for_again() -> None:
    """503, so that Stripe sends it once more."""
    world = StripeWorld()
    door = Door(world)
    door.down = True
    answer = await door.tell(event_of("payment_intent.succeeded", await world.place(paymentMethod="pm_ok")))
    assert answer.status_code == 503


async def test_a_body_is_bounded() -> None:
    """A megabyte is more than any event of Stripe's."""
    door = Door(StripeWorld())
    assert (await door.tell("x" * (1024 * 1024 + 1))).status_code == 413


async def test_the_door_is_described() -> None:
    """With its problem, and without a token."""
    async with Door(StripeWorld()).client() as client:
        document = (await client.get("/openapi.json")).json()
    operation = document["paths"]["/webhooks/payments"]["post"]
    assert "`bad_signature`" in operation["responses"]["400"]["description"]
    assert "security" not in operation
    assert "/webhooks/payments" not in Door(StripeWorld(), payment_hooks=None).app.openapi()["paths"]


async def test_an_api_without_a_secret_has_no_such_door() -> None:
    """And one with an empty secret does not start."""
    door = Door(StripeWorld(), payment_hooks=None)
    assert (await door.tell(event_of("x", None))).status_code == 404
    for secrets in ([], [""], ["a", ""]):
        with pytest.raises(ValueError, match="secrets"):
            StripeHooks(door.world.orders, secrets=secrets, send=door._send)
