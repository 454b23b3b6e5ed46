"""The ECS agent's endpoint as AWS documents it: what is sent, and what of its answers counts as done."""

import socket
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from workers.ecs_agent import open_agent
from workers.protection import AgentRefused, AgentUnreachable

TASK = "arn:aws:ecs:us-west-2:111122223333:task/shop/0123456789abcdef0123456789abcdef"


@asynccontextmanager
async def agent(answer):
    """An agent that answers as told; the requests that it had."""
    requests = []

    async def state(request):
        requests.append((request.method, request.path, request.content_type, await request.json()))
        return answer() if callable(answer) else web.json_response(answer)

    app = web.Application()
    app.router.add_route("*", "/api/t/task-protection/v1/state", state)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    try:
        async with open_agent(f"http://127.0.0.1:{port}/api/t/", timeout_s=2) as opened:
            yield opened, requests
    finally:
        await runner.cleanup()


def protected(*, enabled):
    return {"protection": {"ExpirationDate": None, "ProtectionEnabled": enabled, "TaskArn": TASK}}


async def test_protection_is_put_with_its_minutes():
    """PUT, JSON, the path under the agent's address."""
    async with agent(protected(enabled=True)) as (opened, requests):
        await opened.protect(10)
    path = "/api/t/task-protection/v1/state"
    assert requests == [("PUT", path, "application/json", {"ProtectionEnabled": True, "ExpiresInMinutes": 10})]


async def test_giving_it_up_names_no_minutes():
    """They are for protecting only."""
    async with agent(protected(enabled=False)) as (opened, requests):
        await opened.release()
    assert requests[0][3] == {"ProtectionEnabled": False}


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ({"failure": {"Arn": TASK, "Detail": None, "Reason": "DEPLOYMENT_BLOCKED"}}, "DEPLOYMENT_BLOCKED"),
        ({"error": {"Arn": TASK, "Code": "ThrottlingException", "Message": "Rate exceeded"}}, "ThrottlingException"),
        (protected(enabled=False), "not the state"),
        ({"protection": None}, "not the state"),
        ([], "not the state"),
        (lambda: web.Response(text="<html>"), "not the state"),
        (
            lambda: web.json_response({"error": {"Code": "AccessDeniedException", "Message": "no"}}, status=400),
            "400: AccessDeniedException",
        ),
        (lambda: web.Response(status=302, headers={"Location": "http://127.0.0.1:1/"}), "302"),
    ],
)
async def test_whatever_is_not_the_state_that_was_asked_for_is_a_refusal(answer, says):
    """A 200 alone proves nothing: the agent answers so for failures too. Nobody is led elsewhere."""
    async with agent(answer) as (opened, _):
        with pytest.raises(AgentRefused, match=says):
            await opened.protect(10)


async def test_an_error_of_the_agent_itself_tells_nothing():
    """It may have protected the task all the same."""
    async with agent(lambda: web.Response(status=500)) as (opened, _):
        with pytest.raises(AgentUnreachable, match="500"):
            await opened.protect(10)


async def test_an_agent_that_is_not_there_is_unreachable():
    """The client's own words are in it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    async with open_agent(f"http://127.0.0.1:{port}", timeout_s=2) as opened:
        with pytest.raises(AgentUnreachable, match="ClientConnectorError"):
            await opened.release()


async def test_an_agent_that_does_not_answer_is_given_up():
    """Within the client's time-out, by whichever of the two comes first."""
    with socket.create_server(("127.0.0.1", 0)) as server:  # takes connections and says nothing
        async with open_agent(f"http://127.0.0.1:{server.getsockname()[1]}", timeout_s=0.2) as opened:
            with pytest.raises(AgentUnreachable):
                await opened.release()
