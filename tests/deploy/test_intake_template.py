"""The intake's template: what comes in and by whom, what is delivered where, and that nothing that the bus has taken gets lost unseen."""

from typing import Any

import pytest

from tests.cloudformation import DEPLOY, Template, statements
from workers.intake.bulk.files import PREFIX
from workers.intake.bulk.results import REPORTS, WORK
from workers.intake.handler import ORDER_REQUEST, OWN
from workers.intake.reports import SOURCE

DEAD_LETTERS = "<IntakeDeadLetters.Arn>"
BUCKET = "shop-intake-111122223333"


@pytest.fixture(scope="module")
def template() -> Template:
    return Template("intake.yaml", unmet=frozenset())


@pytest.fixture(scope="module")
def rules(template: Template) -> dict[str, dict[str, Any]]:
    return {name: rule["Properties"] for name, rule in template.of_type("AWS::Events::Rule").items()}


def test_requests_of_others_reach_the_queue_and_our_own_reports_do_not(rules: dict[str, dict[str, Any]]) -> None:
    """By detail type, and by a source that is not ours: what is reported never comes back as a request."""  # B01
    rule = rules["IntakeRequestsRule"]

    assert rule["EventBusName"] == "<IntakeBus>"
    assert rule["EventPattern"] == {"source": [{"anything-but": {"prefix": OWN}}], "detail-type": [ORDER_REQUEST]}
    assert SOURCE.startswith(OWN)


def test_files_are_told_of_by_their_bucket_and_prefix(template: Template, rules: dict[str, dict[str, Any]]) -> None:
    """S3 tells the default bus. Reports and work lie under other prefixes, or each report would be a file of orders."""
    rule = rules["IntakeFilesRule"]

    assert "EventBusName" not in rule
    assert rule["EventPattern"]["detail"] == {"bucket": {"name": [BUCKET]}, "object": {"key": [{"prefix": PREFIX}]}}
    assert not REPORTS.startswith(PREFIX)
    assert not WORK.startswith(PREFIX)
    (bucket,) = template.of_type("AWS::S3::Bucket").values()
    assert bucket["Properties"]["NotificationConfiguration"] == {
        "EventBridgeConfiguration": {"EventBridgeEnabled": True}
    }
    assert {rule["Prefix"] for rule in bucket["Properties"]["LifecycleConfiguration"]["Rules"] if "Prefix" in rule} == {
        PREFIX,
        REPORTS,
        WORK,
    }
    assert bucket["Properties"]["VersioningConfiguration"] == {"Status": "Enabled"}


def test_what_cannot_be_delivered_is_a_dead_letter_and_raises_an_alarm(
    template: Template, rules: dict[str, dict[str, Any]]
) -> None:
    """A day of tries, then the queue's own dead letters; and one alarm for what does not even get there."""  # B09, E064
    for rule in rules.values():
        (target,) = rule["Targets"]
        assert target["Arn"] == "<IntakeQueue.Arn>"
        assert target["DeadLetterConfig"] == {"Arn": DEAD_LETTERS}
        assert target["RetryPolicy"]["MaximumEventAgeInSeconds"] == 86_400
    alarms = {name: alarm["Properties"] for name, alarm in template.of_type("AWS::CloudWatch::Alarm").items()}
    assert alarms["IntakeDeadLettersAlarm"]["Dimensions"][0]["Value"] == "<IntakeDeadLetters.QueueName>"
    assert alarms["IntakeBacklogAgeAlarm"]["Dimensions"][0]["Value"] == "<IntakeQueue.QueueName>"
    assert alarms["IntakeRequestsLostAlarm"]["MetricName"] == "InvocationsFailedToBeSentToDlq"
    assert all(alarm["AlarmActions"] == ["<AlertsTopicArn>"] for alarm in alarms.values())


def test_only_the_two_rules_may_send_to_the_queue(template: Template, rules: dict[str, dict[str, Any]]) -> None:
    """The policy names them as they will be called, since they wait for it."""  # D32
    policy = template.of_type("AWS::SQS::QueuePolicy")["IntakeQueuePolicy"]["Properties"]
    (allow,) = [entry for entry in statements(policy["PolicyDocument"]) if entry["Effect"] == "Allow"]

    assert set(policy["Queues"]) == {"<IntakeQueue>", "<IntakeDeadLetters>"}
    assert (allow["Principal"], allow["Action"]) == ({"Service": "events.amazonaws.com"}, ["sqs:SendMessage"])
    rule = "arn:aws:events:eu-west-1:111122223333:rule"
    assert allow["Condition"]["ArnEquals"]["aws:SourceArn"] == [
        f"{rule}/shop-intake/{rules['IntakeRequestsRule']['Name']}",
        f"{rule}/{rules['IntakeFilesRule']['Name']}",
    ]


