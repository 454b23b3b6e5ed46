"""Where there is no terminal, the run says how far it is in a line now and then."""

from collections import Counter

import pytest
from rich.console import Console

from workers.demo import screen
from workers.demo.screen import EMPTYING, LINE_EVERY_S, LineScreen, Standing


def standing(ended: int) -> Standing:
    states = Counter({"COMPLETED": ended, "RECEIVED": 2 - ended})
    return Standing(total=2, fed=2, ended=ended, by_state=+states, events=9, seconds=1.0)


def test_that_all_have_ended_is_said_at_once_and_not_at_each_look(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The queues may take long after that: the lines go on as slowly as before, and say what is waited for."""
    now = [100.0]
    monkeypatch.setattr(screen, "monotonic", lambda: now[0])
    lines = LineScreen(Console())
    for ended in (0, 1, 2, 2, 2):
        lines.show(standing(ended))
        now[0] += 0.5
    now[0] += LINE_EVERY_S
    lines.show(standing(2))

    said = capsys.readouterr().out.splitlines()
    assert [line.split("finished ")[1].split()[0] for line in said] == ["0", "2", "2"]
    assert [EMPTYING in line for line in said] == [False, True, True]
