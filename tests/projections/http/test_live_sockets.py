"""Live streams through a real server and real sockets: they arrive as they happen, resume, are freed, cut and drained."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from typing import Any

import anyio
import httpx
import pytest

from orderstore.domain import decisions, holds
from orderstore.recorded import Actor
from orderstore.requests import CancelOrder
from tests.builders import PAID_AT_ONCE
from tests.projections.http.api import READER, bearer
from tests.projections.http.live_api import FOLLOWER, LiveApi, events_in, running_live
from workers.service import UNTAKEN_MS_MAX, Cancellable, HttpServer, Service, listen

SOON_S = 10


class Served:
    """A process that serves; `stop` is its SIGTERM."""

    def __init__(self, live: LiveApi, port: int, stop: anyio.Event, ended: anyio.Event) -> None:
        self.live = live
        self.port = port
        self.stop = stop
        self.ended = ended

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}", trust_env=False, timeout=SOON_S)

    async def free(self) -> None:
        """Until no stream is open any more, and nothing is watched for one."""
        with anyio.fail_after(SOON_S):
            while self.live.desk.streams or self.live.desk.watched:  # noqa: ASYNC110 - it happens in the server
                await anyio.sleep(0.01)


@asynccontextmanager
async def served(*, send_buffer_bytes: int | None = None, **settings: Any) -> AsyncIterator[Served]:
    """The API as a process runs it: the server and the watcher are parts of one service."""
    async with running_live(
        watching=False, **{"tick_s": 0.02, "pause_min_s": 0.02, "pause_max_s": 0.05, **settings}
    ) as live:
        listener = listen("127.0.0.1", 0)
        if send_buffer_bytes is not None:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer_bytes)
        stop, ended = anyio.Event(), anyio.Event()
        with closing(HttpServer(live.api.app, name="api", listener=listener)) as server:
            service = Service([server, Cancellable("live watch", live.desk.run)])

            async def run(*, task_status: Any) -> None:
                await service.run(stop, task_status=task_status)
                ended.set()

            async with anyio.create_task_group() as group:
                await group.start(run)
                yield Served(live, server.port, stop, ended)
                stop.set()


class Reading:
    """A client that reads event after event."""

    def __init__(self, response: httpx.Response) -> None:
        self._chunks = response.aiter_text()
        self._text = ""

    async def next(self) -> dict[str, str] | None:
        """The next event; hints and comments are passed over; None at the end."""
        with anyio.fail_after(SOON_S):
            while True:
                block, found, rest = self._text.partition("\n\n")
                if found:
                    self._text = rest
                    for event in events_in(block + "\n\n"):
                        if "event" in event:
                            return event
                    continue
                try:
                    self._text += await anext(self._chunks)
                except StopAsyncIteration:
                    return None


async def pay(live: LiveApi, order_id: str) -> None:
    await live.api.record(order_id, decisions.complete_payment, purpose="payment", outcome=PAID_AT_ONCE)


async def test_events_arrive_as_they_happen_and_a_client_that_left_goes_on_where_it_was() -> None:
    """The first connection breaks in the middle; its place is free at once; the second begins with what came meanwhile."""  # E031
    async with served() as process, process.client() as client:
        live = process.live
        order_id = await live.api.place(customerId="C-1")
        async with client.stream("GET", f"/orders/{order_id}/live", headers=bearer(READER)) as response:
            assert response.status_code == 200
            reading = Reading(response)
            first = await reading.next()
            assert first is not None
            assert first["id"] == "1"
            await pay(live, order_id)
            second = await reading.next()
            assert second is not None
            assert second["id"] == "2"
        await process.free()
        await live.api.orders.cancel(order_id, CancelOrder(), actor=Actor("customer", "shop"))
        headers = {**bearer(READER), "Last-Event-ID": second["id"]}
        async with client.stream("GET", f"/orders/{order_id}/live", headers=headers) as response:
            third = await Reading(response).next()
            assert third is not None
            assert (third["id"], '"CANCELLING"' in third["data"]) == ("3", True)
        await process.free()
        assert live.measures.closed == [("order", "left")] * 2


async def test_a_customer_is_told_of_a_note_as_it_comes_in() -> None:
    """While the connection stands."""
    async with served() as process, process.client() as client:
        async with client.stream("GET", "/customers/C-1/live", headers=bearer(FOLLOWER)) as response:
            reading = Reading(response)
            standing = await reading.next()
            assert standing is not None
            assert standing["event"] == "standing"
            await process.live.note(1)
            note = await reading.next()
            assert note is not None
            assert (note["event"], '"note 1"' in note["data"]) == ("note", True)
        await process.free()


async def test_a_stopping_process_ends_its_streams_at_once() -> None:
    """Each ends whole, with a hint, well before the server would give up on it; the process is gone in less than that."""
    async with served() as process, process.client() as client:
        order_id = await process.live.api.place()
        texts: list[str] = []
        connected = [anyio.Event() for _ in range(5)]

        async def follow(event: anyio.Event) -> None:
            async with client.stream("GET", f"/orders/{order_id}/live", headers=bearer(READER)) as response:
                text = ""
                async for chunk in response.aiter_text():
                    text += chunk
                    event.set()
                texts.append(text)

        async with anyio.create_task_group() as group:
            for event in connected:
                group.start_soon(follow, event)
            for event in connected:
                await event.wait()
            process.stop.set()
            with anyio.fail_after(4):  # the server's own patience is five seconds
                await process.ended.wait()
        assert len(texts) == 5
        assert all(text.rstrip().split("\n")[-1].startswith("retry: ") for text in texts)
        assert process.live.measures.closed == [("order", "drain")] * 5


@pytest.mark.thorough
async def test_a_client_that_does_not_read_is_cut_and_holds_up_nobody() -> None:
    """What the kernel and the server buffer is bounded; beyond it the client has a moment, then its place is free."""
    async with served(send_buffer_bytes=4_096, send_s=0.2) as process, process.client() as client:
        live = process.live
        order_id = await live.api.place()
        for number in range(150):
            hold_id = f"h-{number}"
            await live.api.record(order_id, holds.hold, purpose=f"hold {number}", hold_id=hold_id, reason="stock")
            await live.api.record(order_id, holds.release_hold, purpose=f"release {number}", hold_id=hold_id)
        with socket.socket() as slow:
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2_048)
            slow.connect(("127.0.0.1", process.port))
            slow.sendall(
                f"GET /orders/{order_id}/live?lastEventId=0 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {READER}\r\n\r\n".encode()
            )
            async with client.stream(
                "GET", f"/orders/{order_id}/live?lastEventId=0", headers=bearer(READER)
            ) as response:
                reading = Reading(response)
                for number in range(301):
                    event = await reading.next()
                    assert event is not None
                    assert event["id"] == str(number + 1)
            await process.free()
        assert sorted(live.measures.closed) == [("order", "left"), ("order", "slow")]
        assert live.measures.sent.count("status") < 550


async def test_a_client_that_vanishes_while_it_waits_is_found_out_by_the_next_comment() -> None:
    """It reset the connection without a word; nothing happens to its order."""
    async with served(beat_s=0.05) as process:
        order_id = await process.live.api.place()
        with socket.socket() as gone:
            gone.connect(("127.0.0.1", process.port))
            gone.sendall(
                f"GET /orders/{order_id}/live HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {READER}\r\n\r\n".encode()
            )
            with anyio.fail_after(SOON_S):
                while not process.live.desk.streams:  # noqa: ASYNC110 - it happens in the server
                    await anyio.sleep(0.01)
            gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        await process.free()
        assert process.live.measures.closed == [("order", "left")]


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="the kernel has no such bound")
def test_the_kernel_drops_who_leaves_everything_untaken() -> None:
    """A client that was cut is closed to, which waits for what is buffered: that wait is bounded too, for every connection."""
    with listen("127.0.0.1", 0) as listener:
        assert listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == UNTAKEN_MS_MAX == 30_000
