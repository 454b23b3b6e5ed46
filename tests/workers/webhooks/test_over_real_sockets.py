"""The sender against a server on this machine: what leaves, what is read, what is refused. Names are looked up by the tests."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from standardwebhooks import Webhook, WebhookVerificationError

from tests.workers.webhooks.receiver import receive
from workers.webhooks.addresses import AddressPolicy
from workers.webhooks.aiohttp_sender import AiohttpSender, open_sender
from workers.webhooks.errors import SendFailed
from workers.webhooks.sending import ANSWER_BYTES_MAX
from workers.webhooks.signing import headers, new_secret

LENIENT = AddressPolicy(insecure=True)
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def serving(serve: Serve) -> AsyncIterator[int]:
    """A server that speaks raw HTTP; its port."""
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def answering(answer: bytes, seen: list[bytes] | None = None) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
        if seen is not None:
            seen.append(head + await reader.readexactly(length))
        writer.write(answer)
        await writer.drain()
        writer.close()

    return serve


async def here(_host: str, _port: int) -> Sequence[str]:
    return ("127.0.0.1",)


@asynccontextmanager
async def sender(policy: AddressPolicy = LENIENT, lookup: Any = here) -> AsyncIterator[AiohttpSender]:
    async with open_sender(policy, lookup=lookup) as opened:
        yield opened


async def test_a_request_is_what_a_receiver_s_library_verifies() -> None:
    """Over a real connection, with the snippet that the documentation gives to receivers."""  # E030
    seen: list[bytes] = []
    secret = new_secret(lambda count: bytes(range(count)))
    body = orjson.dumps({"type": "OrderCancelled", "data": {"reason": "größer"}})
    now_ms = round(time.time() * 1000)
    signed = headers([secret], webhook_id="e-1", at_ms=now_ms, body=body)
    async with serving(answering(b"HTTP/1.1 204 No Content\r\n\r\n", seen)) as port, sender() as out:
        answer = await out.post(f"http://hooks.example:{port}/in?x=1", headers=signed, body=body)
    [request] = seen
    head, _, sent_body = request.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    got = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}

    assert answer.status == 204
    assert lines[0] == "POST /in?x=1 HTTP/1.1"
    assert got["host"] == f"hooks.example:{port}"
    assert got["content-type"] == "application/json"
    assert got["user-agent"].startswith("orderstore-webhooks/")
    assert not {"accept-encoding", "cookie", "authorization"} & got.keys()
    known: set[str] = set()
    assert receive(sent_body, got, secret, known) == orjson.loads(body)
    assert receive(sent_body, got, secret, known) is None  # the second time it is a repeat
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(sent_body + b" ", got)


async def test_a_redirect_is_not_followed() -> None:
    """It would lead past the guard."""
    target: list[bytes] = []
    async with serving(answering(b"HTTP/1.1 200 OK\r\n\r\n", target)) as secret_port:
        moved = f"HTTP/1.1 307 Moved\r\nLocation: http://127.0.0.1:{secret_port}/\r\nContent-Length: 0\r\n\r\n"
        async with serving(answering(moved.encode())) as port, sender() as out:
            answer = await out.post(f"http://hooks.example:{port}/", headers={}, body=b"{}")

    assert answer.status == 307
    assert target == []


async def test_of_an_answer_only_the_first_bytes_are_read_and_never_unpacked() -> None:
    """An endless body, and one that says that it is compressed."""

    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nRetry-After: 7\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"x" * 65_536)
            try:
                await writer.drain()
            except ConnectionError:
                return

    async with serving(endless) as port, sender() as out:
        answer = await out.post(f"http://hooks.example:{port}/", headers={}, body=b"{}")

    assert answer.status == 200
    assert answer.retry_after == "7"
    assert answer.body == b"x" * ANSWER_BYTES_MAX


async def test_a_body_that_never_ends_does_not_undo_the_status() -> None:
    """The status was said: what follows may be cut short."""

    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 202 Accepted\r\nContent-Length: 100\r\n\r\nbegun")
        await writer.drain()
        writer.transport.abort()

    async with serving(cut) as port, sender() as out:
        answer = await out.post(f"http://hooks.example:{port}/", headers={}, body=b"{}")

    assert answer.status == 202


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (b"SSH-2.0-OpenSSH_9.6\r\n", "protocol"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n", "protocol"),
        (b"", "connect"),
    ],
)
async def test_what_is_no_answer_is_a_failure_in_words(said: bytes, kind: str) -> None:
    """Another protocol, endless headers, a connection that is closed."""
    async with serving(answering(said)) as port, sender() as out:
        with pytest.raises(SendFailed) as failed:
            await out.post(f"http://hooks.example:{port}/", headers={}, body=b"{}")

    assert failed.value.kind == kind


async def test_nobody_there_and_no_such_name_are_told_apart() -> None:
    """A person sees which."""

    async def nowhere(_host: str, _port: int) -> Sequence[str]:
        raise OSError(-2, "Name or service not known")

    async with serving(answering(b"")) as port:
        pass
    async with sender() as out:
        with pytest.raises(SendFailed) as refused:
            await out.post(f"http://hooks.example:{port}/", headers={}, body=b"{}")
    async with sender(lookup=nowhere) as out:
        with pytest.raises(SendFailed) as unknown:
            await out.post("http://hooks.example/", headers={}, body=b"{}")

    assert (refused.value.kind, unknown.value.kind) == ("connect", "dns")


async def test_a_name_that_means_something_else_the_second_time_is_refused() -> None:
    """DNS rebinding: there is one look for each connection, the connection goes where that look led, and each look is judged."""
    asked: list[str] = []
    reached: list[bytes] = []

    async def rebinding(host: str, _port: int) -> Sequence[str]:
        asked.append(host)
        return ("127.0.0.1",) if len(asked) == 1 else ("169.254.169.254",)

    ok = b"HTTP/1.1 200 OK\r\n\r\n"
    async with serving(answering(ok, reached)) as port, sender(LENIENT, rebinding) as out:
        first = await out.post(f"http://rebind.example:{port}/", headers={}, body=b"{}")
        looks = len(asked)
        with pytest.raises(SendFailed) as failed:
            await out.post(f"http://rebind.example:{port}/", headers={}, body=b"{}")

    assert (first.status, looks, len(asked)) == (200, 1, 2)
    assert failed.value.kind == "address_refused"
    assert len(reached) == 1


@pytest.mark.parametrize(
    "url", ["https://internal.example/", "http://hooks.example/", "https://127.0.0.1/", "https://[::1]/"]
)
async def test_outside_development_nothing_of_ours_is_reached(url: str) -> None:
    """The strict policy, at every attempt: by a name that means this machine, without TLS, by number."""
    async with sender(AddressPolicy()) as out:
        with pytest.raises(SendFailed) as failed:
            await out.post(url, headers={}, body=b"{}")

    assert failed.value.kind == "address_refused"


@pytest.mark.parametrize(
    "host",
    ["169.254.169.254", "2852039166", "169.254.43518", "169.16689662", "0251.0376.0251.0376", "[fe80::1]", "1.2.3.4.5"],
)
async def test_numbers_are_checked_too_though_nobody_looks_them_up(host: str) -> None:
    """A connector connects to what looks like an IP address without a question to its resolver; the system then reads more forms of one."""

    async def never(_host: str, _port: int) -> Sequence[str]:
        raise AssertionError

    async with sender(LENIENT, never) as out:
        with pytest.raises(SendFailed) as failed:
            await out.post(f"http://{host}/latest/meta-data/", headers={}, body=b"{}")

    assert failed.value.kind == "address_refused"


async def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    """TLS is checked, name and chain; there is no switch against it."""
    context = self_signed(tmp_path)
    server = await asyncio.start_server(answering(b"HTTP/1.1 200 OK\r\n\r\n"), "127.0.0.1", 0, ssl=context)
    async with server:
        port = server.sockets[0].getsockname()[1]
        async with sender() as out:
            with pytest.raises(SendFailed) as failed:
                await out.post(f"https://hooks.example:{port}/", headers={}, body=b"{}")

    assert failed.value.kind == "tls"


def self_signed(folder: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hooks.example")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("hooks.example")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = folder / "pair.pem"
    file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


@pytest.mark.parametrize("host", ["127.1:9999", "2852039166", "[::ffff:169.254.169.254]", "169.254.169.254"])
async def test_an_attempt_that_contacted_nobody_does_not_speak_of_an_answer_or_a_name(host: str) -> None:
    """The text is what somebody looks for the cause with."""
    async with sender() as out:
        with pytest.raises(SendFailed) as failed:
            await out.post(f"http://{host}/ok", headers={}, body=b"{}")

    assert failed.value.kind == "address_refused"
    assert "answer" not in failed.value.detail
    assert "name means" not in failed.value.detail


async def test_an_address_that_the_client_cannot_read_is_no_answer_of_the_endpoint(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nobody was asked."""
    async with sender() as out:

        def refuse(*_arguments: Any, **_named: Any) -> Any:
            raise aiohttp.InvalidUrlClientError("http://odd/")

        monkeypatch.setattr(out._session, "post", refuse)
        with pytest.raises(SendFailed) as failed:
            await out.post("http://odd.example/", headers={}, body=b"{}")

    assert str(failed.value) == "address_refused: its address is none that can be called"
