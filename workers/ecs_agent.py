"""`Agent` over the endpoint that ECS gives each container.

AWS, "Amazon ECS task scale-in protection endpoint"
(https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-scale-in-protection-endpoint.html): PUT
`$ECS_AGENT_URI/task-protection/v1/state` with `ProtectionEnabled` and `ExpiresInMinutes`. The agent calls UpdateTaskProtection with
the rights of the task's role.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import aiohttp
import orjson

from workers.protection import AgentRefused, AgentUnreachable

PATH: Final = "/task-protection/v1/state"
CONNECT_TIMEOUT_S: Final = 2.0
ANSWER_BYTES_MAX: Final = 16_384
REASON_CHARACTERS_MAX: Final = 300


class EcsAgent:
    """See `Agent`. Asyncio only, as its client is."""

    def __init__(self, session: aiohttp.ClientSession, *, url: str) -> None:
        self._session = session
        self._url = url.rstrip("/") + PATH

    async def protect(self, minutes: int) -> None:
        """See `Agent.protect`."""
        await self._put({"ProtectionEnabled": True, "ExpiresInMinutes": minutes})

    async def release(self) -> None:
        """See `Agent.release`."""
        await self._put({"ProtectionEnabled": False})

    async def _put(self, state: dict[str, Any]) -> None:
        headers = {"Content-Type": "application/json"}
        try:
            async with self._session.put(
                self._url, data=orjson.dumps(state), headers=headers, allow_redirects=False
            ) as answer:
                status = answer.status
                body = await answer.content.read(ANSWER_BYTES_MAX)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise AgentUnreachable(f"{type(error).__name__}: {error}") from error
        if status >= 500:
            raise AgentUnreachable(_reason(status, body))
        if status != 200 or _state_in(body) is not state["ProtectionEnabled"]:
            raise AgentRefused(_reason(status, body))


def _state_in(body: bytes) -> bool | None:
    """What the answer says that the task's state is now; None where it says something else: a `failure`, an `error`."""
    document = _parsed(body)
    protection = document.get("protection")
    enabled = protection.get("ProtectionEnabled") if isinstance(protection, dict) else None
    return enabled if isinstance(enabled, bool) else None


def _reason(status: int, body: bytes) -> str:
    document = _parsed(body)
    for name, code, words in (("failure", "Reason", "Detail"), ("error", "Code", "Message")):
        part = document.get(name)
        if isinstance(part, dict):
            return f"{status}: {part.get(code)}: {part.get(words)}"[:REASON_CHARACTERS_MAX]
    return f"{status}: not the state that was asked for"


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return document if isinstance(document, dict) else {}


@asynccontextmanager
async def open_agent(url: str, *, timeout_s: float) -> AsyncIterator[EcsAgent]:
    """Its own client with few connections; through no proxy, for the address is the host's own (169.254.0.0/16)."""
    timeout = aiohttp.ClientTimeout(total=timeout_s, connect=CONNECT_TIMEOUT_S)
    async with aiohttp.ClientSession(
        timeout=timeout, connector=aiohttp.TCPConnector(limit=2), trust_env=False
    ) as session:
        yield EcsAgent(session, url=url)
