"""The page that says which test shows which scenario, and which one a defect of others, names tests that there are."""

import re
from pathlib import Path

TESTS = Path(__file__).parent
PAGE = TESTS.parent / "docs" / "scenarios.md"
SCENARIOS, DEFECTS = 15, 14


def test_every_test_that_the_page_of_scenarios_names_is_there() -> None:
    """One that is renamed or removed leaves no promise on the page that nobody keeps."""
    named = set(re.findall(r"`(test_\w+)`", PAGE.read_text()))
    there = {
        name
        for path in TESTS.rglob("test_*.py")
        for name in re.findall(r"^(?:async )?def (test_\w+)\(", path.read_text(), re.MULTILINE)
    }
    assert named - there == set()


def test_every_scenario_and_every_defect_has_a_row_with_a_test() -> None:
    """Fifteen of the one and fourteen of the other, in order."""
    rows = [line for line in PAGE.read_text().splitlines() if re.match(r"\| \d+\. ", line)]
    numbers = [int(row[2:].partition(".")[0]) for row in rows]
    assert numbers == [*range(1, SCENARIOS + 1), *range(1, DEFECTS + 1)]
    assert [row for row in rows if "`test_" not in row] == []
