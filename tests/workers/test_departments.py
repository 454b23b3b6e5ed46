"""The numbers that the departments take from the settings."""

import pytest

from workers.departments import resend_after_s
from workers.settings import from_environment

REQUIRED = {
    "ORDERSTORE_RESOURCE_PREFIX": "shop",
    "ORDERSTORE_TOPIC_ARN": "arn:aws:sns:eu-west-1:111122223333:shop-order-events",
    "ORDERSTORE_BLOBS_BUCKET": "shop-blobs-111122223333",
    "ORDERSTORE_KMS_KEY_ID": "alias/shop",
    "ORDERSTORE_AUDIT_BUCKET": "shop-audit",
    "ORDERSTORE_SIGNING_KEY_ID": "alias/shop-audit",
    "ORDERSTORE_PROVIDERS": "sandbox",
}


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
    assert resend_after_s(settings) >= 60
