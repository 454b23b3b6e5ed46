"""Every channel over a service that fails: whatever it does, the channel answers in the five words of the contract and raises nothing."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from orderstore.privacy.keys import KeyUnusable
from tests.virtual_time import run_virtual
from tests.workers.notification.channel_fakes import (
    EMAIL,
    NAME,
    PHONE,
    FakeHttp,
    FakeSender,
    NobodySuppressed,
    note_of,
)
from workers.notification.channels import (
    Channel,
    Contact,
    Delivered,
    Delivery,
    NotDelivered,
    Refused,
    Suppressed,
    Uncertain,
)
from workers.notification.chat import Answer, ChatChannel, HttpNotReached, HttpUncertain, slack_payload, teams_payload
from workers.notification.email_channel import EmailChannel
from workers.notification.mail import MailNotSent, MailRefused, MailUncertain
from workers.notification.sms import SmsChannel, SmsNotSent, SmsOptedOut, SmsRefused, SmsUncertain
from workers.tables.errors import TableUnavailable

SLACK_URL = "https://hooks.slack.com/services/T0/B0/secret"
TEAMS_URL = "https://prod-1.westeurope.logic.azure.com/workflows/secret"


def email(*script: Any, suppressions: Any = None) -> Channel:
    return EmailChannel(FakeSender(*script), suppressions=suppressions or NobodySuppressed())


def sms(*script: Any, suppressions: Any = None) -> Channel:
    sender = FakeSender(*script)
    return SmsChannel(sender, suppressions=suppressions or NobodySuppressed(), parts_max=2, patience_s=3_600)


def slack(*script: Any, **_: Any) -> Channel:
    http = FakeHttp(*script)
    return ChatChannel("slack", SLACK_URL, http, payload=slack_payload, now_ms=lambda: 0, patience_s=3_600)


def teams(*script: Any, **_: Any) -> Channel:
    http = FakeHttp(*script)
    return ChatChannel("teams", TEAMS_URL, http, payload=teams_payload, now_ms=lambda: 0, patience_s=3_600)


def http(status: int, body: bytes = b"", **headers: str) -> Answer:
    return Answer(status=status, headers=headers, body=body)


CHATS = (slack, teams)
CASES: list[tuple[Callable[..., Channel], Any, Delivery]] = [
    (email, None, Delivered("id-1")),
    (email, MailRefused("MessageRejected"), Refused("MessageRejected")),
    (email, MailNotSent("TooManyRequestsException"), NotDelivered("TooManyRequestsException")),
    (email, MailUncertain("ReadTimeoutError"), Uncertain("ReadTimeoutError")),
    (sms, None, Delivered("id-1")),
    (sms, SmsRefused("InvalidParameter"), Refused("InvalidParameter")),
    (sms, SmsNotSent("Throttling"), NotDelivered("Throttling")),
    (sms, SmsUncertain("InternalError"), Uncertain("InternalError")),
    (sms, SmsOptedOut("OptedOut"), Suppressed("opted_out")),
    *[(chat, None, Delivered("http 200")) for chat in CHATS],
    *[(chat, http(202), Delivered("http 202")) for chat in CHATS],
    *[(chat, http(400, b"invalid_payload"), Refused("http 400 invalid_payload")) for chat in CHATS],
    *[(chat, http(404, b"no_service"), Refused("http 404 no_service")) for chat in CHATS],
    *[(chat, http(410, b"channel_is_archived"), Refused("http 410 channel_is_archived")) for chat in CHATS],
    *[(chat, http(403, b"<html>Jane said: 12 Elm Street"), Refused("http 403")) for chat in CHATS],
    *[(chat, http(302, location="https://elsewhere.example"), Refused("http 302")) for chat in CHATS],
    *[(chat, http(429, **{"retry-after": "17"}), NotDelivered("http 429", 17.0)) for chat in CHATS],
    *[(chat, http(429), NotDelivered("http 429", 30.0)) for chat in CHATS],
    *[(chat, http(408), Uncertain("http 408")) for chat in CHATS],
    *[(chat, http(500, b"rollup_error"), Uncertain("http 500")) for chat in CHATS],
    *[(chat, http(503), Uncertain("http 503")) for chat in CHATS],
    *[(chat, HttpNotReached("ClientConnectorError"), NotDelivered("ClientConnectorError")) for chat in CHATS],
    *[(chat, HttpUncertain("TimeoutError"), Uncertain("TimeoutError")) for chat in CHATS],
]


@pytest.mark.parametrize(
    ("make", "trouble", "expected"),
    CASES,
    ids=[f"{make.__name__}, {getattr(trouble, 'status', None) or trouble!r}"[:60] for make, trouble, _ in CASES],
)
def test_whatever_the_service_says_becomes_one_of_five_words(
    make: Callable[..., Channel], trouble: Any, expected: Delivery
) -> None:
    """Refused for good, not now, perhaps, nobody there, or told."""  # E026, E027, E029, E058

    async def scenario() -> None:
        channel = make() if trouble is None else make(trouble)
        assert await channel.deliver(note_of(channel=channel.name)) == expected

    run_virtual(scenario)


@pytest.mark.parametrize("make", [email, sms, slack, teams], ids=lambda make: make.__name__)
def test_after_a_trouble_the_next_try_goes_through(make: Callable[..., Channel]) -> None:
    """No channel remembers an outage: the record and the breaker do."""

    async def scenario() -> None:
        trouble = {"email": MailNotSent("x"), "sms": SmsNotSent("x")}.get(make.__name__, HttpNotReached("x"))
        channel = make(trouble)
        note = note_of(channel=channel.name)
        assert isinstance(await channel.deliver(note), NotDelivered)
        assert isinstance(await channel.deliver(note), Delivered)

    run_virtual(scenario)


@pytest.mark.parametrize(("make", "reason"), [(email, "no_address"), (sms, "no_number")], ids=["email", "sms"])
def test_without_an_address_nobody_is_written_to(make: Callable[..., Channel], reason: str) -> None:
    """Not a failure: there is nobody."""

    async def scenario() -> None:
        assert await make().deliver(note_of(contact=Contact(name="Ada"))) == Suppressed(reason)

    run_virtual(scenario)


@pytest.mark.parametrize("make", [email, sms], ids=["email", "sms"])
@pytest.mark.parametrize("trouble", [TableUnavailable("gone"), KeyUnusable("service:suppressions", "no")], ids=repr)
def test_who_cannot_read_the_suppression_list_writes_to_nobody(
    make: Callable[..., Channel], trouble: Exception
) -> None:
    """Fail safe: the next try reads it; it was surely not sent."""

    async def scenario() -> None:
        answer = await make(suppressions=NobodySuppressed(trouble)).deliver(note_of())
        assert isinstance(answer, NotDelivered)

    run_virtual(scenario)


@pytest.mark.parametrize("make", CHATS, ids=["slack", "teams"])
def test_a_chat_is_told_nothing_personal_and_names_its_secret_to_nobody(make: Callable[..., Channel]) -> None:
    """It needs no contact, so it is given none; and even a note that has one does not show it. The address is in no answer."""  # E029, C05

    async def scenario() -> None:
        server = FakeHttp(http(404, b"no_service"))
        channel: Any = make()
        assert channel.needs_contact is False
        channel._http = server
        answer = await channel.deliver(note_of(channel=channel.name))
        (url, body) = server.posted[0]
        assert "secret" in url
        assert "secret" not in repr(answer)
        for personal in (EMAIL, PHONE, NAME):
            assert personal not in body.decode()
        assert orjson.loads(body)

    run_virtual(scenario)


def test_a_time_out_after_the_send_is_never_called_unsent() -> None:
    """The service had it: to say "not sent" would send it again at once."""  # E074

    async def scenario() -> None:
        for channel, sender_error in (
            ("email", MailUncertain("ReadTimeoutError")),
            ("sms", SmsUncertain("ReadTimeout")),
        ):
            sender = FakeSender(sender_error, landed=True)
            made: Any = EmailChannel(sender, suppressions=NobodySuppressed()) if channel == "email" else None
            made = made or SmsChannel(sender, suppressions=NobodySuppressed(), parts_max=1, patience_s=None)
            assert isinstance(await made.deliver(note_of(channel=channel)), Uncertain)
            assert len(sender.taken) == 1

    run_virtual(scenario)
