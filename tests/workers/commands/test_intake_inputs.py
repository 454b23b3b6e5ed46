"""What somebody sends from the command line is checked before anything leaves the machine, and told in the door's words."""

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from workers.cli import build
from workers.commands.intake import checking, sending

GOOD = {"items": [{"sku": "TEA", "quantity": 2, "price": 12.5}], "currency": "EUR"}
BAD = {"items": [{"sku": "TEA", "quantity": 0, "price": "12.50"}], "currency": "EUR"}


def intake(tmp_path: Path, *arguments: str, stdin: str | None = None) -> Result:
    """The command, in a place without an environment: whoever gets as far as that would be told so."""
    return CliRunner().invoke(build(), ["intake", *arguments, "--state-dir", str(tmp_path / "none")], input=stdin)


def test_nothing_is_sent_if_one_request_is_wrong(tmp_path: Path) -> None:
    """Each wrong line by its number, field and reason; the good one is not sent either."""
    lines = "\n".join(json.dumps(request) for request in (GOOD, BAD, GOOD))
    done = intake(tmp_path, "send", "-", stdin=f"{lines}\nnot json\n")

    assert done.exit_code == 2
    assert "line 2: invalid: /items/0/quantity: at least 1" in done.output
    assert "line 4: not_json:" in done.output
    assert "Nothing was sent." in done.output


@pytest.mark.parametrize(
    ("arguments", "stdin", "says"),
    [
        (("send", "nowhere.json"), None, "No such file"),
        (("send", "-"), "", "1 to 1,000 requests are sent at once, not 0"),
        (("send", "-"), "\n \n", "not 0"),
        (("send", "-"), json.dumps(GOOD) + "\n{}\n" * 1_000, "not 1,001"),
        (("send", "-"), json.dumps([GOOD]), "this must be a JSON object"),
        (("send", "-", "--source", "orderstore.intake"), json.dumps(GOOD), "--source"),
        (("send", "-", "--source", "aws.s3"), json.dumps(GOOD), "--source"),
        (("send", "-"), json.dumps({**GOOD, "idempotencyKey": "é"}), "/idempotencyKey: 1 to 255 printable"),
        (("file", "monday.csv"), None, ".ndjson"),
        (("file", "empty.ndjson"), None, "empty.ndjson is empty"),
        (("file", "good.ndjson", "--name", "good.ndjson.gz"), None, "must end as --name does"),
        (("file", "monday.csv", "--name", "good.ndjson"), None, "monday.csv"),
        (("file", "good.ndjson", "--name", "folder/"), None, "a name is printable"),
        (("file", "good.ndjson", "--name", "../x/../../etc.ndjson"), None, "no part"),
        (("file", "good.ndjson", "--name", "a/./b.ndjson"), None, "no part"),
        (("file", "good.ndjson", "--name", "a//b.ndjson"), None, "no part"),
        (("file", "good.ndjson", "--name", "/etc.ndjson"), None, "no part"),
        (("file", "good.ndjson", "--name", "a\x07b.ndjson"), None, "a name is printable"),
        (("file", "bad.ndjson", "--check"), None, "line 2: invalid: /items/0/quantity: at least 1"),
        (("file", "packed.ndjson.gz", "--check"), None, "not packed"),
        (("status", ""), None, "a name is printable"),
        (("status", "a\nb"), None, "a name is printable"),
    ],
)
def test_wrong_input_is_told_before_anything_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], stdin: str | None, says: str
) -> None:
    """In words, with what to do; nothing is half written."""
    monkeypatch.chdir(tmp_path)
    for name, content in {
        "monday.csv": "a,b\n",
        "empty.ndjson": "",
        "good.ndjson": json.dumps(GOOD),
        "bad.ndjson": f"{json.dumps(GOOD)}\n{json.dumps(BAD)}\n",
        "packed.ndjson.gz": "x",
    }.items():
        (tmp_path / name).write_text(content)
    done = intake(tmp_path, *arguments, stdin=stdin)

    assert done.exit_code == 2
    assert says in " ".join(done.output.replace("│", " ").split())


def test_a_request_gets_a_key_that_sending_it_again_gives_it_again() -> None:
    """From the content and its place in it; two lines that are the same are two orders, unless they have keys."""
    content = b"\n".join(json.dumps(request).encode() for request in (GOOD, GOOD, {**GOOD, "idempotencyKey": "A-1"}))
    first, second = sending._checked(content, "shop"), sending._checked(content, "shop")

    assert first == second
    assert len({key for key, _ in first}) == 3
    assert first[2][0] == "A-1"
    assert all(json.loads(detail)["idempotencyKey"] == key for key, detail in first)


def test_a_price_leaves_as_it_was_written() -> None:
    """A decimal becomes a string: nobody on the way can make a binary fraction of it."""
    content = json.dumps(GOOD).replace("12.5", "0.1000000").encode()
    ((_, detail),) = sending._checked(content.replace(b"0.1000000", b"0.100000"), "shop")

    assert json.loads(detail)["items"][0]["price"] == "0.100000"


def test_one_request_may_stand_on_several_lines() -> None:
    """As an editor writes it."""
    assert len(sending._checked(b"\xef\xbb\xbf" + json.dumps(GOOD, indent=2).encode(), "shop")) == 1


def test_what_is_too_large_for_an_event_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """A file takes longer lines."""
    items: list[Any] = [
        {"sku": f"SKU-{number}", "quantity": 1, "price": "1", "description": "d" * 200} for number in range(1_200)
    ]
    with pytest.raises(typer.Exit) as raised:
        sending._checked(json.dumps({**GOOD, "items": items}).encode(), "shop")

    assert raised.value.exit_code == 2
    assert "a line of a file may be longer" in capsys.readouterr().err


def test_reasons_are_told_on_one_line() -> None:
    """As a report has them, or as a refusal without fields does."""
    errors = [{"pointer": "/currency", "detail": "this field is required"}, {"pointer": "", "detail": "the total"}]

    assert checking.reasons_of({"detail": "x", "errors": errors}) == (
        "/currency: this field is required; the request: the total"
    )
    assert checking.reasons_of({"detail": "the body is not UTF-8", "errors": None}) == "the body is not UTF-8"
