"""Chat for operators: whose addresses are accepted, what is sent, and HTTP that is bounded in every way."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
from aiohttp import web

from tests.workers.notification.channel_fakes import note_of
from tests.workers.test_process_settings import REQUIRED
from workers.notification import chat_http
from workers.notification.chat import HttpNotReached, HttpUncertain, retry_after_s, slack_payload, teams_payload
from workers.notification.chat_http import open_chat_http
from workers.notification.chat_urls import check_slack_url, check_teams_url
from workers.settings import SettingsError, from_environment

SLACK = "https://hooks.slack.com/services/T000/B000/" + "x" * 24
TEAMS = "https://prod-12.westeurope.logic.azure.com:443/workflows/abc/triggers/manual/paths/invoke?sig=secret"
POWER = (
    "https://default123.4a.environment.api.powerplatform.com/powerautomate/automations/direct/workflows/x?sig=secret"
)


@pytest.mark.parametrize("url", [SLACK, SLACK.replace("slack.com", "slack-gov.com"), f"  {SLACK}\n"])
def test_slacks_own_addresses_are_accepted(url: str) -> None:
    """Also that of its cloud for governments."""
    assert check_slack_url(url) == url.strip()


@pytest.mark.parametrize("url", [TEAMS, POWER])
def test_the_addresses_of_teams_workflows_are_accepted(url: str) -> None:
    """Both forms that Power Automate hands out."""
    assert check_teams_url(url) == url


@pytest.mark.parametrize(
    "url",
    [
        SLACK.replace("https", "http"),
        SLACK.replace("hooks.slack.com", "hooks.slack.com.evil.example"),
        SLACK.replace("hooks.slack.com", "evil.example"),
        SLACK.replace("hooks.slack.com", "evilhooks.slack.com"),
        SLACK.replace("hooks.slack.com", "hooks.slack.com@evil.example"),
        SLACK.replace("hooks.slack.com", "hooks.slack.com:8443"),
        SLACK.replace("hooks.slack.com", "169.254.169.254"),
        "https://[::1",
        "hooks.slack.com/services/secret",
        "file:///etc/secret",
        "",
    ],
)
def test_every_other_address_is_refused_without_being_quoted(url: str) -> None:
    """A secret that was mistyped is still a secret; and no request goes to a host of somebody's choosing."""  # E029
    with pytest.raises(ValueError, match=r".") as refused:
        check_slack_url(url)
    assert "secret" not in str(refused.value)
    assert "xxxx" not in str(refused.value)
    with pytest.raises(ValueError, match=r"."):
        check_teams_url(url)


def test_teams_older_connectors_and_lookalikes_are_refused() -> None:
    """Microsoft has switched the former off."""
    for host in ("contoso.webhook.office.com", "outlook.office.com", "evillogic.azure.com", "logic.azure.com"):
        with pytest.raises(ValueError, match="vendor"):
            check_teams_url(f"https://{host}/x")


def test_settings_never_show_the_addresses() -> None:
    """Not in a representation, not in a complaint."""  # D31
    settings = from_environment({**REQUIRED, "ORDERSTORE_CHAT_SLACK_URL": SLACK, "ORDERSTORE_CHAT_TEAMS_URL": TEAMS})
    assert "xxxx" not in repr(settings)
    assert "sig=" not in repr(settings)
    with pytest.raises(SettingsError) as refused:
        from_environment({**REQUIRED, "ORDERSTORE_CHAT_SLACK_URL": TEAMS})
    assert "sig=" not in str(refused.value)


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"NOTIFICATION_CHANNELS": "email,fax"}, "NOTIFICATION_CHANNELS"),
        ({"NOTIFICATION_CHANNELS": "email,email"}, "NOTIFICATION_CHANNELS"),
        ({"NOTIFICATION_CHANNELS": "email,sms"}, "SMS_EVENTS"),
        ({"SMS_EVENTS": "ShipmentDispatched"}, "SMS_EVENTS"),
        ({"NOTIFICATION_CHANNELS": "sms", "SMS_EVENTS": "OrderCreated"}, "SMS_EVENTS"),
        ({"CHAT_EVENTS": "Nonsense"}, "CHAT_EVENTS"),
        ({"SMS_SENDER_ID": "12345"}, "SMS_SENDER_ID"),
        ({"SMS_SENDER_ID": "waytoolongname"}, "SMS_SENDER_ID"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, str], complaint: str) -> None:
    """Before anything starts, with the variable's name."""
    with pytest.raises(SettingsError, match=f"ORDERSTORE_{complaint}"):
        from_environment({**REQUIRED, **{f"ORDERSTORE_{name}": value for name, value in settings.items()}})


