"""`invoices verify` as its user sees it: what it says of complete books and of others, and its exit code."""

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from orderstore.invoicing.verify import Report
from tests.virtual_time import run_virtual
from tests.workers.world import World
from workers.cli import build
from workers.commands import invoices


def core_of(world: World) -> Any:
    settings = SimpleNamespace(tenant="test")
    return SimpleNamespace(store=world.log, objects=world.objects, sealer=world.vault, settings=settings)


def verified(monkeypatch: pytest.MonkeyPatch, world: World, *options: str) -> Any:
    """The command over this world's log and documents."""

    def with_core(_state_dir: Path, work: Callable[[Any], Awaitable[Any]]) -> Any:
        return run_virtual(work, core_of(world))

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
    done = verified(monkeypatch, books(credited=True))

    assert done.exit_code == 0
    assert done.stdout.splitlines() == [
        "CREDIT-2026: 1 number taken",
        "SHOP-2026: 1 number taken",
        "4 stored files as the log says, 0 documents without a PDF, 0 files past their time",
        "1 order, 2 documents: complete",
    ]


def test_what_is_wrong_is_named_and_the_exit_code_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """As lines for people, as JSON for programs."""
    world = books(credited=False)

    shown = verified(monkeypatch, world, "--grace-s", "0")
    document = verified(monkeypatch, world, "--grace-s", "0", "--json")

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
    done = verified(monkeypatch, books(credited=True), "--grace-s", grace)

    assert done.exit_code == 2
    assert "--grace-s" in done.stderr


def test_documents_are_opened_unless_they_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that was changed, and one that is gone, each by its number and form."""
    world = books(credited=True)
    keys = sorted(world.objects._contents)
    assert [key.rpartition("/")[2] for key in keys] == [
        "CREDIT-2026-000001.zip",
        "SHOP-2026-000001.zip",
    ]
    world.objects._contents[keys[0]] = world.objects._contents[keys[1]]
    del world.objects._contents[keys[1]]

    shown = verified(monkeypatch, world)
    assert shown.exit_code == 1
    assert "document_changed  CREDIT-2026-000001 (text/html)" in shown.stdout
    assert "document_missing  SHOP-2026-000001 (application/pdf)" in shown.stdout
    assert verified(monkeypatch, world, "--no-documents").exit_code == 0


def test_what_has_no_pdf_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """No font had its characters: somebody sets another one. Of very many, the first."""

    async def found(*_arguments: Any, **_options: Any) -> Report:
        numbers = [f"INV-2026-{number:06}" for number in range(1, 4)]
        return Report(orders=9, documents=9, stored=9, without_pdf=7, without_pdf_named=numbers)

    monkeypatch.setattr(invoices, "verify", found)
    done, document = verified(monkeypatch, World()), verified(monkeypatch, World(), "--json")

    assert "INV-2026-000002: stored as HTML alone" in done.stdout
    assert "and 4 more without a PDF" in done.stdout
    assert json.loads(document.stdout)["withoutPdfNumbers"] == [f"INV-2026-00000{number}" for number in (1, 2, 3)]
