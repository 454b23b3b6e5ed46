"""The whole service with Stripe behind payments, on the embedded environment: wired, paid over HTTP, told by webhooks, reconciled."""

import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
import stripe
from typer.testing import CliRunner

from deploy.local.environment import Environment
from tests.workers.payment.stripe_fake import FakeStripe
from tests.workers.payment.test_gateway_contract import loopback
from tests.workers.test_wiring import out_of_reach
from workers.cli import build
from workers.core import Core, open_core
from workers.departments import payment_handler, stock_of
from workers.metrics.table import Metrics
from workers.payments import daily_reconciliation, payment_hooks, payment_reconciliation
from workers.settings import SettingsError, from_environment
from workers.wiring import open_service

SECRET = "whsec_test"
SELLER = """
[[seller]]
id = "gb"
name = "Acme Retail Ltd"
address = ["1 High Street", "London N1 9GU"]
vat_id = "GB123456789"
[[seller.series]]
channels = ["*"]
invoices = "INV"
credit_notes = "CN"
"""


async def status_of(core: Core, order_id: str) -> str:
    return type((await core.orders.load(order_id)).state).__name__


async def becomes(core: Core, order_id: str, status: str) -> None:
    async def is_so() -> bool:
        return await status_of(core, order_id) == status

    await eventually(is_so, what=f"{order_id} is {status}")


async def eventually(look: Callable[[], Awaitable[bool]], *, what: str) -> None:
    """Sixty seconds at most."""
    for _ in range(600):
        if await look():
            return
        await anyio.sleep(0.1)
    raise AssertionError(what)


@pytest.mark.emulator
async def test_an_order_is_paid_through_stripe_from_the_door_to_the_books(
    environment: dict[str, str], emulator: Environment
) -> None:
    """A card that is processing is told by a webhook; the day's books and the log agree."""  # A04, E030
    fake = FakeStripe(time.time)
    async with loopback(fake) as base:
        settings = from_environment(
            environment,
            overrides={
                "ORDERSTORE_PROVIDERS": "stripe",
                "ORDERSTORE_SELLERS": SELLER,
                "ORDERSTORE_STRIPE_API_KEY": fake.api_key,
                "ORDERSTORE_STRIPE_API_BASE": base,
                "ORDERSTORE_STRIPE_WEBHOOK_SECRET": SECRET,
                "ORDERSTORE_API_PORT": "0",
                "ORDERSTORE_QUEUE_WAIT_S": "1",
            },
        )
        roles: Any = ["api", "relay", "payment", "inventory", "shipping", "billing"]
        async with open_service(settings, roles, Metrics()) as running, anyio.create_task_group() as tasks:
            core, stop = running.core, anyio.Event()
            await stock_of(core).receive("opening", {"LAPTOP-001": 10})
            await tasks.start(running.service.run, stop)
            try:
                headers = {"Authorization": f"Bearer {emulator.api_token}"}
                async with httpx.AsyncClient(
                    base_url=f"http://127.0.0.1:{running.http_port}", headers=headers
                ) as client:
                    paid = await place(client, "pm_ok")
                    declined = await place(client, "pm_decline_insufficient_funds")
                    waiting = await place(client, "pm_processing")
                    await becomes(core, paid, "Completed")
                    await becomes(core, declined, "Cancelled")
                    await eventually(partial(is_processing, fake), what="the third is processing")
                    fake.settle("ok")
                    await tell(client, waiting)
                    await becomes(core, waiting, "Completed")
                reconciliation = payment_reconciliation(core)
                assert reconciliation is not None
                report = await reconciliation.reconcile(datetime.now(tz=UTC).date())
                assert (report.compared, report.found) == (3, ())
            finally:
                stop.set()
    assert sorted(attempt for attempt, _ in fake.successes) == sorted([f"{paid}:payment:1", f"{waiting}:payment:1"])


async def is_processing(fake: FakeStripe) -> bool:
    return any(intent["status"] == "processing" for intent in fake.intents.values())


async def place(client: httpx.AsyncClient, method: str) -> str:
    answer = await client.post(
        "/orders",
        json={
            "items": [{"sku": "LAPTOP-001", "quantity": 1, "price": "850"}],
            "currency": "USD",
            "paymentMethod": method,
        },
    )
    assert answer.status_code == 202, answer.text
    return str(answer.json()["orderId"])


async def tell(client: httpx.AsyncClient, order_id: str) -> None:
    thing = {"id": "pi_1", "object": "payment_intent", "metadata": {"orderstore_order": order_id}}
    body = json.dumps({"id": "evt_1", "object": "event", "type": "payment_intent.succeeded", "data": {"object": thing}})
    signature = stripe.WebhookSignature.generate_signature_header(body, SECRET)
    answer = await client.post(
        "/webhooks/payments", content=body, headers={"Stripe-Signature": signature, "Authorization": ""}
    )
    assert (answer.status_code, answer.json()) == (200, {"status": "noted"})


async def test_real_payments_without_a_key_are_refused_before_anything_starts() -> None:
    """No silent fall-back to the sandbox."""
    settings = replace(out_of_reach(), providers="stripe")
    async with open_core(settings, Metrics()) as core:
        with pytest.raises(SettingsError, match="ORDERSTORE_STRIPE_API_KEY"):
            payment_handler(core)
        assert (payment_hooks(core), payment_reconciliation(core), daily_reconciliation(core)) == (None, None, None)


def test_the_sandbox_has_no_books(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command says so, and asks for a day that is over."""
    for name, value in environment_of(out_of_reach()).items():
        monkeypatch.setenv(name, value)
    runner = CliRunner()
    told = runner.invoke(build(), ["payments", "reconcile", "--state-dir", str(tmp_path)])
    assert told.exit_code == 1
    assert "no books" in told.stderr
    for day in ("yesterday", "9999-01-01", "0001-01-03"):
        assert runner.invoke(build(), ["payments", "reconcile", "--day", day]).exit_code == 2


def environment_of(settings: Any) -> dict[str, str]:
    names = (
        "resource_prefix",
        "topic_arn",
        "blobs_bucket",
        "kms_key_id",
        "audit_bucket",
        "signing_key_id",
        "providers",
    )
    aws = ("aws_endpoint_url", "aws_access_key_id", "aws_secret_access_key")
    return {f"ORDERSTORE_{name.upper()}": str(getattr(settings, name)) for name in (*names, *aws)}