def test_all_channels_may_be_off() -> None:
    """`none` says so; an empty variable may be a mistake."""
    assert from_environment({**REQUIRED, "ORDERSTORE_NOTIFICATION_CHANNELS": "none"}).notification_channels == ""
    with pytest.raises(SettingsError):
        from_environment({**REQUIRED, "ORDERSTORE_NOTIFICATION_CHANNELS": ""})


NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("30", 30.0), ("0", 0.0), ("Sun, 01 Mar 2026 12:01:00 GMT", 60.0), ("Sun, 01 Mar 2026 11:00:00 GMT", 0.0),
     ("soon", 30.0), ("-1", 30.0), ("", 30.0), ("1e9", 30.0), ("Mon, 1 Jan 99999999999999999999 10:00:00 GMT", 30.0)],
)  # fmt: skip
def test_retry_after_is_read_in_both_forms(value: str, seconds: float) -> None:
    """RFC 9110: seconds or a date; what cannot be read is half a minute."""
    assert retry_after_s({"retry-after": value}, round(NOW.timestamp() * 1000)) == seconds


def test_slack_gets_blocks_of_plain_text() -> None:
    """A header of at most 150 characters, a section of at most 3,000, and what a phone shows."""
    payload = slack_payload(note_of(subject="S" * 200, text="T" * 9_000))
    header, section = payload["blocks"]
    assert (header["type"], header["text"]["type"], section["text"]["type"]) == ("header", "plain_text", "plain_text")
    assert len(header["text"]["text"]) == 150
    assert len(section["text"]["text"]) < 3_000
    assert slack_payload(note_of(subject="a & <b>"))["text"] == "a &amp; &lt;b&gt;"


def test_teams_gets_an_adaptive_card() -> None:
    """The one form that workflows take: a message with one attachment."""
    payload = teams_payload(note_of(subject="Order held", text="Reason: stock.\n\nOrder: 1\n"))
    assert payload["type"] == "message"
    (attachment,) = payload["attachments"]
    card = attachment["content"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    assert (card["type"], card["version"]) == ("AdaptiveCard", "1.4")
    assert [block["inlines"][0]["text"] for block in card["body"]] == ["Order held", "Reason: stock.", "Order: 1"]


@asynccontextmanager
async def server(answer: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_post("/hook", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    finally:
        await runner.cleanup()


async def test_a_post_is_json_follows_no_redirect_and_reads_only_the_beginning() -> None:
    """A server of somebody's choosing gets nothing and cannot fill the memory."""
    seen = []

    async def answer(request: web.Request) -> web.StreamResponse:
        seen.append((await request.read(), request.headers["Content-Type"], request.headers.get("Cookie")))
        return web.Response(
            status=302, body=b"x" * 100_000, headers={"Location": "/elsewhere", "Set-Cookie": "a=b", "X-Any": "1"}
        )

    async with server(answer) as url, open_chat_http() as http:
        for _ in range(2):
            found = await http.post(url, b"{}")
            assert (found.status, found.headers["x-any"]) == (302, "1")
            assert len(found.body) <= chat_http.BODY_BYTES_MAX
    assert seen == [(b"{}", "application/json; charset=utf-8", None)] * 2


async def test_what_cannot_be_reached_was_surely_not_told_and_names_no_address() -> None:
    """A closed port."""
    async with open_chat_http() as http:
        with pytest.raises(HttpNotReached) as refused:
            await http.post("http://127.0.0.1:1/secret", b"{}")
    assert "secret" not in str(refused.value)
    assert refused.value.__cause__ is None


async def test_a_server_that_takes_the_request_and_says_nothing_leaves_it_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may have written the message: uncertain, within the bound."""
    monkeypatch.setattr(chat_http, "TOTAL_S", 0.2)
    came, over = asyncio.Event(), asyncio.Event()

    async def answer(request: web.Request) -> web.StreamResponse:
        came.set()
        await over.wait()
        return web.Response()

    async with server(answer) as url, open_chat_http() as http:
        with pytest.raises(HttpUncertain):
            await http.post(url, b"{}")
        over.set()
    assert came.is_set()


async def test_a_connection_that_breaks_in_the_answer_leaves_it_open() -> None:
    """The request had arrived."""

    async def answer(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    async with server(answer) as url, open_chat_http() as http:
        with pytest.raises(HttpUncertain):
            await http.post(url, b"{}")
