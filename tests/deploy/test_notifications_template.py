"""The template of notifications: who may publish what SES tells, who hears it, and that the list of addresses survives a mistake."""

import pytest

from tests.cloudformation import DEPLOY, Template, statements
from workers.notification.feedback import parse_feedback
from workers.notification.suppression import KEY_SUBJECT


@pytest.fixture(scope="module")
def template() -> Template:
    return Template("notifications.yaml")


def test_only_ses_tells_and_only_of_our_configuration_set(template: Template) -> None:
    """Whoever could publish there could put anybody on the suppression list."""
    (policy,) = template.of_type("AWS::SNS::TopicPolicy").values()
    (statement,) = statements(policy["Properties"]["PolicyDocument"])
    assert statement["Principal"] == {"Service": "ses.amazonaws.com"}
    assert statement["Action"] == ["sns:Publish"]
    assert statement["Condition"] == {
        "StringEquals": {"aws:SourceAccount": "111122223333"},
        "ArnEquals": {"aws:SourceArn": "arn:aws:ses:eu-west-1:111122223333:configuration-set/shop"},
    }


def test_what_comes_back_is_what_is_acted_on(template: Template) -> None:
    """Every event type that is asked for is one that the handler reads."""  # E026
    (destination,) = template.of_type("AWS::SES::ConfigurationSetEventDestination").values()
    wanted = destination["Properties"]["EventDestination"]
    assert wanted["Enabled"] is True
    assert set(wanted["MatchingEventTypes"]) == {"DELIVERY", "BOUNCE", "COMPLAINT", "REJECT", "DELIVERY_DELAY"}
    assert parse_feedback('{"eventType": "Send"}') is None


def test_the_queue_is_as_every_other_one(template: Template) -> None:
    """Raw delivery, three receives, dead letters kept longer than messages, encrypted, only the topic sends."""  # E061 E063
    queues = template.by_name("AWS::SQS::Queue", "QueueName")
    queue, dead = queues["mail-feedback"], queues["mail-feedback-dlq"]
    assert queue["RedrivePolicy"]["maxReceiveCount"] == 3
    assert dead["MessageRetentionPeriod"] > queue["MessageRetentionPeriod"]
    assert {queue["KmsMasterKeyId"], dead["KmsMasterKeyId"]} == {"<DataKeyArn>"}
    (subscription,) = template.of_type("AWS::SNS::Subscription").values()
    assert subscription["Properties"]["RawMessageDelivery"] is True
    assert subscription["DependsOn"] == "MailFeedbackQueuePolicy"


def test_the_list_outlives_its_stack(template: Template) -> None:
    """A table that is deleted by mistake would write to everybody who complained."""
    table = template.of_type("AWS::DynamoDB::Table")["SuppressionsTable"]
    assert (table["DeletionPolicy"], table["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")
    assert table["Properties"]["SSESpecification"]["KMSMasterKeyId"] == "<DataKeyArn>"


def test_alarms_ring_when_ses_reviews_the_account_not_when_it_stops_the_mail(template: Template) -> None:
    """At 5 % bounces and 0.1 % complaints; mail ends at 10 % and 0.5 %."""  # E065
    alarms = template.by_name("AWS::CloudWatch::Alarm", "AlarmName")
    assert (alarms["mail-bounce-rate"]["Threshold"], alarms["mail-complaint-rate"]["Threshold"]) == (0.05, 0.001)
    assert {alarm["AlarmActions"][0] for alarm in alarms.values()} == {"<AlertsTopicArn>"}


@pytest.mark.thorough
def test_it_is_a_template_that_cloudformation_takes() -> None:
    """As cfn-lint reads it."""
    from cfnlint.api import lint_file  # takes a second

    assert [str(match) for match in lint_file(DEPLOY / "notifications.yaml")] == []


def test_the_notification_role_can_make_the_suppression_list_s_key_and_overwrite_no_customer_s() -> None:
    """A customer's key that is written anew is a customer who is erased: the role reads these, and writes one that is nobody's."""
    (policy,) = Template("service.yaml").of_type("AWS::IAM::Role")["NotificationTaskRole"]["Properties"]["Policies"]
    found = [one for one in statements(policy["PolicyDocument"]) if one.get("Sid") != "UseTheKeyThroughServices"]
    writes = [one for one in found if "privacy-keys" in str(one.get("Resource")) and "PutItem" in str(one["Action"])]
    makes = [one for one in found if "kms:GenerateDataKey" in str(one["Action"])]

    assert [one["Condition"] for one in writes] == [
        {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": [KEY_SUBJECT]}}
    ]
    assert [one["Condition"] for one in makes] == [{"StringEquals": {"kms:EncryptionContext:subject": KEY_SUBJECT}}]
