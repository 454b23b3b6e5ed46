"""The command around the cases: what it refuses before it plays any."""

import sys

import pytest

from tests.bad_input import __main__ as program


@pytest.mark.parametrize("arguments", [("--cases", "0"), ("--cases", "-5"), ("--decoder", "no such decoder")])
def test_what_would_play_nothing_is_refused(
    arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Or its "kept" would be believed."""
    monkeypatch.setattr(sys, "argv", ["bad_input", *arguments])

    try:
        code = program.main()
    except SystemExit as ended:
        code = int(ended.code or 0)

    assert code == 2
    told = capsys.readouterr()
    assert told.err
    assert "kept" not in told.out
