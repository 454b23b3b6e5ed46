"""The audit commands over the tables of the embedded environment."""

import json
from functools import partial
from pathlib import Path

import pytest
from anyio import to_thread

from orderstore.domain import decisions
from orderstore.recorded import Actor
from orderstore.requests import CancelOrder
from tests.builders import PAID
from tests.commands import orderstore
from tests.e2e.programs import Finished
from tests.ordering import cause, request
from workers.core import open_core
from workers.metrics.table import Metrics
from workers.settings import from_environment

pytestmark = pytest.mark.emulator
ORDERS = 23


async def test_who_did_what_is_found_in_the_tables(environment: dict[str, str], tmp_path: Path) -> None:
    """Every order once, the newest as many as are asked for; and one order at each of its moments."""
    async with open_core(from_environment(environment), Metrics()) as core:
        for number in range(ORDERS):
            placing = request(customerId=f"C-{number % 4}")
            placed = await core.orders.place(placing, actor=Actor("customer", "shop"), idempotency_key=f"key-{number}")
            history = await core.orders.record(
                placed.history,
                partial(decisions.complete_payment, outcome=PAID),
                cause=cause("payment", f"cause-{number}"),
            )
            order_id = history.events[0].order_id
            if number % 5 == 0:
                await core.orders.cancel(order_id, CancelOrder(reason="Ada fell ill"), actor=Actor("operator", "alice"))

    async def run(*arguments: str) -> Finished:
        done = await to_thread.run_sync(partial(orderstore, "audit", *arguments, cwd=tmp_path, variables=environment))
        assert done.code == 0, done.said
        assert "Ada fell ill" not in done.said
        assert "ada@example.com" not in done.said
        return done

    every = (await run("trail", "--json", "--limit", "500")).document
    cancelled = (await run("trail", "--all", "--actor-id", "alice")).out.splitlines()
    changed = (await run("diff", order_id, "1", "2", "--json")).document

    assert every["orders"] == ORDERS
    assert len({row["event_id"] for row in every["items"]}) == len(every["items"]) == every["found"]
    assert [json.loads(line)["type"] for line in cancelled] == ["OrderCancellationRequested"] * len(range(0, ORDERS, 5))
    assert (changed["fields"][0]["old"], changed["fields"][0]["new"]) == ("PENDING", "AUTHORIZED")
    assert [event["actor"]["id"] for event in changed["events"]] == ["payment"]
