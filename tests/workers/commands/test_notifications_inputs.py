"""What an operator types about notifications is checked before anything is opened."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from workers.cli import build

ORDER = "6f0c0ac4-5a7c-5b11-8f2e-0d7a4f6f0001"
NAMED = ("resend", ORDER, "11111111-2222-3333-4444-555555555555:email")
LISTED = ("suppressions", "lift", "a" * 64)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("ls",), "ORDER"),
        (("ls", "order 7"), "UUID"),
        (("resend", ORDER), "NOTIFICATION"),
        (NAMED, "--reason"),
        ((*NAMED, "--reason", "letter of ada@example.com"), "--reason"),
        ((*NAMED, "--reason", "x" * 501), "500"),
        ((*NAMED, "--reason", "t", "--by", "4242 4242 4242 4242"), "--by"),
        (("resend", ORDER, "x" * 201, "--reason", "t"), "notifications ls"),
        (("suppressions", "add", "--reason", "t"), "--order"),
        (("suppressions", "add", "--order", ORDER, "--reason", "t", "--kind", "fax"), "--kind"),
        (("suppressions", "lift", "--reason", "t"), "--order"),
        ((*LISTED, "--order", ORDER, "--reason", "t"), "--order"),
        (("suppressions", "lift", "ada@example.com", "--reason", "t"), "hexadecimal"),
        (LISTED, "--reason"),
        (("suppressions", "ls", "--order", "7"), "UUID"),
        (("suppressions", "ls", "--customer", "4242 4242 4242 4242"), "--customer"),
    ],
)
def test_what_is_missing_or_wrong_ends_the_command(arguments: tuple[str, ...], said: str, tmp_path: Path) -> None:
    """Exit 2, with what to write instead; no environment is needed to be told so, and nothing personal is repeated."""
    done = CliRunner().invoke(build(), ["notifications", *arguments, "--state-dir", str(tmp_path / "none")])

    assert done.exit_code == 2, done.output
    assert said in done.output
    for personal in ("4242", "ada@"):
        assert personal not in done.output
