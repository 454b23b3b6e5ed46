"""`orderstore plan` as people type it."""

import json

import pytest
from typer.testing import CliRunner, Result

from workers.cli import build


def plan(*arguments: str, columns: int = 120) -> Result:
    """Run the command in this process; it needs no environment."""
    return CliRunner().invoke(build(), ["plan", *arguments], env={"COLUMNS": str(columns), "NO_COLOR": "1"})


@pytest.mark.parametrize("columns", [80, 120])
@pytest.mark.parametrize("rate", ["0.01", "9", "1000", "100000"])
def test_a_plan_fits_the_terminal(rate: str, columns: int) -> None:
    """No line is wider, no number is cut, at the smallest rate and at the largest."""
    done = plan("--orders-per-second", rate, "--lines", "79", columns=columns)
    assert done.exit_code == 0
    assert max(len(line) for line in done.output.splitlines()) <= columns
    assert "…" not in done.output
    for head in ("WCU / RCU", "provisioned", "GetRecords/s", "one takes", "have", "at the peak", "dollars"):
        assert head in done.output
    for table in ("webhook-endpoints", "notifications"):
        assert any(line.split()[:1] == [table] for line in done.output.splitlines())


def test_what_stands_and_what_each_order_causes_are_not_mixed_up() -> None:
    """Few orders cost less a month than a million would: the one is no part of the other. And one line is a line."""
    said = " ".join(plan("--orders-per-second", "0.01", "--lines", "1").output.split())
    assert "orders/s of 1 line on average" in said
    assert "a month; each million orders causes $" in said


def test_the_json_has_every_number_in_full() -> None:
    """The same plan, for programs."""
    document = json.loads(plan("--orders-per-second", "250", "--lines", "3", "--json").output)
    assert document["demand"]["orders_per_second"] == 250
    assert document["dollars_a_month"] == pytest.approx(sum(charge["dollars"] for charge in document["charges"]))
    assert {"events", "views", "series"} <= {table["table"] for table in document["tables"]}
    assert all(item["what_to_do"] for item in document["hot"])


@pytest.mark.parametrize("rate", ["0", "-1", "nan", "inf", "1e9", "many"])
def test_a_rate_that_cannot_be_is_told_in_one_line(rate: str) -> None:
    """What it may be, and no trace of a program."""
    done = plan("--orders-per-second", rate)
    assert done.exit_code == 2
    assert "Error: Invalid value" in done.output
    assert "Traceback" not in done.output


def test_what_is_too_little_is_told_with_what_to_do() -> None:
    """One invoice series cannot number a thousand invoices a second."""
    done = plan("--orders-per-second", "1000", "--peak-factor", "1")
    assert "invoice series: a series each for parts of the business" in " ".join(done.output.split())
