"""A process: parts that start together, are ready together, and stop together within a bound."""

import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, Protocol

import anyio
import uvicorn
from anyio.abc import TaskStatus

from workers.http_protocol import BoundedProtocol
from workers.parts import running_part

HTTP_GRACE_S: Final = 5
UNTAKEN_MS_MAX: Final = 30_000
"""How long a client may leave what was sent to it untaken, dead or alive: then the kernel drops the connection. (TCP alone would try for a
quarter of an hour, and wait for ever for one that acknowledges and does not read.)"""


class Part(Protocol):
    """Something that runs until it is stopped. `stop` lets it finish in its own bounded time; `stop_now` does not wait."""

    @property
    def name(self) -> str:
        """For the task's name and for readiness."""
        ...

    @property
    def able(self) -> bool:
        """Whether it can do its work now; asked once it has started. Lag and an empty queue are no inability."""
        ...

    async def run(self, *, task_status: TaskStatus[None]) -> None:
        """Run until stopped or cancelled; `started` when it does its work."""
        ...

    def stop(self) -> None:
        """Finish."""
        ...

    def stop_now(self) -> None:
        """Finish without waiting."""
        ...


class Service:
    """Runs parts in one task group. A part that fails takes the others down with it, and the error comes out of `run`."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self._parts = tuple(parts)
        self._ready = dict.fromkeys((part.name for part in parts), False)

    def readiness(self) -> dict[str, bool]:
        """Part by part, whether it has started and is able. Lag is no reason not to be ready."""
        return {part.name: self._ready[part.name] and part.able for part in self._parts}

    async def run(self, stop: anyio.Event, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Start every part, in order; when `stop` is set, stop them all and wait until they have finished.

        A stop is heard while a part is starting too: one that waits for what it cannot reach must not hold up the end.
        """
        async with anyio.create_task_group() as group:
            with anyio.CancelScope() as starting:
                group.start_soon(cancel_on, stop, starting, name="stop while starting")
                for part in self._parts:
                    token = running_part.set(part.name)
                    try:
                        await group.start(part.run, name=part.name)
                    finally:
                        running_part.reset(token)
                    self._ready[part.name] = True
            task_status.started()
            await stop.wait()
            self._ready = dict.fromkeys(self._ready, False)
            for part in self._parts:
                part.stop()

    def stop_now(self) -> None:
        """The second signal: nothing waits any more."""
        for part in self._parts:
            part.stop_now()


async def cancel_on(stop: anyio.Event, scope: anyio.CancelScope) -> None:
    """Cancel what runs in the scope as soon as a stop is asked for."""
    await stop.wait()
    scope.cancel()


class Cancellable:
    """A part that stops by being cancelled: its own clean-up is shielded and bounded."""

    able = True

    def __init__(self, name: str, run: Callable[..., Awaitable[Any]]) -> None:
        self.name = name
        self._run = run
        self._scope = anyio.CancelScope()

    async def run(self, *, task_status: TaskStatus[None]) -> None:
        """Run until `stop`."""
        with self._scope:
            await self._run(task_status=task_status)

    def stop(self) -> None:
        """Cancel."""
        self._scope.cancel()

    def stop_now(self) -> None:
        """Cancel."""
        self._scope.cancel()


class HttpServer:
    """uvicorn as a part. The socket is bound before anything starts, so that port 0 and a taken port are known at once."""

    able = True

    def __init__(self, app: Any, *, name: str, listener: socket.socket) -> None:  # noqa: ANN401 - any ASGI application
        self.name = name
        self._listener = listener
        config = uvicorn.Config(
            app,
            loop="none",
            http=BoundedProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=HTTP_GRACE_S,
            limit_concurrency=2_500,
            backlog=2_048,
        )
        self._server = _Server(config)

    @property
    def port(self) -> int:
        """The port that it listens on."""
        port: int = self._listener.getsockname()[1]
        return port

    async def run(self, *, task_status: TaskStatus[None]) -> None:
        """Serve until stopped; requests under way get a few seconds to end."""
        self._server.on_started = task_status.started
        await self._server.serve(sockets=[self._listener])

    def stop(self) -> None:
        """Take no more connections, end the ones under way."""
        self._server.should_exit = True

    def stop_now(self) -> None:
        """End."""
        self._server.should_exit = True
        self._server.force_exit = True

    def close(self) -> None:
        """Give the port back: a server that was never run holds it too."""
        self._listener.close()


class _Server(uvicorn.Server):
    """Signals belong to the process, not to one of its parts; and somebody waits for the start."""

    on_started: Callable[[], None]

    def install_signal_handlers(self) -> None:
        """Leave them alone."""

    def capture_signals(self) -> Any:  # noqa: ANN401 - a context manager, as in the base class
        """Leave them alone."""
        return _Nothing()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then say so."""
        await super().startup(sockets=sockets)
        self.on_started()


class _Nothing:
    def __enter__(self) -> None:
        return None

    def __exit__(self, *_exception: object) -> None:
        return None


class PortTaken(Exception):
    """The address cannot be listened on. Nothing was started."""


def listen(host: str, port: int) -> socket.socket:
    """Bind a listening socket. Raises PortTaken, with what to do."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux; connections have it from their listener
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNTAKEN_MS_MAX)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise PortTaken(
            f"cannot listen on {host}:{port} ({error.strerror}); choose another port, or 0 for a free one"
        ) from error
    return listener
