"""`orderstore exceptions …` over orders in memory: what wants somebody, and what is done about it, on record."""

import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import anyio
import pytest
from typer.testing import CliRunner, Result

from orderstore.domain import decisions
from orderstore.domain.ids import order_id_for_key, stream_of
from orderstore.orders import Orders
from orderstore.store.memory import MemoryEventStore
from projections.stream.parking.memory import MemoryParkingLot
from projections.view_store.memory import MemoryViewStore
from tests.builders import NOON
from tests.ordering import ACTOR, TENANT, cause, orders_over, request
from tests.projections.lagging import project, targets_in
from workers.cli import build
from workers.commands.exceptions import acting, looking

ORDER = order_id_for_key(TENANT, "order")


class Shop:
    """A log and its views; each command runs in a loop of its own, as in life."""

    def __init__(self) -> None:
        self.store = MemoryEventStore()
        self.orders: Orders = orders_over(self.store)
        self.views = MemoryViewStore()
        self.core = SimpleNamespace(
            orders=self.orders,
            views=self.views,
            parked=MemoryParkingLot(),
            settings=SimpleNamespace(tenant=TENANT),
        )
        self.woken: list[str] = []
        anyio.run(lambda: self.orders.place(request(), actor=ACTOR, idempotency_key="order"))

    def with_core(self, _state_dir: Any, work: Callable[[Any], Awaitable[Any]]) -> Any:
        async def main() -> Any:
            await project(self.store, self.views, stream_of(TENANT, ORDER), targets_in(1))
            return await work(self.core)

        return anyio.run(main)

    def stall(self, stage: str) -> None:
        async def main() -> None:
            history = await self.orders.load(ORDER)
            late = NOON + timedelta(hours=1)
            await self.orders.record(
                history,
                lambda state: decisions.stall(state, stage=stage, since=NOON, due_at=late),
                cause=cause("stalled"),
            )

        anyio.run(main)

    async def wake(self, history: Any) -> tuple[str, ...]:
        self.woken.append(history.stream)
        return ("payment",)

    def names(self) -> list[str]:
        return [recorded.name for recorded in anyio.run(lambda: self.orders.load(ORDER)).events]


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Shop:
    made = Shop()
    for module in (acting, looking):
        monkeypatch.setattr(module, "with_core", made.with_core)
    monkeypatch.setattr(acting, "order_sweep", lambda core: made)
    return made


def run(*arguments: str) -> Result:
    return CliRunner().invoke(build(), ["exceptions", *arguments], env={"COLUMNS": "200"})


def test_the_list_names_kind_cause_owner_and_what_may_be_done(shop: Shop) -> None:
    """As a table, and as the API's own documents."""
    assert "Nobody is wanted" in run("ls", "--kind", "held").stdout
    shop.stall("outcomes")

    shown = run("ls")
    assert shown.exit_code == 0, shown.output
    for word in (ORDER, "stalled", "outcomes", "payment_unknown", "retry, resume, skip, cancel"):
        assert word in shown.stdout
    found = json.loads(run("ls", "--kind", "stalled", "--json").stdout)
    assert [(one["orderId"], one["entries"][0]["cause"]) for one in found] == [(ORDER, "outcomes")]
    assert found[0]["order"]["status"] == "RECEIVED"


@pytest.mark.parametrize(("action", "woken"), [("retry", 1), ("skip", 0), ("resume", 0), ("cancel", 0)])
def test_what_is_done_is_on_record_with_who_and_why(shop: Shop, action: str, woken: int) -> None:
    """And shown with the order from then on."""
    shop.stall("outcomes")
    done = run(action, ORDER, "--stage", "outcomes", "--reason", "Wilhelmina asked", "--by", "olga")
    assert done.exit_code == 0, done.output
    assert f"{action} outcomes" in done.stdout
    assert ("looking again: payment" in done.stdout) == bool(woken)
    assert len(shop.woken) == woken
    assert "OrderProcessResumed" in shop.names()

    shown = run("show", ORDER)
    assert f"operator olga: {action} outcomes" in shown.stdout
    assert "Wilhelmina" not in shown.stdout
    document = json.loads(run("show", ORDER, "--json").stdout)
    assert [act["by"] for act in document["actions"]] == ["operator olga"]
    assert all(entry["endedAt"] for entry in document["entries"] if entry["kind"] == "stalled")


def test_what_cannot_be_done_is_said_in_words(shop: Shop) -> None:
    """Nothing waits for that, there is no such stage, no such kind, and no reason is none."""
    refused = run("retry", ORDER, "--stage", "undo", "--reason", "because", "--by", "olga")
    assert (refused.exit_code, "nobody waits" in refused.stderr) == (1, True)
    for wrong in (
        ("retry", ORDER, "--stage", "packing", "--reason", "because", "--by", "olga"),
        ("retry", ORDER, "--stage", "undo", "--reason", "", "--by", "olga"),
        ("retry", ORDER, "--stage", "undo", "--by", "olga"),
        ("ls", "--kind", "lost"),
    ):
        assert run(*wrong).exit_code == 2, wrong
    assert shop.names() == ["OrderCreated"]


def test_an_order_that_never_wanted_anybody_says_so(shop: Shop) -> None:
    """From the log: no view is asked."""
    assert "never wanted anybody" in run("show", ORDER).stdout
