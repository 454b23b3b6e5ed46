"""Clients that reach nobody: each request is kept, and answered with what the test says."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiobotocore.awsrequest import AioAWSResponse

from tests.benchmarks.queue_backend import NOTHING_BUT_QUEUES
from workers.aws import Clients, open_clients
from workers.settings import from_environment

SETTINGS = {**NOTHING_BUT_QUEUES, "ORDERSTORE_AWS_ENDPOINT_URL": "http://127.0.0.1:4566"}


class Wire:
    """What a client sends, before it is sent (botocore's event `before-send`)."""

    def __init__(self, client: Any, service: str) -> None:
        self.sent: list[Any] = []
        self.body = b"{}"
        client.meta.events.register(f"before-send.{service}", self._answer)

    def _answer(self, request: Any, **_: object) -> AioAWSResponse:
        self.sent.append(request)
        headers: Any = {"x-amzn-requestid": "1"}
        return AioAWSResponse(request.url, 200, headers, _Body(self.body))


class _Body:
    def __init__(self, body: bytes) -> None:
        self._body = body

    async def read(self) -> bytes:
        return self._body


@asynccontextmanager
async def clients() -> AsyncIterator[Clients]:
    """Those of the service."""
    async with open_clients(from_environment(SETTINGS), connections=4) as opened:
        yield opened
