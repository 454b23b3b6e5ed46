"""`docs/event-store.md` is a norm: each promise names a test file, and each theme of the suite is a promise."""

import re
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "event-store.md"


def test_every_promise_names_a_test_file_that_exists() -> None:
    """Numbered without a gap; a promise that nothing holds is none."""
    promises = re.findall(r"^\| (\d+) \| .* \| (.*) \|$", PAGE.read_text(), re.MULTILINE)

    assert [int(number) for number, _ in promises] == list(range(1, len(promises) + 1))
    for number, holders in promises:
        named = re.findall(r"`(test_\w+\.py)`", holders)
        assert named, f"nothing holds promise {number}"
        assert all((HERE / name).is_file() for name in named), f"promise {number} names {named}"


def test_every_theme_of_the_suite_holds_a_promise() -> None:
    """What is tried on every backend is told to whoever relies on it."""
    themes = {path.name for path in HERE.glob("test_event_store_*.py")} - {Path(__file__).name}

    assert themes <= set(re.findall(r"`(test_\w+\.py)`", PAGE.read_text()))
