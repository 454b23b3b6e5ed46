"""What an operator types about dead letters is checked before anything is opened."""

from pathlib import Path
from typing import Any

import anyio
import pytest
from typer.testing import CliRunner

from workers.cli import build
from workers.commands.dlq import mend
from workers.commands.dlq.options import ago


@pytest.mark.parametrize(
    "arguments",
    [
        ("redrive", "payment"),
        ("redrive", "payment", "--dry-run", "--rate", "201"),
        ("redrive", "payment", "--dry-run", "--rate", "0"),
        ("redrive", "payment", "--dry-run", "--max", "0"),
        ("redrive", "payment", "--dry-run", "--older-than", "yesterday"),
        ("redrive", "payment", "--dry-run", "--by", "4242 4242 4242 4242"),
        ("ls", "--each"),
        ("ls", "payment", "--cause", "x"),
        ("correct", "payment", "letter", "--reason", "t"),
        ("correct", "payment", "letter", "--reason", "t", "--edit", "--from-log"),
        ("correct", "payment", "letter", "--from-log"),
        ("purge", "payment", "--cause", "x"),
        ("purge", "payment", "--reason", "t", "--confirm", "0"),
        ("log",),
        ("log", "--order", "o", "--without-order"),
    ],
)
def test_what_is_missing_or_out_of_bounds_ends_the_command(arguments: tuple[str, ...], tmp_path: Path) -> None:
    """Exit 2, in words; no environment is needed to be told so, and card data is not repeated."""
    done = CliRunner().invoke(build(), ["dlq", *arguments, "--state-dir", str(tmp_path / "none")])

    assert done.exit_code == 2, done.output
    assert "4242" not in done.output


def test_who_is_asked_deletes_the_letters_that_were_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a person reads them, others may come and go."""
    asked: list[tuple[int | None, str | None]] = []

    class Shown:
        async def purge(self, _queue: str, _wanted: object, **how: Any) -> dict[str, Any]:
            asked.append((how["confirm"], how["shown"]))
            return {"queue": "payment", "count": 2, "shown": "these two", "notWhole": None, "letters": []}

    monkeypatch.setattr(mend, "at_desk", lambda _dir, work: anyio.run(work, Shown()))
    done = CliRunner().invoke(build(), ["dlq", "purge", "payment", "--reason", "t"], input="y\n")

    assert done.exit_code == 0, done.exception
    assert asked == [(None, None), (2, "these two")]


@pytest.mark.parametrize(("seconds", "text"), [(0, "0s"), (59, "59s"), (61, "1m 1s"), (7_200, "2h"), (90_061, "1d 1h")])
def test_ages_are_told_in_two_units(seconds: int, text: str) -> None:
    """At 3 am nobody divides by 86,400."""
    assert ago(seconds) == text
