"""The numbers that the notification department takes from the settings."""

import pytest

from tests.workers.test_process_settings import REQUIRED
from workers.notification.opening import resend_after_s
from workers.settings import from_environment


@pytest.mark.parametrize(("deadline_s", "visibility_s"), [("5", "30"), ("15", "120"), ("60", "360"), ("7200", "43200")])
def test_a_mail_is_taken_over_only_from_a_handler_that_must_be_over(deadline_s: str, visibility_s: str) -> None:
    """A handler that may take an hour is not dead after a minute: both would write to the customer."""
    settings = from_environment(
        {
            **REQUIRED,
            "ORDERSTORE_HANDLER_DEADLINE_S": deadline_s,
            "ORDERSTORE_VISIBILITY_TIMEOUT_S": visibility_s,
        }
    )
    assert resend_after_s(settings) >= 4 * settings.handler_deadline_s
    assert resend_after_s(settings) >= 10
