"""The sender over aiohttp (so asyncio only): a new, guarded connection for each attempt, and of HTTP as little as possible."""

import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from importlib.metadata import version
from typing import Final
from urllib.parse import urlsplit

import aiohttp
import anyio
from aiohttp import hdrs

from workers.webhooks.addresses import AddressPolicy
from workers.webhooks.errors import NotPossible, SendFailed
from workers.webhooks.resolving import AddressRefused, GuardedResolver, Lookup, SystemLookup
from workers.webhooks.sending import ANSWER_BYTES_MAX, TIMEOUT_S, Answer, Sender

LINE_BYTES_MAX: Final = 4_096
FIELD_BYTES_MAX: Final = 8_190
CONNECT_TIMEOUT_S: Final = 10.0
# The status has decided: what else the endpoint has to say may not take long.
BODY_TIMEOUT_S: Final = 2.0


class AiohttpSender(Sender):
    """Over one session, which belongs to the caller (`open_sender`)."""

    def __init__(self, session: aiohttp.ClientSession, policy: AddressPolicy) -> None:
        self._session = session
        self._policy = policy

    async def post(self, url: str, *, headers: Mapping[str, str], body: bytes) -> Answer:
        """See `Sender.post`."""
        self._check(url)
        try:
            async with self._session.post(url, headers=headers, data=body, allow_redirects=False) as response:
                return Answer(
                    status=response.status,
                    retry_after=response.headers.get(hdrs.RETRY_AFTER),
                    body=await _first_of(response),
                )
        except TimeoutError as error:
            raise SendFailed("timeout", "it did not answer in time") from error
        except aiohttp.ClientConnectorCertificateError as error:
            raise SendFailed("tls", "its certificate is not one to trust for this name") from error
        except aiohttp.ClientSSLError as error:
            raise SendFailed("tls", "no secure connection could be agreed on") from error
        except aiohttp.ClientConnectorDNSError as error:
            if isinstance(error.os_error, AddressRefused):
                raise SendFailed("address_refused", str(error.os_error)) from error
            raise SendFailed("dns", "its name means no address") from error
        except aiohttp.ClientConnectorError as error:
            raise SendFailed("connect", error.os_error.strerror or type(error.os_error).__name__) from error
        except aiohttp.ClientConnectionError as error:
            raise SendFailed("connect", "the connection was cut") from error
        except aiohttp.InvalidURL as error:  # nobody was asked
            raise SendFailed("address_refused", "its address is none that can be called") from error
        except (aiohttp.ClientError, ValueError) as error:
            raise SendFailed("protocol", f"its answer is no HTTP that we take ({type(error).__name__})") from error

    def _check(self, url: str) -> None:
        """The rules may have become stricter since it was registered; and an IP address is never looked up, so it is checked here."""
        try:
            self._policy.check_url(url)
            host = urlsplit(url).hostname or ""
            if _is_not_looked_up(host):
                self._policy.check_address(host)
        except ValueError as error:  # NotPossible, or a number that is no address to us and may be one to the system
            detail = (
                str(error) if isinstance(error, NotPossible) else "a host is a name, or an IP address in its usual form"
            )
            raise SendFailed("address_refused", detail) from error


@asynccontextmanager
async def open_sender(policy: AddressPolicy, *, lookup: Lookup | None = None) -> AsyncIterator[AiohttpSender]:
    """A sender with its session. `lookup` stands in for the system's resolver."""
    connector = aiohttp.TCPConnector(
        limit=0,  # bounded by whoever sends: so many at once to each endpoint
        force_close=True,  # an idle connection that was closed meanwhile would look like a failure
        use_dns_cache=False,
        resolver=GuardedResolver(lookup or SystemLookup(), policy),
        ssl=ssl.create_default_context(),
    )
    session = aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trust_env=False,
        raise_for_status=False,
        timeout=aiohttp.ClientTimeout(total=TIMEOUT_S, sock_connect=CONNECT_TIMEOUT_S),
        max_line_size=LINE_BYTES_MAX,
        max_field_size=FIELD_BYTES_MAX,
        read_bufsize=ANSWER_BYTES_MAX,
        skip_auto_headers=(hdrs.ACCEPT_ENCODING,),
        headers={
            hdrs.CONTENT_TYPE: "application/json",
            hdrs.USER_AGENT: f"orderstore-webhooks/{version('orderstore')}",
            hdrs.ACCEPT: "*/*",
        },
    )
    async with session:
        yield AiohttpSender(session, policy)


def _is_not_looked_up(host: str) -> bool:
    """Whether the connector takes it for an IP address. It does with more than what is one: 2852039166 is 169.254.169.254 to the system."""
    return ":" in host or host.replace(".", "").isdigit()


async def _first_of(response: aiohttp.ClientResponse) -> bytes:
    """The first bytes of the body, as they are; whatever goes wrong with it, the status has been said."""
    found = bytearray()
    with suppress(aiohttp.ClientError, TimeoutError, ValueError), anyio.move_on_after(BODY_TIMEOUT_S):
        while len(found) < ANSWER_BYTES_MAX and (chunk := await response.content.read(ANSWER_BYTES_MAX - len(found))):
            found += chunk
    return bytes(found)
