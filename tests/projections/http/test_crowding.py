"""More requests than can be worked on: some wait, the rest are told when to come again; nobody is begun who cannot be answered in time."""

from collections import Counter
from random import Random

import anyio
import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from projections.http.crowding import RETRY_AFTER_S, Crowding
from tests.virtual_time import run_virtual

WORK_S = 4.0
AT_ONCE = 3
WAIT_S = 10.0


class Kitchen:
    """An app whose every answer takes its time, and which counts who is at work."""

    def __init__(self):
        self.at_work = self.at_work_max = self.begun = 0

    async def cook(self, _request):
        self.at_work += 1
        self.begun += 1
        self.at_work_max = max(self.at_work_max, self.at_work)
        try:
            await anyio.sleep(WORK_S)
        finally:
            self.at_work -= 1
        return PlainTextResponse("done")

    def app(self):
        """The app, in line."""
        routes = [Route(path, self.cook) for path in ("/orders", "/healthz", "/readyz", "/metrics", "/orders/7/live")]
        crowding = Crowding(Starlette(routes=routes), random=Random(1), at_once=AT_ONCE, wait_s=WAIT_S)

        async def with_request_id(scope, receive, send):
            await crowding({**scope, "state": {"request_id": "request-1"}}, receive, send)

        return with_request_id


async def crowd(kitchen, *paths):
    """Everybody asks at once; the answers."""
    answers = []
    async with httpx.AsyncClient(transport=httpx.ASGITransport(kitchen.app()), base_url="http://shop") as client:

        async def ask(path):
            answers.append(await client.get(path))

        async with anyio.create_task_group() as group:
            for path in paths:
                group.start_soon(ask, path)
    return answers


def test_those_who_can_be_answered_in_time_are_and_the_rest_are_told_when_to_come_again() -> None:
    """Three at once, four seconds each, ten seconds of patience: nine are served, and work is begun for no others."""
    kitchen = Kitchen()
    answers = run_virtual(lambda: crowd(kitchen, *["/orders"] * 30))
    assert Counter(answer.status_code for answer in answers) == {200: 9, 503: 21}
    assert (kitchen.at_work_max, kitchen.begun) == (AT_ONCE, 9)
    sent_away = [answer for answer in answers if answer.status_code == 503]
    assert {answer.json()["code"] for answer in sent_away} == {"throttled"}
    assert {answer.headers["content-type"] for answer in sent_away} == {"application/problem+json"}
    waits = Counter(int(answer.headers["retry-after"]) for answer in sent_away)
    assert RETRY_AFTER_S[0] <= min(waits) <= max(waits) <= RETRY_AFTER_S[1]
    assert len(waits) > 3, "they would all come back together"


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/orders/7/live"])
def test_whoever_looks_after_the_process_and_live_streams_stand_in_no_line(path: str) -> None:
    """A load balancer that hears nothing ends the task, with everything at work in it."""
    kitchen = Kitchen()
    answers = run_virtual(lambda: crowd(kitchen, *["/orders"] * 30, *[path] * 20))
    assert Counter(answer.status_code for answer in answers) == {200: 29, 503: 21}


def test_a_client_that_leaves_gives_its_turn_back() -> None:
    """Waiting or at work: afterwards there is as much room as before."""
    kitchen = Kitchen()

    async def leave_and_come_again():
        app = kitchen.app()
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://shop") as client:
            with anyio.move_on_after(1):
                async with anyio.create_task_group() as group:
                    for _ in range(10):
                        group.start_soon(client.get, "/orders")
            assert kitchen.at_work == 0
            answers = []

            async def ask():
                answers.append(await client.get("/orders"))

            began = anyio.current_time()
            async with anyio.create_task_group() as group:
                for _ in range(AT_ONCE):
                    group.start_soon(ask)
            return [answer.status_code for answer in answers], anyio.current_time() - began

    assert run_virtual(leave_and_come_again) == ([200] * AT_ONCE, pytest.approx(WORK_S))
