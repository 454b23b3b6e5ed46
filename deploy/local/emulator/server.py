"""The emulator's process: MiniStack under uvicorn, on loopback only, with its state on disk and our bridges beside it.

Run by `deploy.local.process` with the interpreter of the emulator's virtual environment:

    python server.py --state-dir DIR --listen-fd N --lock-fd N --instance ID

The listening socket and the lock come from the parent, already bound and already taken: so there is no race for a port,
and the lock says for the whole life of this process, however it ends, that this state has an emulator.
"""

import argparse
import asyncio
import functools
import gc
import importlib
import json
import logging
import os
import signal
import socket
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

import uvicorn
from alarms import QueueAlarms  # type: ignore[import-not-found,unused-ignore] # a sibling: this file is run by path
from snapshots import Snapshots  # type: ignore[import-not-found,unused-ignore] # the same

ALARM_INTERVAL_S = 2.0
"""AWS publishes queue metrics each minute; a person who watches a demonstration should not wait for that."""
GRACEFUL_SHUTDOWN_S = 2
"""How long open calls (long polls wait for 20 s) may go on after SIGTERM before they are cut, so that the state is saved soon."""

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

logger = logging.getLogger("orderstore.emulator")


def settings(state_dir: Path, port: int) -> dict[str, str]:
    """What MiniStack reads from its environment when it is imported."""
    return {
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "PERSIST_STATE": "1",
        "STATE_DIR": str(state_dir / "emulator" / "state"),
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(state_dir / "emulator" / "s3"),
        "LOG_LEVEL": "WARNING",
        "IOT_MTLS_ENABLED": "0",  # else it listens on every interface
        "SFTP_ENABLED": "0",  # the same
        "DOCKER_HOST": f"unix://{state_dir}/no-docker",  # it must never look for containers to remove
    }


def main() -> None:
    """Serve until SIGTERM or SIGINT; then save the state and end."""
    parser = argparse.ArgumentParser(description="The emulator of the embedded environment; started by deploy.local.")
    parser.add_argument("--state-dir", type=Path, required=True)
    parser.add_argument("--listen-fd", type=int, required=True)
    parser.add_argument("--lock-fd", type=int, required=True)
    parser.add_argument("--instance", required=True)
    parser.add_argument("--end-with", type=int, help="end when the process with this id is gone")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s")

    os.umask(0o077)  # the state holds customers' data and key material
    listener = socket.socket(fileno=arguments.listen_fd)
    port = listener.getsockname()[1]
    os.environ.update(settings(arguments.state_dir, port))
    # Much is allocated and little is garbage: with the usual thresholds collections of a large heap cost up to a second a time.
    gc.set_threshold(100_000, 50, 100)
    snapshots = Snapshots(Path(os.environ["STATE_DIR"]), close_in_child=(arguments.lock_fd, listener.fileno()))
    snapshots.recover()
    emulator = importlib.import_module("ministack.app")

    identity = {"pid": os.getpid(), "port": port, "instance": arguments.instance}
    os.ftruncate(arguments.lock_fd, 0)
    os.pwrite(arguments.lock_fd, json.dumps(identity).encode(), 0)

    config = uvicorn.Config(
        with_bridges(emulator.app, identity, snapshots, arguments.end_with),
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        date_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=GRACEFUL_SHUTDOWN_S,
    )
    uvicorn.Server(config).run(sockets=[listener])


def with_bridges(
    emulator: Application, identity: dict[str, Any], snapshots: Snapshots, end_with: int | None
) -> Application:
    """Wrap MiniStack's application: answer who we are, and keep our bridges running while it serves."""
    answer = json.dumps(identity).encode()

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            periodic = {"queue-alarms": (ALARM_INTERVAL_S, QueueAlarms().tick), "snapshots": (1.0, snapshots.tick)}
            if end_with is not None:
                periodic["end-with"] = (1.0, functools.partial(end_when_gone, end_with))
            await serve_lifespan(
                emulator, snapshots=snapshots, periodic=periodic, scope=scope, receive=receive, send=send
            )
        elif scope["type"] == "http" and scope["path"] == "/_orderstore/identity":
            headers = [(b"content-type", b"application/json"), (b"content-length", str(len(answer)).encode())]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": answer})
        else:
            snapshots.dirty = True
            await emulator(scope, receive, send)

    return application


async def serve_lifespan(
    emulator: Application,
    *,
    snapshots: Snapshots,
    periodic: dict[str, tuple[float, Callable[[], None]]],
    scope: Scope,
    receive: Receive,
    send: Send,
) -> None:
    """Run MiniStack's start and stop with ours around them: bridges begin when it has read its state; the last state is ours to write."""
    tasks: list[asyncio.Task[None]] = []

    async def send_with_bridges(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "lifespan.startup.complete":
            snapshots.attach()
            tasks.extend(asyncio.create_task(every(*work), name=name) for name, work in periodic.items())
        elif message["type"] == "lifespan.shutdown.complete":
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            snapshots.finish()
        await send(message)

    await emulator(scope, receive, send_with_bridges)


def end_when_gone(pid: int) -> None:
    """End this process in good order when another is gone."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        signal.raise_signal(signal.SIGTERM)


async def every(interval_s: float, work: Callable[[], None]) -> None:
    """Do `work` again and again. One failure is logged and the next turn tried: a bridge must not take the emulator down."""
    while True:
        await asyncio.sleep(interval_s)
        try:
            work()
        except Exception:
            logger.exception("the bridge %s failed", work)


if __name__ == "__main__":
    main()
