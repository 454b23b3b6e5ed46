"""A bound on what is worked on at once: the others wait their turn for a while, and are then told to come again.

Without it every request of a crowd is begun, each waits behind all others for the store, and all are answered when their clients have long
given up: work for nobody. In line, those at work are answered in time, and whoever is sent away knows when to come back.
"""

from random import Random
from typing import Final

import anyio
from starlette.types import ASGIApp, Receive, Scope, Send

from projections.http.problems import Problem, answer

AT_ONCE: Final = 256
"""Several times the connections that a process has to its store: more at once only wait there."""
WAIT_S: Final = 10.0
RETRY_AFTER_S: Final = (1, 8)
"""Drawn from between these, so that a crowd that was sent away does not come back as one."""
_ALWAYS: Final = frozenset({"/healthz", "/readyz", "/metrics"})
"""Whoever looks after the process is answered whatever the crowd."""
_LIVE: Final = "/live"
"""Streams last for minutes, mostly idle, and have a bound of their own."""


class Crowding:
    """ASGI middleware, inside the request log."""

    def __init__(self, app: ASGIApp, *, random: Random, at_once: int = AT_ONCE, wait_s: float = WAIT_S) -> None:
        self._app = app
        self._random = random
        self._turns = anyio.Semaphore(at_once)
        self._wait_s = wait_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, now or in its turn."""
        if scope["type"] != "http" or scope["path"] in _ALWAYS or scope["path"].endswith(_LIVE):
            await self._app(scope, receive, send)
            return
        with anyio.move_on_after(self._wait_s) as waiting:
            await self._turns.acquire()
        if waiting.cancelled_caught:
            await self._come_again(scope, receive, send)
            return
        try:
            await self._app(scope, receive, send)
        finally:
            self._turns.release()

    async def _come_again(self, scope: Scope, receive: Receive, send: Send) -> None:
        retry_after_s = self._random.randint(*RETRY_AFTER_S)
        problem = Problem(
            "throttled",
            "too many requests are at work; nothing was stored: try again later",
            headers={"Retry-After": str(retry_after_s)},
        )
        await answer(problem, request_id=scope["state"]["request_id"])(scope, receive, send)
