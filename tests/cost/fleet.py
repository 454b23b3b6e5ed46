"""The service as it is deployed, one process for each role, in one process: each with clients, caches and connections of its own."""

import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, TextIO, cast

import anyio
import anyio.lowlevel
import httpx
from anyio.abc import TaskGroup

from tests.cost.looking import SecondLook
from tests.cost.meter import Meter
from tests.emulator import clients_for
from workers.core import Core, open_core
from workers.logs import configure
from workers.metrics.table import Metrics
from workers.service import Service
from workers.settings import ROLES, Role, from_environment
from workers.wiring import open_service


class Logged:
    """Where the log lines go: they are measured, not kept."""

    def __init__(self) -> None:
        self.bytes = 0

    def write(self, text: str) -> int:
        """Count."""
        self.bytes += len(text.encode())
        return len(text)

    def flush(self) -> None:
        """Nothing is held back."""


class Fleet:
    """Roles that run, their meter, and a client of the API."""

    def __init__(
        self,
        group: TaskGroup,
        stack: AsyncExitStack,
        settings: Mapping[str, str],
        meter: Meter,
        *,
        beside: Core,
        token: str,
    ) -> None:
        self.meter = meter
        self.logged = Logged()
        self.beside = beside
        """To look at the log without being counted."""
        self.api: httpx.AsyncClient
        self._token = token
        self._group = group
        self._stack = stack
        self._settings = settings
        self._stops: dict[str, tuple[anyio.Event, Service]] = {}

    async def start(self, roles: Sequence[Role]) -> None:
        """Start these, each as a process of its own."""
        for role in roles:
            settings = from_environment({**self._settings, "ORDERSTORE_API_PORT": "0", "ORDERSTORE_METRICS_PORT": "0"})
            running = await self._stack.enter_async_context(open_service(settings, [role], Metrics()))
            self.meter.attach(running.core.clients, role)
            self._stops[role] = anyio.Event(), running.service
            await self._group.start(running.service.run, self._stops[role][0], name=role)
            if role == "api":
                self.api = await self._stack.enter_async_context(
                    httpx.AsyncClient(
                        base_url=f"http://127.0.0.1:{running.http_port}",
                        headers={"Authorization": f"Bearer {self._token}"},
                        timeout=60,
                        trust_env=False,
                    )
                )

    async def stop(self, *roles: str) -> None:
        """Let these end, or all of them. A service that is at rest has nothing to finish: it does not wait for its polls."""
        for role in roles or tuple(self._stops):
            stop, service = self._stops.pop(role)
            stop.set()
            await anyio.lowlevel.checkpoint()
            service.stop_now()

    async def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """A request of a client."""
        headers = {"Idempotency-Key": secrets.token_hex(8)} if method == "POST" else {}
        answer = await self.api.request(method, path, json=body, headers=headers)
        answer.raise_for_status()
        return answer.json()


@asynccontextmanager
async def running_fleet(settings: Mapping[str, str], *, token: str) -> AsyncIterator[Fleet]:
    """Every role, from the start."""
    with clients_for(settings) as clients:
        meter = Meter(SecondLook(clients("dynamodb")), prefix=settings["ORDERSTORE_RESOURCE_PREFIX"])
        async with AsyncExitStack() as stack, anyio.create_task_group() as group:
            beside = await stack.enter_async_context(open_core(from_environment(settings), Metrics()))
            fleet = Fleet(group, stack, settings, meter, beside=beside, token=token)
            configure(level="info", stream=cast("TextIO", fleet.logged))
            await fleet.start(ROLES)
            try:
                yield fleet
            finally:
                await fleet.stop()
