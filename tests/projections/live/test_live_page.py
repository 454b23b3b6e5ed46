"""The page on live streams names every bound as it is."""

import re
from dataclasses import asdict
from pathlib import Path

from projections.live.ports import UNREAD_MAX
from projections.live.settings import LiveSettings
from workers.inbox import reading
from workers.inbox.notes import UNREAD_AMONG
from workers.notification_settings import NotificationSettings

PAGE = (Path(__file__).parents[3] / "docs" / "live.md").read_text()


def test_the_page_names_every_bound_as_it_is() -> None:
    """A bound that is changed is changed there too."""
    rows = dict(re.findall(r"^\| `(\w+)` \| ([0-9.]+) \|", PAGE, re.MULTILINE))
    rows |= dict(re.findall(r"`(\w+)` \(([0-9.]+)\)", PAGE))
    bounds = asdict(LiveSettings())

    assert {name: float(rows[name]) for name in bounds} == {name: float(value) for name, value in bounds.items()}


def test_the_page_and_both_sides_agree_on_the_inbox() -> None:
    """How far unread notes are counted, and how long notes are kept."""
    assert reading.UNREAD_MAX == UNREAD_MAX == 100
    assert f"counted up to {UNREAD_MAX}, among the newest {UNREAD_AMONG:,}" in PAGE
    assert "(`unreadMore`)" in PAGE
    assert f"`ORDERSTORE_INBOX_KEPT_DAYS` ({NotificationSettings().inbox_kept_days})" in PAGE