def test_a_publisher_may_put_order_requests_and_nothing_in_our_name(template: Template) -> None:
    """Neither an account nor a role of this one can report an order as accepted, or ask for anything else."""  # B06
    (policy,) = template.of_type("AWS::Events::EventBusPolicy").values()
    (sender,) = template.of_type("AWS::IAM::ManagedPolicy").values()
    allowed = list(statements(sender["Properties"]["PolicyDocument"]))
    own = next(entry for entry in allowed if "events:PutEvents" in entry["Action"])

    for statement in (policy["Properties"]["Statement"], own):
        assert statement["Condition"] == {
            "StringEquals": {"events:detail-type": ORDER_REQUEST},
            "StringNotLike": {"events:source": [f"{OWN}*"]},
        }
    writes = {resource for entry in allowed if "s3:PutObject" in entry["Action"] for resource in entry["Resource"]}
    assert writes == {"<IntakeBucket.Arn>/intake/*"}
    assert "*" not in {resource for entry in allowed for resource in entry["Resource"]}


def test_requests_are_kept_for_a_replay(template: Template, rules: dict[str, dict[str, Any]]) -> None:
    """Those that the rule lets through, and no report."""  # B09
    (archive,) = template.of_type("AWS::Events::Archive").values()

    assert archive["Properties"]["EventPattern"] == rules["IntakeRequestsRule"]["EventPattern"]
    assert (archive["Properties"]["SourceArn"], archive["Properties"]["RetentionDays"]) == (
        "<IntakeBus.Arn>",
        "<ArchiveDays>",
    )


def test_queue_and_table_are_like_their_neighbours(template: Template) -> None:
    """The article's numbers, our key, and what cannot be rebuilt outlives the stack."""  # E061, E062, E063, E076, E081
    queues = template.by_name("AWS::SQS::Queue", "QueueName")
    queue, letters = queues["intake"], queues["intake-dlq"]
    assert (queue["VisibilityTimeout"], queue["ReceiveMessageWaitTimeSeconds"]) == ("<VisibilityTimeoutSeconds>", 20)
    assert queue["RedrivePolicy"] == {"deadLetterTargetArn": DEAD_LETTERS, "maxReceiveCount": 3}
    assert letters["MessageRetentionPeriod"] > queue["MessageRetentionPeriod"]
    (table,) = template.of_type("AWS::DynamoDB::Table").values()
    (bucket,) = template.of_type("AWS::S3::Bucket").values()
    (encryption,) = bucket["Properties"]["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert {
        queue["KmsMasterKeyId"],
        letters["KmsMasterKeyId"],
        table["Properties"]["SSESpecification"]["KMSMasterKeyId"],
        encryption["ServerSideEncryptionByDefault"]["KMSMasterKeyID"],
    } == {"<DataKeyArn>"}
    assert set(bucket["Properties"]["PublicAccessBlockConfiguration"].values()) == {True}
    for kept in (table, bucket):
        assert (kept["DeletionPolicy"], kept["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")


def test_the_worker_reads_files_and_reports_in_its_own_name() -> None:
    """It cannot put a file of orders, change one, or report under another name."""  # B06, D29
    role = Template("service.yaml").of_type("AWS::IAM::Role")["IntakeTaskRole"]["Properties"]
    allowed = [entry for policy in role["Policies"] for entry in statements(policy["PolicyDocument"])]
    on: dict[str, set[str]] = {}
    for entry in allowed:
        for resource in entry["Resource"]:
            on.setdefault(resource, set()).update(entry["Action"])

    bucket = f"arn:aws:s3:::{BUCKET}"
    assert on[f"{bucket}/{PREFIX}*"] == {"s3:GetObject", "s3:GetObjectVersion"}
    assert on[f"{bucket}/{REPORTS}*"] == on[f"{bucket}/{WORK}*"] == {"s3:GetObject", "s3:PutObject"}
    (reporting,) = [entry for entry in allowed if "events:PutEvents" in entry["Action"]]
    assert reporting["Resource"] == ["arn:aws:events:eu-west-1:111122223333:event-bus/shop-intake"]
    assert reporting["Condition"] == {"StringEquals": {"events:source": SOURCE}}


@pytest.mark.thorough
def test_it_is_a_template_that_cloudformation_takes() -> None:
    """As cfn-lint reads it; and it fits into one call."""
    from cfnlint.api import lint_file  # takes a second

    assert [str(match) for match in lint_file(DEPLOY / "intake.yaml")] == []
    assert (DEPLOY / "intake.yaml").stat().st_size <= 51_200
