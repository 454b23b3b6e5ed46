"""What `import online-retail` says: what the file holds, what became of it, and what is to be done about the rest. # C16"""

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import pytest
import typer
from typer.testing import CliRunner

from orderstore.orders import Orders
from tests.ordering import TENANT, orders_over
from tests.workers.intake.csv_files import row, write_csv
from workers.commands import bulk

ROWS = (
    row("536365", "85123A", "6", "2.55", at="2010-12-01 08:26:00"),
    row("C536391", "85123A", "-2", "2.55", at="2010-12-02 08:26:00"),
    row("C536392", "NEVER SOLD", "-2", "2.55", at="2010-12-02 08:27:00"),
)


def imported(orders: Orders, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Any:
    """The command over orders in memory."""

    def with_core(_state_dir: Path, work: Callable[[Any], Awaitable[Any]], **_: Any) -> Any:
        core = SimpleNamespace(orders=orders, settings=SimpleNamespace(tenant=TENANT))
        return anyio.run(work, core)

    monkeypatch.setattr(bulk, "with_core", with_core)
    app = typer.Typer()
    bulk.add_to(app)
    app.callback()(lambda: None)
    return CliRunner().invoke(app, ["import", "online-retail", *arguments])


def test_what_waits_is_counted_and_the_operator_told_to_come_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order has just been placed: with `--returns` the pieces wait, and without it their money is given back; both times once."""
    orders, file = orders_over(), str(write_csv(tmp_path, *ROWS))

    patient = imported(orders, monkeypatch, file, "--returns", "--json")

    assert patient.exit_code == 0
    document = json.loads(patient.stdout)
    assert (document["cancellation_lines_matched"], document["cancellation_lines_unmatched"]) == (1, 1)
    assert document["rejected"] == {"no_such_sale": 1, "not_arrived": 1}
    assert {name: count for name, count in document["imported"].items() if count not in (0, "15.30")} == {
        "orders_new": 1,
        "waiting": 1,
    }
    assert "Run the same command again when they have" in " ".join(patient.stderr.split())

    for new, already in ((1, 0), (0, 1)):
        now = imported(orders, monkeypatch, file, "--json")
        counts = json.loads(now.stdout)["imported"]
        assert (counts["refunds_new"], counts["refunds_already"], counts["waiting"]) == (new, already, 0)
        assert "not arrived" not in now.stderr


def test_a_dry_run_says_what_matches_and_sends_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It opens nothing either."""
    done = imported(orders_over(), monkeypatch, str(write_csv(tmp_path, *ROWS)), "--dry-run", "--json")
    document = json.loads(done.stdout)
    assert document["planned"] == {"orders": 1, "requests": 1}
    assert document["cancellation_lines_unmatched"] == 1
    assert document["imported"]["orders_new"] == 0
