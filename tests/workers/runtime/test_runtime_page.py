"""The page that says which test proves what names tests that there are."""

import re
from pathlib import Path

TESTS = Path(__file__).parents[2]
PAGE = TESTS.parent / "docs" / "queue-runtime.md"


def test_every_test_that_the_page_names_is_there() -> None:
    """A renamed test, or one that was removed, leaves no promise on the page that nobody keeps."""
    named = set(re.findall(r"`(test_\w+)`", PAGE.read_text()))
    there = {
        name
        for path in TESTS.rglob("test_*.py")
        for name in re.findall(r"^(?:async )?def (test_\w+)\(", path.read_text(), re.MULTILINE)
    }
    assert named - there == set()
    assert len(named) >= 60


def test_every_must_have_and_every_fault_has_a_row_with_a_test() -> None:
    """Fourteen of the one, and of the other those that concern a queue."""
    rows = [line for line in PAGE.read_text().splitlines() if re.match(r"\| \d+\. ", line)]
    numbers = [int(re.match(r"\| (\d+)\.", row)[1]) for row in rows]  # type: ignore[index]  # matched just above
    assert numbers == [*range(1, 15), *range(1, 18), 27, 28, 29, 30]
    assert [row for row in rows if "test" not in row] == []
