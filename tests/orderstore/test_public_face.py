"""What the package gives to others: enough to run a write side, sorted, and nothing that drags a database's client in."""

import subprocess
import sys

import pytest

import orderstore
from orderstore import Actor, History, Orders, PlaceOrder, Transactor
from orderstore.store.memory import MemoryEventStore
from tests.ordering import ARTICLE_REQUEST, PlainVault
from tests.virtual_time import run_virtual


def test_the_face_is_sorted_and_whole() -> None:
    """Every name is there."""
    assert orderstore.__all__ == sorted(orderstore.__all__)
    assert all(hasattr(orderstore, name) for name in orderstore.__all__)


def test_an_order_can_be_placed_with_the_face_and_an_adapter() -> None:
    """The shortest program that places an order."""

    async def scenario() -> History:
        orders = Orders(
            Transactor(MemoryEventStore(), now_ms=lambda: 1_780_000_000_000),
            tenant="main",
            vault=PlainVault(),
            hooks_allowed=False,
            now_ms=lambda: 1_780_000_000_000,
        )
        request = PlaceOrder.model_validate_json(ARTICLE_REQUEST)
        accepted = await orders.place(request, actor=Actor("customer", "shop"), idempotency_key="1")
        return accepted.history

    history = run_virtual(scenario)

    assert [recorded.name for recorded in history.events] == ["OrderCreated"]


@pytest.mark.thorough
def test_the_face_loads_no_adapter() -> None:
    """A reader of events needs no AWS library."""
    found = subprocess.run(
        [sys.executable, "-c", "import sys, orderstore; print([n for n in sys.modules if 'boto' in n])"],
        capture_output=True,
        text=True,
        check=True,
    )

    assert found.stdout.strip() == "[]"
