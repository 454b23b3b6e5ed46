"""The settings of a consumer refuse to contradict each other."""

import pytest

from workers.runtime.settings import ConsumeSettings


def test_the_defaults_are_the_articles():
    """Visibility 120 s, deadline 15 s, wait 20 s, three receives, dead letters kept longer, window of one second."""
    settings = ConsumeSettings()
    assert settings.visibility_timeout_s == 120  # E076
    assert settings.handler_deadline_s == 15  # E077
    assert settings.wait_s == 20  # E081
    assert settings.receive_count_max == 3  # E061
    assert settings.batch_window_s == 1  # E051
    assert settings.dead_letter_retention_s > settings.retention_s  # E063


def test_a_visibility_timeout_under_six_deadlines_is_refused():
    """89 s is too short for a deadline of 15 s, and the text says what would do."""
    with pytest.raises(ValueError, match=r"at least 6 x handler_deadline_s .15., that is 90"):  # E078
        ConsumeSettings(visibility_timeout_s=89)
    assert ConsumeSettings(visibility_timeout_s=90).visibility_timeout_s == 90  # D36


@pytest.mark.parametrize(
    ("wrong", "names"),
    [
        ({"batch_size": 0}, "batch_size"),
        ({"batch_size": 11}, "batch_size"),
        ({"wait_s": 21}, "wait_s"),
        ({"concurrency": 0}, "concurrency"),
        ({"heartbeat_interval_s": 41}, "heartbeat_interval_s"),
        ({"heartbeat_interval_s": 0}, "heartbeat_interval_s"),
        ({"heartbeat_cap_s": 119}, "heartbeat_cap_s"),
        ({"defer_hold_s_max": 43_200}, "defer_hold_s_max"),
        ({"prefetch": 41}, "prefetch"),
        ({"drain_budget_s": 14}, "drain_budget_s"),
        ({"drain_budget_s": 25}, "stop_timeout_s"),
        ({"poll_grace_s": 21}, "poll_grace_s"),
        ({"dead_letter_retention_s": 345_600}, "dead_letter_retention_s"),  # E063
        ({"retry_cap_s": 43_201}, "retry_cap_s"),
        ({"handler_deadline_s": 0}, "handler_deadline_s"),
        ({"wait_s": 20, "visibility_timeout_s": 21, "handler_deadline_s": 3, "heartbeat_interval_s": 7}, "wait_s"),
    ],
)
def test_a_contradiction_is_refused_by_name(wrong, names):
    """The error names the setting that is wrong."""
    with pytest.raises(ValueError, match=names):
        ConsumeSettings(**wrong)


def test_every_contradiction_is_named_at_once():
    """Somebody who mistyped two settings learns of both."""
    with pytest.raises(ValueError, match=r"batch_size.*;.*wait_s") as caught:
        ConsumeSettings(batch_size=11, wait_s=30)
    assert str(caught.value).count(";") == 1


@pytest.mark.parametrize("concurrency", [100, 40, 500])
def test_the_articles_concurrencies_are_allowed(concurrency):
    """Payment 100, inventory 40, notification 500."""
    assert ConsumeSettings(concurrency=concurrency).credits_max == concurrency  # E106
