"""Parts of a process: one that fails ends the others, a second signal waits for nobody, and HTTP is a part like any other."""

import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing

import anyio
import httpx
import pytest
from anyio.abc import TaskStatus

from tests.virtual_time import run_virtual
from workers.service import HttpServer, Part, PortTaken, Service, listen


class Patient:
    """A part with an hour of work to finish, unless it is told not to wait."""

    def __init__(self, name: str, *, fails: bool = False) -> None:
        self.name = name
        self.able = True
        self.ended_by: str | None = None
        self._fails = fails
        self._asked = anyio.Event()
        self._patience = anyio.CancelScope()

    async def run(self, *, task_status: TaskStatus[None]) -> None:
        task_status.started()
        if self._fails:
            raise RuntimeError(f"{self.name} is broken")
        try:
            await self._asked.wait()
            self.ended_by = "second signal"
            with self._patience:
                await anyio.sleep(3_600)
                self.ended_by = "its own end"
        except BaseException:
            self.ended_by = "cancellation"
            raise

    def stop(self) -> None:
        self._asked.set()

    def stop_now(self) -> None:
        self._patience.cancel()


@asynccontextmanager
async def running(*parts: Part) -> AsyncIterator[tuple[Service, anyio.Event]]:
    """A service and its stop, which the block sets; what never ends fails instead of hanging."""
    service, stop = Service(parts), anyio.Event()
    with anyio.fail_after(7_200 if isinstance(parts[0], Patient) else 30):
        async with anyio.create_task_group() as group:
            await group.start(service.run, stop)
            yield service, stop


def test_a_part_that_cannot_do_its_work_is_not_ready_until_it_can() -> None:
    """A queue that does not answer turns readiness red, and back: nobody has to restart anything."""

    async def scenario() -> None:
        worker = Patient("payment")
        async with running(worker) as (service, stop):
            worker.able = False
            red = service.readiness()
            worker.able = True
            green = service.readiness()
            stop.set()

        assert (red, green) == ({"payment": False}, {"payment": True})

    run_virtual(scenario)


def test_a_stop_waits_until_each_part_has_finished() -> None:
    """The parts finish side by side, not one after the other; meanwhile none is ready."""

    async def scenario() -> tuple[list[str | None], float, list[dict[str, bool]]]:
        parts = [Patient("a"), Patient("b")]
        began_at = anyio.current_time()
        async with running(*parts) as (service, stop):
            seen = [service.readiness()]
            stop.set()
            await anyio.sleep(1)
            seen.append(service.readiness())
        return [part.ended_by for part in parts], anyio.current_time() - began_at, seen

    ended_by, took_s, seen = run_virtual(scenario)

    assert (ended_by, took_s) == (["its own end"] * 2, 3_600)
    assert seen == [{"a": True, "b": True}, {"a": False, "b": False}]


def test_nothing_is_ready_before_it_has_started() -> None:
    """A process that is only just composed takes no traffic."""

    async def scenario() -> dict[str, bool]:
        return Service([Patient("a")]).readiness()

    assert run_virtual(scenario) == {"a": False}


def test_the_second_signal_waits_for_nobody() -> None:
    """Every part hears of it."""

    async def scenario() -> tuple[list[str | None], float]:
        parts = [Patient("a"), Patient("b")]
        began_at = anyio.current_time()
        async with running(*parts) as (service, stop):
            stop.set()
            await anyio.sleep(1)
            service.stop_now()
        return [part.ended_by for part in parts], anyio.current_time() - began_at

    assert run_virtual(scenario) == (["second signal"] * 2, 1)


def test_a_part_that_fails_takes_the_others_down() -> None:
    """Half a process would look alive and do half the work; the error itself comes out."""

    async def scenario() -> str | None:
        good, broken = Patient("good"), Patient("broken", fails=True)
        with pytest.RaisesGroup(pytest.RaisesExc(RuntimeError, match="broken is broken"), flatten_subgroups=True):
            await Service([good, broken]).run(anyio.Event())
        return good.ended_by

    assert run_virtual(scenario) == "cancellation"


async def hello(scope, receive, send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})


async def test_http_is_served_from_the_start_to_the_stop() -> None:
    """It answers as soon as it says that it has started, and its port is refused after the stop."""
    server = HttpServer(hello, name="api", listener=listen("127.0.0.1", 0))
    url = f"http://127.0.0.1:{server.port}"
    async with httpx.AsyncClient(trust_env=False) as client:
        async with running(server) as (_, stop):
            assert (await client.get(url)).text == "hello"
            stop.set()
        with pytest.raises(httpx.ConnectError):
            await client.get(url)


async def test_http_leaves_the_signals_to_the_process() -> None:
    """uvicorn would take SIGTERM for itself, and the queues would never drain."""
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    async with running(HttpServer(hello, name="api", listener=listen("127.0.0.1", 0))) as (_, stop):
        during = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
        stop.set()

    assert during == before


def test_a_taken_port_says_what_to_do() -> None:
    """Before anything is started, and in words."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(PortTaken, match=rf"cannot listen on 127.0.0.1:{port} .*choose another port, or 0"):
            listen("127.0.0.1", port)


def test_port_zero_takes_a_free_one() -> None:
    """Two of them never meet."""
    with closing(listen("127.0.0.1", 0)) as first, closing(listen("127.0.0.1", 0)) as second:
        ports = {first.getsockname()[1], second.getsockname()[1]}

    assert len(ports) == 2
    assert 0 not in ports
