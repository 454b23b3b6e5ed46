"""`orderstore business`: the report as tables that people read."""

from datetime import date

import pytest
from rich.console import Console

from projections.answers.business import standing
from projections.answers.business_report import report
from workers.commands.business import in_words, tables


def shown(found) -> str:
    console = Console(width=170, emoji=False)
    with console.capture() as capture:
        for table in tables(found):
            console.print(table)
    return capture.get()


def test_the_tables_hold_what_the_report_says() -> None:
    """Orders by status and age, each day's cohort with its rate and times, and the money of each currency."""
    today, before = date(2026, 3, 10), date(2026, 3, 9)
    days = {
        today: {"placed": 1_200, "in_CONFIRMED": 900, "of_completed": 300},
        before: {
            "placed": 10,
            "of_completed": 9,
            "of_cancelled": 1,
            "in_RECEIVED": 2,
            "confirm_le_60": 10,
            "confirmed": 10,
        },
    }
    figure = {"count": 1, "amountMinor": 5_000, "amount": "50.00"}
    sold = {
        "day": "2026-03-10",
        "currency": "EUR",
        **dict.fromkeys(("placed", "captured", "invoiced", "cancelled", "rejected", "credited"), figure),
        "refunded": {"count": 1, "amountMinor": 500, "amount": "5.00"},
    }
    text = shown(report(today, [today, before], days, standing(days, today), [sold]))

    rows = {row.split()[0]: row.split()[1:] for row in text.splitlines() if row.strip()}
    assert rows["CONFIRMED"] == ["900", "900", "-", "-", "-", "-", "-", "-", "2026-03-10"]
    assert rows["RECEIVED"][:3] == ["2", "-", "2"]
    assert rows["2026-03-10"] == ["1,200", "300", "-", "-", "900", "25.0%"]
    assert rows["2026-03-09"] == ["10", "9", "1", "-", "-", "90.0%", "45.0", "s", "58.5", "s"]
    assert rows["together"][:4] == ["1,210", "309", "1", "-"]
    assert rows["EUR"] == ["50.00", "50.00", "5.00", "50.00", "50.00", "50.00", "50.00", "10.0%"]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(None, ""), (0.0, "0.0 s"), (59.0, "59.0 s"), (90.0, "1.5 min"), (7_200.0, "2.0 h"), (129_600.0, "1.5 d")],
)
def test_times_are_told_as_people_say_them(seconds: float | None, words: str) -> None:
    """Seconds, minutes, hours or days."""
    assert in_words(seconds) == words
