"""What commands print stays as it is: nothing in it becomes a picture, ids are whole, one thing is told in the singular."""

import ast
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from workers.cli import build
from workers.commands import serve
from workers.commands.dlq import look
from workers.commands.notifications.listing import _document, _lines
from workers.commands.notifications.suppressing import _suppression_lines
from workers.commands.running import counted
from workers.notification.records import Notification
from workers.notification.suppression import Suppression
from workers.settings import SettingsError

PACKAGES = ("orderstore", "projections", "workers")
ROOT = Path(__file__).parents[3]
EVENT = "11111111-2222-3333-4444-555555555555"
RECORD = Notification(
    order="o", notification=f"{EVENT}:email:resend-1", channel="email", template="payment", state="sent",
    begun_at_ms=1_000, finished_at_ms=2_500, detail="told", feedback={"delivered": 3_000},
)  # fmt: skip


def test_no_console_makes_pictures_of_what_it_prints() -> None:
    """`:email:` is a part of an id, not an envelope."""
    wrong = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
        if "Console" in (text := path.read_text(encoding="utf-8"))
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "Console"
        and not any(
            word.arg == "emoji" and isinstance(word.value, ast.Constant) and word.value.value is False
            for word in node.keywords
        )
    ]
    assert wrong == []


def test_a_notification_is_shown_whole_within_80_columns() -> None:
    """A block for each, its id on a line of its own; `notifications resend` wants the whole of it."""
    lines = _lines(RECORD, "PaymentCompleted")

    assert any(line.endswith(f" {RECORD.notification}") for line in lines)
    assert all(len(line) <= 80 for line in lines)


def test_a_suppression_is_shown_with_all_64_digits() -> None:
    """`suppressions lift` wants all of them; they fit into 80 columns with their name."""
    row = Suppression(
        id="9" * 64, kind="email", reason="bounce", source="s", since_ms=1, active=True, order="o", customer="c"
    )
    lines = _suppression_lines(row)

    assert any(line.endswith("9" * 64) for line in lines)
    assert all(len(line) <= 80 for line in lines)


def test_a_notification_as_json_is_written_as_the_rest_is() -> None:
    """Names in camel case, times in ISO 8601."""
    document = _document(RECORD, {EVENT: (1, "PaymentCompleted")})

    assert not any("_" in name for name in document)
    assert (document["begunAt"], document["finishedAt"]) == ("1970-01-01T00:00:01.000Z", "1970-01-01T00:00:02.500Z")
    assert document["feedback"] == {"delivered": "1970-01-01T00:00:03.000Z"}
    assert json.dumps(document)


@pytest.mark.parametrize(
    ("number", "said"), [(0, "0 addresses"), (1, "1 address"), (2, "2 addresses"), (1_000, "1,000 addresses")]
)
def test_one_is_told_in_the_singular(number: int, said: str) -> None:
    """With thousands set off."""
    assert counted(number, "address", "addresses") == said


@pytest.mark.parametrize(
    "words", [("-h",), ("dlq", "-h"), ("dlq", "redrive", "-h"), ("notifications", "suppressions", "ls", "-h")]
)
def test_help_has_its_short_form_everywhere(words: tuple[str, ...]) -> None:
    """Of the program, of groups and of commands."""
    done = CliRunner().invoke(build(), list(words))

    assert done.exit_code == 0, done.output
    assert "Usage" in done.output


def test_a_wrong_setting_is_told_before_the_environment_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing was started, and nothing is stopped: not even the state's directory is made."""
    monkeypatch.setenv("ORDERSTORE_TRACING_OTLP_ENDPOINT", "not-a-url")
    monkeypatch.setattr(serve, "start_local", lambda state_dir: pytest.fail(f"{state_dir} was started"))
    done = CliRunner().invoke(build(), ["up", "--state-dir", str(tmp_path / "state")])

    assert isinstance(done.exception, SettingsError)
    assert [problem.partition(":")[0] for problem in done.exception.problems] == ["ORDERSTORE_TRACING_OTLP_ENDPOINT"]
    assert not (tmp_path / "state").exists()


def test_no_letter_is_said_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty table leaves open whether it looked at all."""
    none = {"items": [], "lookedAt": 0, "meant": 0, "notWhole": None}
    monkeypatch.setattr(look, "at_desk", lambda state_dir, work: none)
    done = CliRunner().invoke(build(), ["dlq", "ls", "payment", "--each"])

    assert done.exit_code == 0, done.output
    assert done.output == "No letter of payment is meant: 0 looked at.\n"
