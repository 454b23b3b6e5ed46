"""The commands on notifications over the embedded environment's tables; and SES's reports through its topic and queue."""

import json
from functools import partial
from typing import Any

import anyio
import pytest
from anyio import to_thread
from typer.testing import CliRunner

from orderstore.domain import decisions
from orderstore.domain.ids import order_of
from orderstore.recorded import Actor
from tests.builders import PAID
from tests.emulator import clients_for
from tests.ordering import cause, request
from tests.waiting import eventually
from tests.workers.notification.test_mail_feedback import MAIL, bounce
from workers.cli import build
from workers.core import Core, open_core
from workers.metrics.table import Metrics
from workers.notification import opening
from workers.notification.ses import tag_of
from workers.runtime.outcome import Done
from workers.runtime.queue import Message
from workers.settings import from_environment
from workers.wiring import open_service

pytestmark = pytest.mark.emulator
EMAIL, PHONE = "wilhelmina@mail.example", "+4915112345678"


def envelope(order_id: str, event_id: str, event_type: str) -> Message:
    body = {
        "eventId": event_id, "eventType": event_type, "eventVersion": "1.0", "orderId": order_id, "tenant": "main",
        "correlationId": "c",
    }  # fmt: skip
    return Message(id="m", receipt="r", body=json.dumps(body), attributes={}, receive_count=1, sent_at_ms=0)


async def told(core: Core) -> tuple[str, str]:
    """An order whose payment was told of by mail, by the real handler; and the event's id."""
    asked = request(customerId="c-1", customerName="W", customerEmail=EMAIL, customerPhone=PHONE)
    placed = await core.orders.place(asked, actor=Actor("customer", "shop"), idempotency_key=None)
    order_id = order_of(placed.history.stream)[1]
    paid = partial(decisions.complete_payment, outcome=PAID)
    history = await core.orders.record(placed.history, paid, cause=cause("payment", f"{order_id}-cause"))
    event_id = next(recorded.event_id for recorded in history.events if recorded.name == "PaymentCompleted")
    handler = opening.notification_handler(core)
    assert await handler(envelope(order_id, event_id, "PaymentCompleted")) == Done()
    return order_id, event_id


async def test_a_bounce_comes_back_and_an_operator_mends_it(environment: dict[str, str]) -> None:
    """Through SES's topic, the queue and its consumer; then listed, lifted and sent again."""  # E026

    async def run(*arguments: str, code: int = 0) -> str:
        """The command, in a thread of its own: it brings its own event loop."""
        call = partial(CliRunner().invoke, build(), ["notifications", *arguments], env=environment)
        done = await to_thread.run_sync(call)
        said: str = done.output
        assert done.exit_code == code, f"{said} {done.exception!r}"
        for personal in (EMAIL, PHONE):
            assert personal not in said
        return said

    async with open_core(from_environment(environment), Metrics()) as core:
        order_id, event_id = await told(core)
        assert await opening.told(core, order_id, event_id)
        report: dict[str, Any] = bounce(
            mail={**MAIL, "tags": {"order": [order_id], "notification": [tag_of(f"{event_id}:email")]}}
        )
        report["bounce"]["bouncedRecipients"][0]["emailAddress"] = EMAIL.upper()
        with clients_for(environment) as clients:
            topic = environment["ORDERSTORE_TOPIC_ARN"].replace("order-events", "mail-feedback")
            clients("sns").publish(TopicArn=topic, Message=json.dumps(report))

    metrics, stop = Metrics(), anyio.Event()
    variables = {**environment, "ORDERSTORE_METRICS_PORT": "0", "ORDERSTORE_QUEUE_WAIT_S": "1"}
    async with (
        open_service(from_environment(variables), ["notification"], metrics) as running,
        anyio.create_task_group() as group,
    ):
        await group.start(running.service.run, stop)
        heard = partial(eventually, lambda: metrics.total("orderstore_mail_feedback"), what="the report")
        await to_thread.run_sync(heard)
        stop.set()

    shown = json.loads(await run("ls", order_id, "--json"))
    states = {row["channel"]: (row["state"], row["shownState"]) for row in shown}
    assert states["email"] == ("sent", "bounced")
    assert "bounced" in await run("ls", order_id)
    (row,) = json.loads(await run("suppressions", "ls", "--order", order_id, "--json"))
    assert (row["reason"], row["customer"], row["order"], row["active"]) == ("bounce", "c-1", order_id, True)
    name = f"{event_id}:email"
    refused = await run("resend", order_id, name, "--reason", "ticket 7", code=1)
    assert "suppression_list:bounce" in refused
    await run("suppressions", "lift", row["id"], "--reason", "mended", "--by", "ops")
    again = json.loads(await run("resend", order_id, name, "--reason", "ticket 7", "--by", "ops", "--json"))
    assert (again["state"], again["notification"]) == ("sent", f"{name}:resend-2")


@pytest.mark.xfail(strict=True, reason="MiniStack keeps event destinations and publishes nothing to them")
async def test_the_emulator_tells_of_what_became_of_a_mail(environment: dict[str, str]) -> None:
    """As SES does: a mail to its bounce simulator comes back as a report."""
    with clients_for(environment) as clients:
        clients("sesv2").send_email(
            FromEmailAddress=environment["ORDERSTORE_MAIL_SENDER"],
            ConfigurationSetName=environment["ORDERSTORE_MAIL_CONFIGURATION_SET"],
            Destination={"ToAddresses": ["bounce@simulator.amazonses.com"]},
            Content={"Simple": {"Subject": {"Data": "Your order"}, "Body": {"Text": {"Data": "is on its way"}}}},
        )
        url = clients("sqs").get_queue_url(QueueName=f"{environment['ORDERSTORE_RESOURCE_PREFIX']}-mail-feedback")
        answer = clients("sqs").receive_message(QueueUrl=url["QueueUrl"], WaitTimeSeconds=1)
    assert answer.get("Messages")


async def test_an_sms_goes_out_through_sns(environment: dict[str, str]) -> None:
    """The answer is its id."""  # E027
    from workers.notification.sns_sms import SnsSmsSender

    async with open_core(from_environment(environment), Metrics()) as core:
        assert await SnsSmsSender(core.clients.sns, price_max_usd=0.1).send(PHONE, "hi")
