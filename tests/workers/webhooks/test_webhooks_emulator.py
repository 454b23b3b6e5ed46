"""The webhooks as the service opens them, over the tables, the queue and the keys of the embedded environment."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import anyio
import orjson
import pytest

from tests.workers.webhooks.test_over_real_sockets import answering, serving
from tests.workers.webhooks.world import WHY, message
from workers.core import Core, open_core
from workers.metrics.table import Metrics
from workers.runtime.outcome import Handler
from workers.settings import from_environment
from workers.webhooks.desk import WebhooksDesk
from workers.webhooks.opening import desk_of, open_webhooks

pytestmark = pytest.mark.emulator

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


async def test_an_endpoint_is_added_told_and_told_again(environment: Mapping[str, str]) -> None:
    """Sealed secrets, conditional claims, both indexes and the sender, on DynamoDB's and KMS's emulator."""  # E030
    settings = from_environment(environment, overrides={"ORDERSTORE_WEBHOOKS_INSECURE": "true"})
    seen: list[bytes] = []
    metrics = Metrics()
    async with serving(answering(OK, seen)) as port, open_core(settings, metrics) as core:
        desk = desk_of(core)
        made = await desk.add(
            url=f"http://127.0.0.1:{port}/hook", event_types=("OrderCancelled",), description="", **WHY
        )
        endpoint = made["id"]
        async with sending(core) as handler:
            for number in range(3):
                await handler(message(f"e-{number}"))
                await handler(message(f"e-{number}"))
            await handler(message("e-other", "OrderCompleted"))
            await until_delivered(desk, endpoint, 3)
        rotated = await desk.rotate(endpoint, overlap_s=60, **WHY)
        replayed = {"from_ms": 0, "until_ms": 2**42, "states": ("delivered",), "dry_run": False, "rate_per_s": 200}
        done = await desk.replay(endpoint, **replayed, **WHY)
        async with sending(core):
            await until_delivered(desk, endpoint, 3)
        delivery = await desk.delivery(endpoint, "e-1")
    bodies = [orjson.loads(request.partition(b"\r\n\r\n")[2])["eventId"] for request in seen]

    assert sorted(bodies[:3]) == sorted(bodies[3:]) == ["e-0", "e-1", "e-2"]
    assert done["replayed"] == 3
    assert [attempt["status"] for attempt in delivery["attempts"]] == [200, 200]
    assert seen[0].count(b"v1,") == 1
    assert seen[-1].count(b"v1,") == 2
    assert rotated["secret"] != made["secret"]
    assert metrics.total("orderstore_webhook_attempts") == 6


@asynccontextmanager
async def sending(core: Core) -> AsyncIterator[Handler]:
    """The role's parts at work, drained at the end."""
    async with open_webhooks(core, ("webhooks",)) as webhooks, anyio.create_task_group() as tasks:
        (sender,) = webhooks.senders
        await tasks.start(sender.run)
        yield webhooks.handlers["webhooks"]
        sender.stop()


async def until_delivered(desk: WebhooksDesk, endpoint: str, count: int) -> None:
    with anyio.fail_after(20):
        while True:
            found = await desk.deliveries(endpoint, limit=50)
            if [one["state"] for one in found["deliveries"]] == ["delivered"] * count:
                return
            await anyio.sleep(0.05)
