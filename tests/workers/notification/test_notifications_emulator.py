"""The notification records on memory and DynamoDB's emulator, and mail through the emulator's SES."""

import anyio
import pytest
from aiobotocore.session import get_session
from botocore.exceptions import ClientError, ConnectTimeoutError, ReadTimeoutError

from tests.workers.service_tables import KINDS, client_settings, open_table
from workers.notification.mail import Mail, MailNotSent, MailRefused, MailUncertain
from workers.notification.records import TableNotifications
from workers.notification.ses import SesMailSender

MAIL = Mail(
    to="ada@example.com",
    subject="Grüße",
    text="Hello\nAda",
    html="<p>Hello</p>",
    order_id="o-1",
    notification_id="e-1:email",
)


@pytest.fixture(params=KINDS)
async def records(request):
    async with open_table(request.param, "notifications", request) as table:
        yield TableNotifications(table, now_ms=lambda: 5_000)


async def test_of_32_senders_one_claims(records) -> None:
    """The others know that somebody is at it."""  # E074
    record = await records.begin("o", "e:email", template="t.v1", channel="email", subject="s")
    claims = []

    async def claim() -> None:
        claims.append(await records.claim(record))

    async with anyio.create_task_group() as tasks:
        for _ in range(32):
            tasks.start_soon(claim)

    (claimed,) = [found for found in claims if found is not None]
    assert (claimed.state, claimed.claimed_at_ms) == ("sending", 5_000)
    assert await records.finish(claimed, "sent", detail="id-1")
    assert not await records.finish(claimed, "failed", detail="late")
    again = await records.begin("o", "e:email", template="t.v2", channel="email", subject="s")
    assert (again.state, again.template) == ("sent", "t.v1")


async def test_what_is_given_back_can_be_claimed_again(records) -> None:
    """And orders do not meet each other's records."""
    record = await records.begin("o", "e:email", template="t.v1", channel="email", subject="s")
    claimed = await records.claim(record)
    await records.give_back(claimed)

    pending = await records.begin("o", "e:email", template="t.v1", channel="email", subject="s")
    assert pending.state == "pending"
    assert await records.claim(pending) is not None
    assert (await records.begin("o2", "e:email", template="t.v1", channel="email", subject="s")).state == "pending"


@pytest.mark.emulator
async def test_a_mail_goes_out_through_ses(environment: dict[str, str]) -> None:
    """The environment's sender is verified; the answer is the mail's id."""  # E026
    async with get_session().create_client("sesv2", **client_settings(environment)) as client:
        sender = SesMailSender(client, sender=environment["ORDERSTORE_MAIL_SENDER"])

        assert await sender.send(MAIL)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ClientError({"Error": {"Code": "MessageRejected"}}, "SendEmail"), MailRefused),
        (ClientError({"Error": {"Code": "TooManyRequestsException"}}, "SendEmail"), MailNotSent),
        (
            ClientError({"Error": {"Code": "X"}, "ResponseMetadata": {"HTTPStatusCode": 500}}, "SendEmail"),
            MailUncertain,
        ),
        (ConnectTimeoutError(endpoint_url="x"), MailNotSent),
        (ReadTimeoutError(endpoint_url="x"), MailUncertain),
    ],
    ids=lambda value: type(value).__name__,
)
async def test_each_refusal_of_ses_says_whether_the_mail_left(error: Exception, expected: type[Exception]) -> None:
    """That decides between failed, at once again, and later perhaps twice."""

    class Client:
        async def send_email(self, **request):
            assert request["Destination"] == {"ToAddresses": ["ada@example.com"]}
            raise error

    with pytest.raises(expected) as raised:
        await SesMailSender(Client(), sender="shop@example.com").send(MAIL)  # type: ignore[arg-type]

    assert "ada" not in str(raised.value)
