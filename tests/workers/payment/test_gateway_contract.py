"""One contract for every payment gateway: the sandbox, and Stripe's adapter over a fake in process and over HTTP on loopback."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import anyio
import pytest
from aiohttp import web

from orderstore.domain.money import Money
from tests.workers.payment.stripe_fake import FakeStripe, InProcess, Lost
from workers.payment.gateway import (
    Authorized,
    Declined,
    GatewayRefused,
    GatewayTimeout,
    GatewayUnavailable,
    PaymentGateway,
    Taken,
)
from workers.payment.sandbox import SandboxGateway
from workers.payment.stripe_gateway import StripeGateway
from workers.payment.stripe_http import open_stripe, stripe_client
from workers.payment.stripe_intents import TableIntents
from workers.sandbox.ledger import TableLedger
from workers.tables.memory import MemoryTable

AMOUNT = Money(90_000, "USD")
NOW_MS = 1_772_366_400_000


@dataclass
class Provider:
    gateway: PaymentGateway
    declining: PaymentGateway
    decline_method: str
    charges: Callable[[], Any]

    async def authorize(self, key: str = "a", *, amount: Money = AMOUNT, capture: bool = False) -> Any:
        return await self.gateway.authorize(key, amount=amount, order_reference="o", capture=capture, method="pm_ok")


@asynccontextmanager
async def loopback(fake: FakeStripe) -> AsyncIterator[str]:
    """The fake as a server; what is lost is a connection that is cut."""

    async def handle(request: web.Request) -> web.StreamResponse:
        body = (await request.read()).decode()
        try:
            status, document, headers = await fake.answer(
                request.method.lower(), str(request.rel_url), request.headers, body
            )
        except Lost:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        if isinstance(document, str):
            return web.Response(text=document, status=status)
        return web.json_response(document, status=status, headers=headers)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@pytest.fixture(params=["sandbox", "stripe in process", "stripe over http"])
async def provider(request: pytest.FixtureRequest) -> AsyncIterator[Provider]:
    if request.param == "sandbox":
        ledger = TableLedger(MemoryTable(), now_ms=lambda: NOW_MS)

        async def kinds() -> list[str]:
            return [entry.kind async for entry in ledger.entries() if entry.kind in ("authorize", "charge")]

        yield Provider(SandboxGateway(ledger), SandboxGateway(ledger, declines=True), "pm_ok", kinds)
        return
    fake = FakeStripe(lambda: NOW_MS / 1_000)

    async def successes() -> list[Any]:
        return fake.successes

    async with AsyncExitStack() as stack:
        if request.param == "stripe in process":
            client = stripe_client(fake.api_key, InProcess(fake), api_base=None)
        else:
            base = await stack.enter_async_context(loopback(fake))
            client = await stack.enter_async_context(open_stripe(fake.api_key, api_base=base))
        gateway = StripeGateway(client, TableIntents(MemoryTable(), now_ms=lambda: NOW_MS), now_ms=lambda: NOW_MS)
        yield Provider(gateway, gateway, "pm_decline_stolen_card", successes)


async def test_an_attempt_that_is_repeated_holds_the_money_once(provider: Provider) -> None:
    """The answer is the same, and so is what `find` says."""  # A04, E074
    assert await provider.gateway.find("a") is None
    held = await provider.authorize()
    assert isinstance(held, Authorized)
    assert await provider.authorize() == held == await provider.gateway.find("a")
    assert await provider.gateway.find("b") is None
    assert len(await provider.charges()) == 1


async def test_a_decline_stays_a_decline(provider: Provider) -> None:
    """Nobody asks the card twice for one attempt."""  # E054, A04
    asked: Any = {"amount": AMOUNT, "order_reference": "o", "capture": False, "method": provider.decline_method}
    no = await provider.declining.authorize("a", **asked)
    assert isinstance(no, Declined)
    assert await provider.declining.authorize("a", **asked) == no == await provider.declining.find("a")
    assert await provider.charges() == []


async def test_an_attempt_cannot_be_repeated_with_another_amount(provider: Provider) -> None:
    """That is a bug of ours, and no decline."""
    await provider.authorize()
    with pytest.raises(GatewayRefused, match="another amount"):
        await provider.authorize(amount=Money(90_001, "USD"))


async def test_what_is_held_is_taken_once(provider: Provider) -> None:
    """A repeated capture is the same capture, and nothing is voided any more."""  # E074
    held = await provider.authorize()
    first = await provider.gateway.capture("c", reference=held.reference, amount=AMOUNT)
    assert await provider.gateway.capture("c", reference=held.reference, amount=AMOUNT) == first
    with pytest.raises(GatewayRefused):
        await provider.gateway.void("v", reference=held.reference)


async def test_what_is_let_go_cannot_be_taken(provider: Provider) -> None:
    """A void may be repeated."""
    held = await provider.authorize()
    await provider.gateway.void("v", reference=held.reference)
    await provider.gateway.void("v", reference=held.reference)
    with pytest.raises(GatewayRefused):
        await provider.gateway.capture("c", reference=held.reference, amount=AMOUNT)


async def test_each_refund_is_paid_once(provider: Provider) -> None:
    """A repeated key is the same refund, with its own amount; money that was only held is not refunded."""  # E074
    held = await provider.authorize()
    with pytest.raises(GatewayRefused):
        await provider.gateway.refund("r1", reference=held.reference, amount=Money(100, "USD"))
    await provider.gateway.capture("c", reference=held.reference, amount=AMOUNT)
    first = await provider.gateway.refund("r1", reference=held.reference, amount=Money(100, "USD"))
    assert await provider.gateway.refund("r1", reference=held.reference, amount=Money(100, "USD")) == first
    assert await provider.gateway.refund("r2", reference=held.reference, amount=Money(100, "USD")) != first
    with pytest.raises(GatewayRefused, match="another refund"):
        await provider.gateway.refund("r1", reference=held.reference, amount=Money(101, "USD"))


async def test_parts_are_taken_once_each_and_never_more_than_is_held(provider: Provider) -> None:
    """A part is known by what was taken before it: another capture cannot take the same money."""  # E074
    held = await provider.gateway.authorize(
        "a", amount=AMOUNT, order_reference="o", capture=False, method="pm_ok", in_parts=True
    )
    part: Any = {"reference": held.reference, "amount": Money(60_000, "USD"), "final": False}
    first = await provider.gateway.capture("c1", **part)
    assert await provider.gateway.capture("c1", **part) == first
    with pytest.raises(GatewayRefused):
        await provider.gateway.capture("c2", reference=held.reference, amount=Money(50_000, "USD"), final=False)
    with pytest.raises(GatewayRefused):
        await provider.gateway.capture("c2", reference=held.reference, amount=Money(50_000, "USD"), before_minor=60_000)
    await provider.gateway.capture("c2", reference=held.reference, amount=Money(30_000, "USD"), before_minor=60_000)
    given = await provider.gateway.refund("r", reference=held.reference, amount=AMOUNT)
    assert given == await provider.gateway.refund("r", reference=held.reference, amount=AMOUNT)


async def test_an_attempt_that_is_ended_holds_nothing_and_never_will(provider: Provider) -> None:
    """Held, it is let go; never begun or declined, there is nothing to end; ended twice, it is ended."""
    assert await provider.gateway.close("never") is None
    held = await provider.authorize()
    assert await provider.gateway.close("a") is None
    assert await provider.gateway.close("a") is None
    with pytest.raises(GatewayRefused):
        await provider.gateway.capture("c", reference=held.reference, amount=AMOUNT)
    no = await provider.declining.authorize(
        "b", amount=AMOUNT, order_reference="o", capture=False, method=provider.decline_method
    )
    assert isinstance(no, Declined)
    assert await provider.declining.close("b") is None


@pytest.mark.parametrize("capture", [True, False], ids=["at once", "later"])
async def test_money_that_an_ended_attempt_took_is_told(provider: Provider, capture: bool) -> None:
    """It stays where it is: what becomes of it is not for the provider to say."""
    held = await provider.authorize(capture=capture)
    if not capture:
        await provider.gateway.capture("c", reference=held.reference, amount=AMOUNT)
    assert await provider.gateway.close("a") == Taken(held.reference, AMOUNT) == await provider.gateway.close("a")


async def test_of_many_at_once_one_charges(provider: Provider) -> None:
    """Who comes while another is at work may be told to come again, but never charges."""  # E071, E074
    told: list[Any] = []

    async def one() -> None:
        try:
            told.append(await provider.authorize(capture=True))
        except (GatewayTimeout, GatewayUnavailable):
            told.append(None)

    async with anyio.create_task_group() as tasks:
        for _ in range(8):
            tasks.start_soon(one)
    final = await provider.authorize(capture=True)
    assert {answer for answer in told if answer is not None} <= {final}
    assert len(await provider.charges()) == 1
