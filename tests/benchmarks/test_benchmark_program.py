"""The program around the measurements: its parts, its table and file, its end, and what it does where there is no data set."""

import json
import sys
from pathlib import Path

import pytest

from tests.benchmarks import __main__ as program
from tests.benchmarks import replaying
from tests.benchmarks.measures import Result
from tests.benchmarks.parts import PARTS, Asked, Part
from tests.benchmarks.real_orders import Histories, made_up_histories


async def test_without_the_data_set_the_orders_are_made_up_and_end_as_real_ones_do() -> None:
    """The same at every call; some cancelled, some sent back; so a fresh machine measures the same things."""
    histories = await made_up_histories(60)
    names = {names for names, *_ in replaying.write_units(histories)}

    assert len(histories) == 60
    assert {"OrderCreated", "InvoiceIssued + OrderCompleted", "RefundIssued"} <= names
    assert "Cancelled" in replaying.mix(histories)
    assert [order[-1].body for order in await made_up_histories(3)] == [order[-1].body for order in histories[:3]]


def scripted(name: str, value: float, *, needs_orders: bool = False) -> Part:
    """A part that measures nothing."""

    async def measured(asked: Asked, histories: Histories) -> list[Result]:
        assert bool(histories) is needs_orders
        return [Result(name=f"{name}, quick" if asked.quick else name, value=value, floor=0.9)]

    return Part(name=name, measure=measured, needs_orders=needs_orders)


@pytest.mark.parametrize(("value", "code"), [(0.95, 0), (0.85, 1)])
def test_one_run_gives_the_table_and_the_file_and_ends_with_1_below_a_floor(
    value: float, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Command, machine, floors and verdicts stand in both."""
    monkeypatch.setattr(program, "PARTS", (scripted("first", 1.0), scripted("second", value, needs_orders=True)))
    monkeypatch.setattr(program, "QUICK_ORDERS", 5)
    monkeypatch.setattr(sys, "argv", ["bench", "--quick", "--made-up", "--json", str(tmp_path / "b.json")])

    assert program.main() == code

    said, document = capsys.readouterr().out, json.loads((tmp_path / "b.json").read_text())
    assert said.startswith("python -m tests.benchmarks --quick --made-up --json ")
    assert f"{2 - code} of 2 floors are met" in said
    assert ("not: second, quick" in said) is (code == 1)
    assert "cores" in said
    assert document["passed"] is (code == 0)
    assert document["machine"]["cores"] >= 1
    assert document["orders"]["source"] == "made up"
    assert [(row["part"], row["value"], row["floor"], row["passed"]) for row in document["results"]] == [
        ("first", 1.0, 0.9, True),
        ("second", value, 0.9, code == 0),
    ]


def test_a_data_set_that_was_named_and_is_not_there_is_no_reason_to_make_orders_up(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Whoever names a file wants that one; whoever names none takes what is there."""
    monkeypatch.setattr(sys, "argv", ["bench", "--data", str(tmp_path / "none.csv")])
    with pytest.raises(SystemExit) as ended:
        program.main()
    assert ended.value.code == 2
    assert "nothing was measured" in capsys.readouterr().err
    monkeypatch.setattr(program, "WHOLE_FILE", tmp_path / "none.csv.gz")
    monkeypatch.setattr(sys, "argv", ["bench"])
    assert program.data_for(program.arguments()) is None


def test_a_file_that_cannot_be_written_is_told_before_anything_is_measured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Not after five minutes, with the numbers lost."""
    monkeypatch.setattr(program, "PARTS", ())
    for where in (tmp_path, tmp_path / "no such folder" / "ratios.json"):
        monkeypatch.setattr(sys, "argv", ["benchmarks", "--json", str(where)])

        with pytest.raises(SystemExit) as ended:
            program.main()

        assert ended.value.code == 2
        assert "nothing was measured" in capsys.readouterr().err


def test_all_parts_are_in_the_table_and_those_without_orders_come_first() -> None:
    """Thousands of orders in memory are a load on the collector that no service has."""
    assert {part.name for part in PARTS} == {"queue", "api", "log", "views"}
    assert [part.needs_orders for part in PARTS] == sorted(part.needs_orders for part in PARTS)
