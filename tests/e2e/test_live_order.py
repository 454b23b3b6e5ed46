"""One order followed live through the whole service on the embedded environment, and its customer told in the app until they are erased."""

import json
from typing import Any

import anyio
import httpx
import pytest

from deploy.local.environment import Environment
from orderstore.privacy.erasure import Request
from orderstore.recorded import Actor
from tests.projections.http.live_api import events_in
from workers.commands.privacy.erase import eraser
from workers.departments import stock_of
from workers.metrics.table import Metrics
from workers.settings import from_environment
from workers.wiring import open_service

pytestmark = pytest.mark.emulator
ORDER = {
    "customerId": "C-1001",
    "customerEmail": "jane@example.com",
    "currency": "USD",
    "items": [{"sku": "LAPTOP-001", "quantity": 1, "price": 850}],
}
ROLES: Any = ["api", "projector", "relay", "payment", "inventory", "shipping", "billing", "notification"]


async def until_end(client: httpx.AsyncClient, path: str, *, leave_after: int | None = None) -> list[dict[str, str]]:
    """The events of a stream up to its end, or so many."""
    found: list[dict[str, str]] = []
    async with client.stream("GET", path) as response:
        assert response.status_code == 200
        text = ""
        async for chunk in response.aiter_text():
            *blocks, text = (text + chunk).split("\n\n")
            found += [event for block in blocks for event in events_in(block + "\n\n") if "event" in event]
            if leave_after is not None and len(found) >= leave_after:
                return found
    return found


async def test_an_order_is_followed_live_and_its_customer_is_told(
    environment: dict[str, str], emulator: Environment
) -> None:
    """Every commit once, over two connections; notes are kept, counted and read; an erasure empties the inbox."""  # E031
    settings = from_environment(environment, overrides={"ORDERSTORE_API_PORT": "0", "ORDERSTORE_QUEUE_WAIT_S": "1"})
    async with open_service(settings, ROLES, Metrics()) as running, anyio.create_task_group() as tasks:
        core, stop = running.core, anyio.Event()
        await stock_of(core).receive("opening", {"LAPTOP-001": 10})
        await tasks.start(running.service.run, stop)
        headers = {"Authorization": f"Bearer {emulator.api_token}"}
        address = f"http://127.0.0.1:{running.http_port}"
        try:
            with anyio.fail_after(90):
                async with httpx.AsyncClient(base_url=address, headers=headers, timeout=60, trust_env=False) as client:
                    order_id = (await client.post("/orders", json=ORDER)).json()["orderId"]
                    begun = await until_end(client, f"/orders/{order_id}/live?lastEventId=0", leave_after=3)
                    last = begun[-1]["id"]
                    rest = await until_end(client, f"/orders/{order_id}/live?lastEventId={last}")
                    statuses = [event for event in (*begun, *rest) if event["event"] == "status"]
                    head = len(await core.store.read(f"{settings.tenant}/order-{order_id}"))
                    assert [int(event["id"]) for event in statuses] == list(range(1, head + 1))
                    assert rest[-1]["event"] == "end"
                    assert json.loads(rest[-1]["data"])["status"] == "COMPLETED"

                    told = {"PaymentCompleted", "InventoryReserved", "ShipmentDispatched"}
                    seen: set[str] = set()
                    while seen != told:
                        inbox = (await client.get("/customers/C-1001/inbox")).json()
                        seen = {note["eventType"] for note in inbox["items"]}
                        await anyio.sleep(0.05)
                    assert inbox["unread"] == 3
                    note_id = inbox["items"][0]["id"]
                    assert (await client.post(f"/customers/C-1001/inbox/{note_id}/read")).status_code == 200
                    (standing,) = await until_end(client, "/customers/C-1001/live", leave_after=1)
                    assert json.loads(standing["data"])["unread"] == 2
                    asked = Request(
                        subject="customer:C-1001", order_ids=(order_id,), reason="asked", actor=Actor("operator", "dpo")
                    )
                    erased = await eraser(core).erase(asked)
                    assert erased.certificate["removed"] == ["the notes in the app"]
                    emptied = (await client.get("/customers/C-1001/inbox")).json()
                    assert (emptied["items"], emptied["unread"]) == ([], 0)
        finally:
            stop.set()
