"""POSTs through aiohttp (asyncio only), bounded in time, bytes and connections: no redirects, no cookies, no proxy of the environment."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import (
    ClientConnectorError,
    ClientError,
    ClientSession,
    ClientTimeout,
    ConnectionTimeoutError,
    DummyCookieJar,
    TCPConnector,
)

from workers.notification.chat import Answer, HttpNotReached, HttpPost, HttpUncertain

TOTAL_S: Final = 5.0
CONNECT_S: Final = 3.0
BODY_BYTES_MAX: Final = 4_096
CONNECTIONS_MAX: Final = 4  # both vendors ask for about one message a second


class AiohttpPost(HttpPost):
    """See `chat.HttpPost`. The errors' texts name a type, never the address."""

    def __init__(self, session: ClientSession) -> None:
        self._session = session

    async def post(self, url: str, body: bytes) -> Answer:
        """See `HttpPost.post`."""
        try:
            async with self._session.post(url, data=body, allow_redirects=False) as response:
                beginning = await response.content.read(BODY_BYTES_MAX)
                headers = {name.lower(): value for name, value in response.headers.items()}
                return Answer(status=response.status, headers=headers, body=beginning)
        except (ClientConnectorError, ConnectionTimeoutError) as error:
            raise HttpNotReached(type(error).__name__) from None  # its text and its cause hold the address
        except (ClientError, TimeoutError) as error:
            raise HttpUncertain(type(error).__name__) from None


@asynccontextmanager
async def open_chat_http() -> AsyncIterator[AiohttpPost]:
    """A session for the life of the process."""
    async with ClientSession(
        connector=TCPConnector(limit=CONNECTIONS_MAX),
        timeout=ClientTimeout(total=TOTAL_S, connect=CONNECT_S, sock_connect=CONNECT_S),
        headers={"Content-Type": "application/json; charset=utf-8", "User-Agent": "orderstore"},
        cookie_jar=DummyCookieJar(),
        trust_env=False,
    ) as session:
        yield AiohttpPost(session)
