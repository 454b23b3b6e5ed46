"""`invoices render` as its user sees it: the stored document, or the log's, and what it says of each."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from orderstore.domain.billing_facts import MediaType
from orderstore.invoicing.binding import unbind
from orderstore.privacy.sealing import SealBroken
from tests.virtual_time import run_virtual
from tests.workers.world import World
from workers.cli import build
from workers.commands import invoice_documents

INVOICE, NOTE = "SHOP-2026-000001", "CREDIT-2026-000001"


def shop() -> tuple[World, str]:
    world, ids = World(), []

    async def scenario() -> None:
        ids.append(await world.place())
        await world.deliver()
        await world.refund(ids[0], line=1, quantity=1)
        await world.deliver()

    run_virtual(scenario)
    return world, ids[0]


def rendered(monkeypatch: pytest.MonkeyPatch, world: World, *options: str) -> Any:
    """The command over this world, where the view knows of no invoice."""
    settings = SimpleNamespace(
        tenant="test",
        sellers=None,
        providers="sandbox",
        invoice_series="SHOP",
        credit_note_series="CREDIT",
        invoice_fonts=None,
    )
    core = SimpleNamespace(
        orders=world.orders, objects=world.objects, sealer=world.vault, settings=settings, views=None
    )

    async def queries(*_: object, **__: object) -> Any:
        async def invoice(_number: str) -> None:
            return None

        return SimpleNamespace(invoice=invoice)

    def with_core(_state_dir: Path, work: Callable[[Any], Awaitable[Any]]) -> Any:
        return run_virtual(work, core)

    monkeypatch.setattr(invoice_documents, "with_core", with_core)
    monkeypatch.setattr(invoice_documents, "open_queries", queries)
    return CliRunner().invoke(build(), ["invoices", "render", *options])


@pytest.mark.parametrize(("number", "form"), [(INVOICE, "pdf"), (INVOICE, "html"), (NOTE, "pdf"), (NOTE, "html")])
def test_the_stored_document_is_written_to_a_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, number: str, form: str
) -> None:
    """Named by its number, or as asked."""
    world, order = shop()
    monkeypatch.chdir(tmp_path)
    done = rendered(monkeypatch, world, number, f"--{form}", "--order", order)
    assert (done.exit_code, done.stderr) == (0, "")
    stored = world.objects._contents[f"documents/test/{number.rpartition('-')[0]}/{number}.zip"]
    bound = unbind(bytes.fromhex(stored.decode().rpartition("-")[2]))
    media_type: MediaType = "application/pdf" if form == "pdf" else "text/html"
    assert (tmp_path / f"{number}.{form}").read_bytes() == bound[media_type]
    assert number in done.stdout


def test_what_is_not_stored_is_drawn_from_the_log_and_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A real PDF, and a page; where one was stored and is lost, that is said instead."""
    world, order = shop()
    lost = rendered(monkeypatch, world, INVOICE, "--order", order, "--output", "-")
    assert lost.exit_code == 0
    world.objects._contents.clear()
    lost = rendered(monkeypatch, world, INVOICE, "--order", order, "--output", str(tmp_path / "x"))
    assert (lost.exit_code, "is not there" in lost.stderr) == (1, True)

    unstored, order = shop_without_documents()
    for form, begins in (("pdf", b"%PDF-1.7"), ("html", b"<!doctype html>")):
        path = tmp_path / f"drawn.{form}"
        done = rendered(monkeypatch, unstored, INVOICE, f"--{form}", "--order", order, "--output", str(path))
        assert (done.exit_code, "drawn from the log now" in done.stderr) == (0, True)
        assert path.read_bytes().lstrip().startswith(begins)


def shop_without_documents() -> tuple[World, str]:
    """Billing dies each time between number and document."""
    world, ids = World(), []

    async def scenario() -> None:
        world.wants = lambda queue, _: queue != "billing"
        ids.append(await world.place())
        await world.deliver()
        world.faults.at = world.faults.calls + 5  # load, counter, another look, transaction, then the object
        hint = next(message for queue, message in world.history if queue == "billing")
        with pytest.raises(Exception, match=r"objects\.put_new"):
            await world.handlers["billing"](hint)
        world.faults.armed = False

    run_virtual(scenario)
    return world, ids[0]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("INV-1",), "a credit note needs its --order"),
        (("INV-1", "--order", "{order}"), "no document INV-1"),
        ((INVOICE, "--order", "6f1d6b0e-6c0f-5b8e-9a53-0c2f3a3d7a11"), "there is no order"),
        ((INVOICE, "--order", "../x"), "order"),
    ],
)
def test_what_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], said: str) -> None:
    """And nothing is written."""
    world, order = shop()
    done = rendered(monkeypatch, world, *(option.format(order=order) for option in options))
    assert done.exit_code == 1
    assert said in done.stderr


def test_what_was_never_drawn_is_stored_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run again it finds nothing to do; a document that cannot be drawn is named, and the others are stored."""
    world, order = shop_without_documents()

    def stored() -> Any:
        settings = SimpleNamespace(tenant="test")
        core = SimpleNamespace(store=world.log, settings=settings)
        monkeypatch.setattr(invoice_documents, "with_core", lambda _dir, work: run_virtual(work, core))
        monkeypatch.setattr(invoice_documents, "billing_of", lambda _core: world.handlers["billing"])
        return CliRunner().invoke(build(), ["invoices", "store"])

    assert (stored().stdout, len(world.objects._contents)) == ("1 document stored\n", 1)
    assert stored().stdout == "0 documents stored\n"
    history = run_virtual(world.orders.load, order)
    assert [past.name for past in history.events].count("InvoiceDocumentStored") == 2

    broken, order = shop_without_documents()
    world = broken
    world.objects._contents["documents/test/SHOP-2026/SHOP-2026-000001.zip"] = b"not ours"
    world.vault.open_object = _does_not_open  # type: ignore[method-assign]  # as the real one
    done = stored()
    assert done.exit_code == 1
    assert order in done.stderr


async def _does_not_open(subject: str, _purpose: str, _sealed: bytes) -> bytes:
    raise SealBroken(subject, "it is no sealed object")
