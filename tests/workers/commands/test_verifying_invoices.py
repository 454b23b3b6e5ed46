"""`invoices verify` as its user sees it: what it says of complete books and of others, and its exit code."""

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from orderstore.store.port import EventStore
from tests.virtual_time import run_virtual
from tests.workers.world import World
from workers.cli import build
from workers.commands import invoices


def verified(monkeypatch: pytest.MonkeyPatch, log: EventStore, *options: str) -> Any:
    """The command over this log."""

    def with_core(_state_dir: Path, work: Callable[[Any], Awaitable[Any]]) -> Any:
        return run_virtual(work, SimpleNamespace(store=log))

    monkeypatch.setattr(invoices, "with_core", with_core)
    return CliRunner().invoke(build(), ["invoices", "verify", *options])


def books(*, credited: bool) -> World:
    """One completed order with a refund, which billing heard of or not."""
    world = World()

    async def scenario() -> None:
        order_id = await world.place()
        await world.deliver()
        if not credited:
            world.wants = lambda queue, _event_type: queue != "billing"
        await world.refund(order_id, line=1, quantity=1)
        await world.deliver()

    run_virtual(scenario)
    return world


def test_complete_books_are_said_to_be_complete(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each series with its numbers, then the verdict; exit code 0."""
    done = verified(monkeypatch, books(credited=True).log)

    assert done.exit_code == 0
    assert done.stdout.splitlines() == [
        "CREDIT-2026: 1 number taken",
        "SHOP-2026: 1 number taken",
        "1 order, 2 documents: complete",
    ]


def test_what_is_wrong_is_named_and_the_exit_code_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """As lines for people, as JSON for programs."""
    log = books(credited=False).log

    shown = verified(monkeypatch, log, "--grace-s", "0")
    document = verified(monkeypatch, log, "--grace-s", "0", "--json")

    assert shown.exit_code == document.exit_code == 1
    assert "not_credited" in shown.stdout
    assert "money was given back of an invoiced order, and no credit note says so" in shown.stdout
    assert shown.stdout.splitlines()[-1] == "1 order, 1 document: 1 finding"
    said = json.loads(document.stdout)
    assert (said["ok"], said["findingsCount"], said["series"]) == (False, 1, {"SHOP-2026": 1})
    assert said["findings"][0]["kind"] == "not_credited"


@pytest.mark.parametrize("grace", ["-1", "nan", "1e3", "2592001", ""])
def test_a_grace_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, grace: str) -> None:
    """Before anything is read."""
    done = verified(monkeypatch, books(credited=True).log, "--grace-s", grace)

    assert done.exit_code == 2
    assert "--grace-s" in done.stderr
