"""The data plane's template: what production and the embedded environment both get."""

import pytest

from orderstore.registry import CONSUMERS as ALL_CONSUMERS
from orderstore.registry import HEARS_EVERYTHING, consumed_by
from tests.cloudformation import DEPLOY, Template, statements

KEY = "<DataKey>"
CONSUMERS = tuple(name for name in ALL_CONSUMERS if name != "webhooks")
"""Those whose queues this template makes: webhooks have one of their own (tests/deploy/test_webhooks_template.py)."""
TABLE_KEYS = {
    "events": [("stream", "S", "HASH"), ("commit", "N", "RANGE")],
    "views": [("key", "S", "HASH")],
    "leases": [("subscription", "S", "HASH"), ("shard", "S", "RANGE")],
    "parked": [("subscription", "S", "HASH"), ("key", "S", "RANGE")],
    "series": [("series", "S", "HASH")],
    "payments": [("attempt", "S", "HASH")],
    "inventory": [("key", "S", "HASH")],
    "notifications": [("order", "S", "HASH"), ("notification", "S", "RANGE")],
    "privacy-keys": [("subject", "S", "HASH")],
    "archive": [("stream", "S", "HASH")],
    "sandbox": [("key", "S", "HASH")],
}
REBUILDABLE = {"views", "leases", "parked", "archive", "sandbox"}


@pytest.fixture(scope="module")
def template() -> Template:
    return Template("data-plane.yaml")


@pytest.fixture(scope="module")
def tables(template):
    return template.by_name("AWS::DynamoDB::Table", "TableName")


@pytest.fixture(scope="module")
def queues(template):
    return template.by_name("AWS::SQS::Queue", "QueueName")


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["data-plane.yaml", "service.yaml"])
def test_templates_are_free_of_lint(name):
    """cfn-lint finds nothing at all, warnings included."""  # E085
    from cfnlint.api import lint_file  # takes a second

    assert [str(match) for match in lint_file(DEPLOY / name)] == []


@pytest.mark.parametrize(
    ("resource_type", "count"),
    [
        ("AWS::DynamoDB::Table", 11),
        ("AWS::SNS::Topic", 2),
        ("AWS::SQS::Queue", 12),
        ("AWS::SQS::QueuePolicy", 6),
        ("AWS::SNS::Subscription", 7),
        ("AWS::CloudWatch::Alarm", 12),
        ("AWS::KMS::Key", 2),
        ("AWS::S3::Bucket", 2),
    ],
)
def test_one_template_makes_every_part(template, resource_type, count):
    """Six consumers, each with queue, dead letters, policy, subscription and two alarms; eleven tables; two topics; two keys."""  # E083
    assert len(template.of_type(resource_type)) == count


def test_tables_have_the_keys_that_the_code_uses(tables):
    """Names and types of all keys."""
    types = {
        name: {entry["AttributeName"]: entry["AttributeType"] for entry in table["AttributeDefinitions"]}
        for name, table in tables.items()
    }
    found = {
        name: [(key["AttributeName"], types[name][key["AttributeName"]], key["KeyType"]) for key in table["KeySchema"]]
        for name, table in tables.items()
    }
    assert found == TABLE_KEYS


def test_tables_are_on_demand_encrypted_and_restorable(tables):
    """Every table: no capacity to plan, our own key, point-in-time recovery and deletion protection by parameter."""  # C05
    for table in tables.values():
        assert table["BillingMode"] == "PAY_PER_REQUEST"
        assert table["SSESpecification"] == {
            "SSEEnabled": True,
            "SSEType": "KMS",
            "KMSMasterKeyId": "<DataKey.Arn>",
        }
        assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
        assert table["DeletionProtectionEnabled"] is True


def test_protection_is_on_unless_somebody_turns_it_off(template):
    """Both switches default to on, and the sandbox to off."""
    defaults = {name: parameter["Default"] for name, parameter in template.content["Parameters"].items()}
    assert (defaults["DeletionProtection"], defaults["PointInTimeRecovery"], defaults["SandboxProviders"]) == (
        "true",
        "true",
        "false",
    )


def test_only_the_log_has_a_stream(tables):
    """New images only: the log is written once, there is no old one."""
    streams = {name: table["StreamSpecification"] for name, table in tables.items() if "StreamSpecification" in table}
    assert streams == {"events": {"StreamViewType": "NEW_IMAGE"}}


def test_views_can_be_listed(tables):
    """The index that serves lists."""
    (index,) = tables["views"]["GlobalSecondaryIndexes"]
    keys = [(key["AttributeName"], key["KeyType"]) for key in index["KeySchema"]]
    assert (index["IndexName"], keys, index["Projection"]) == (
        "by_list",
        [("list_key", "HASH"), ("list_sort", "RANGE")],
        {"ProjectionType": "ALL"},
    )


def test_what_cannot_be_rebuilt_outlives_the_stack(template):
    """The log, money, stock, keys and blobs stay when the stack is deleted or a change would replace them."""
    for resource in template.of_type("AWS::DynamoDB::Table").values():
        rebuildable = resource["Properties"]["TableName"].removeprefix("shop-") in REBUILDABLE
        assert resource["DeletionPolicy"] == ("Delete" if rebuildable else "RetainExceptOnCreate")
        assert resource["UpdateReplacePolicy"] == ("Delete" if rebuildable else "Retain")
    for resource_type in ("AWS::S3::Bucket", "AWS::KMS::Key"):
        for resource in template.of_type(resource_type).values():
            assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")


def test_the_sandbox_is_made_only_where_it_is_asked_for(template):
    """No production data plane holds the sandbox's table."""
    conditional = {name for name, table in template.of_type("AWS::DynamoDB::Table").items() if "Condition" in table}
    assert conditional == {"SandboxTable"}


def test_queues_have_the_settings_of_the_article(template, queues):
    """Visibility 120 s, long polling for the longest time, three receives, and a DLQ for each queue alone."""  # E060 E061 E062 E076 E081
    assert template.content["Parameters"]["VisibilityTimeoutSeconds"]["Default"] == 120
    assert set(queues) == {name for consumer in CONSUMERS for name in (consumer, f"{consumer}-dlq")}
    for consumer in CONSUMERS:
        queue = queues[consumer]
        assert queue["VisibilityTimeout"] == "<VisibilityTimeoutSeconds>"
        assert queue["ReceiveMessageWaitTimeSeconds"] == 20
        assert queue["RedrivePolicy"] == {
            "deadLetterTargetArn": f"<{consumer.capitalize()}DeadLetters.Arn>",
            "maxReceiveCount": 3,
        }


def test_dead_letters_are_kept_for_longer_than_messages(queues):
    """A message keeps its age when it is moved: 14 days against 4."""  # E063
    for consumer in CONSUMERS:
        assert queues[f"{consumer}-dlq"]["MessageRetentionPeriod"] == 14 * 86_400
        assert queues[consumer]["MessageRetentionPeriod"] == 4 * 86_400


def test_subscriptions_let_through_what_their_consumer_handles_and_nothing_else(template):
    """The filter is the registry's column, on the message attribute, raw; deliveries that fail go to the DLQ."""  # E047 E048 E049
    subscriptions = template.of_type("AWS::SNS::Subscription")
    for consumer in CONSUMERS:
        properties = subscriptions[f"{consumer.capitalize()}Subscription"]["Properties"]
        if consumer == HEARS_EVERYTHING:
            assert "FilterPolicy" not in properties
        else:
            assert sorted(properties["FilterPolicy"]["eventType"]) == sorted(consumed_by(consumer))
            assert properties["FilterPolicyScope"] == "MessageAttributes"
        assert properties["RawMessageDelivery"] is True
        assert properties["TopicArn"] == "<OrderEventsTopic>"
        assert properties["Endpoint"] == f"<{consumer.capitalize()}Queue.Arn>"
        dead_letters = f"<{consumer.capitalize()}DeadLetters.Arn>"
        assert properties["RedrivePolicy"] == {"deadLetterTargetArn": dead_letters}


def test_the_topic_is_a_standard_one_unless_somebody_asks_for_fifo(template):
    """CloudFormation refuses `FifoTopic: false` and its companions for a standard topic: they are left out."""
    assert template.content["Parameters"]["FifoTopic"]["Default"] == "false"
    topic = template.of_type("AWS::SNS::Topic")["OrderEventsTopic"]["Properties"]
    assert topic == {"TopicName": "shop-order-events", "KmsMasterKeyId": KEY}


def test_a_fifo_topic_deduplicates_by_our_ids_and_within_an_order():
    """No hash of the body decides what is the same; throughput and deduplication are by group, which is the order."""
    fifo = Template("data-plane.yaml", unmet=frozenset())
    assert fifo.of_type("AWS::SNS::Topic")["OrderEventsTopic"]["Properties"] == {
        "TopicName": "shop-order-events.fifo",
        "FifoTopic": True,
        "ContentBasedDeduplication": False,
        "FifoThroughputScope": "MessageGroup",
        "KmsMasterKeyId": KEY,
    }


def test_everything_but_the_topic_is_the_same_beside_a_fifo_topic(template):
    """The queues stay standard ones, their filters and raw delivery stay, and whoever names the topic follows by reference."""
    fifo = Template("data-plane.yaml", unmet=frozenset())
    for resource_type in (
        "AWS::SQS::Queue",
        "AWS::SQS::QueuePolicy",
        "AWS::SNS::Subscription",
        "AWS::CloudWatch::Alarm",
    ):
        assert fifo.of_type(resource_type) == template.of_type(resource_type)
    assert fifo.outputs() == template.outputs()


def test_only_the_topic_may_send_to_a_queue(template):
    """Each policy covers a queue and its DLQ and allows SNS alone, for our topic alone."""  # D32 D28
    policies = template.of_type("AWS::SQS::QueuePolicy")
    for consumer in CONSUMERS:
        policy = policies[f"{consumer.capitalize()}QueuePolicy"]["Properties"]
        both = {f"<{consumer.capitalize()}Queue>", f"<{consumer.capitalize()}DeadLetters>"}
        assert set(policy["Queues"]) == both
        allowing = [entry for entry in statements(policy["PolicyDocument"]) if entry["Effect"] == "Allow"]
        (allow,) = allowing
        assert allow["Principal"] == {"Service": "sns.amazonaws.com"}
        assert allow["Action"] == ["sqs:SendMessage"]
        assert allow["Condition"] == {"ArnEquals": {"aws:SourceArn": "<OrderEventsTopic>"}}


def test_every_dead_letter_queue_has_an_alarm(template, queues):
    """One message in a DLQ is enough; the alarm goes to the alert topic."""  # E064 D61
    alarms = [alarm["Properties"] for alarm in template.of_type("AWS::CloudWatch::Alarm").values()]
    watched = {
        alarm["Dimensions"][0]["Value"]: alarm
        for alarm in alarms
        if alarm["MetricName"] == "ApproximateNumberOfMessagesVisible"
    }
    dead_letters = {f"<{name}.QueueName>" for name in template.of_type("AWS::SQS::Queue") if "DeadLetters" in name}
    assert set(watched) == dead_letters
    assert len(dead_letters) == sum(1 for name in queues if name.endswith("-dlq"))
    for alarm in watched.values():
        assert (alarm["Threshold"], alarm["ComparisonOperator"], alarm["EvaluationPeriods"]) == (
            0,
            "GreaterThanThreshold",
            1,
        )
        assert alarm["AlarmActions"] == ["<AlertsTopic>"]


def test_every_queue_has_an_alarm_on_age(template):
    """Stopped or slow workers are noticed even when nothing fails."""
    ages = {
        alarm["Properties"]["Dimensions"][0]["Value"]
        for alarm in template.of_type("AWS::CloudWatch::Alarm").values()
        if alarm["Properties"]["MetricName"] == "ApproximateAgeOfOldestMessage"
    }
    assert ages == {f"<{consumer.capitalize()}Queue.QueueName>" for consumer in CONSUMERS}


def test_everything_at_rest_is_encrypted_with_our_key(template):
    """Queues, topics and buckets; and the services that deliver into them may use the key."""  # C05 D30
    for resource_type in ("AWS::SQS::Queue", "AWS::SNS::Topic"):
        for resource in template.of_type(resource_type).values():
            assert resource["Properties"]["KmsMasterKeyId"] == KEY
    for bucket in template.of_type("AWS::S3::Bucket").values():
        (rule,) = bucket["Properties"]["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        assert rule["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "<DataKey.Arn>"}
    key = template.of_type("AWS::KMS::Key")["DataKey"]
    assert key["Properties"]["EnableKeyRotation"] is True
    services = [entry["Principal"].get("Service") for entry in statements(key["Properties"]["KeyPolicy"])]
    assert ["sns", "events", "cloudwatch", "ses"] in [
        [name.removesuffix(".amazonaws.com") for name in named] for named in services if isinstance(named, list)
    ]


def test_the_buckets_are_closed_to_the_public(template):
    """All four blocks, versions kept, TLS only."""
    for bucket in template.of_type("AWS::S3::Bucket").values():
        assert set(bucket["Properties"]["PublicAccessBlockConfiguration"].values()) == {True}
        assert bucket["Properties"]["VersioningConfiguration"] == {"Status": "Enabled"}
    for policy in template.of_type("AWS::S3::BucketPolicy").values():
        deny = next(statements(policy["Properties"]["PolicyDocument"]))
        assert (deny["Effect"], deny["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})


def test_proofs_are_locked_for_years_and_nobody_can_hide_one(template):
    """Object Lock from the first day, in compliance mode unless somebody chooses otherwise, and no deletion by anybody."""
    bucket = template.of_type("AWS::S3::Bucket")["AuditBucket"]["Properties"]
    assert bucket["ObjectLockEnabled"] is True
    rule = bucket["ObjectLockConfiguration"]["Rule"]["DefaultRetention"]
    assert rule == {"Mode": "<AuditLockMode>", "Days": "<AuditRetentionDays>"}
    parameters = template.content["Parameters"]
    assert (parameters["AuditLockMode"]["Default"], parameters["AuditRetentionDays"]["Default"]) == ("COMPLIANCE", 3650)
    policy = template.of_type("AWS::S3::BucketPolicy")["AuditBucketPolicy"]["Properties"]
    denied = {
        action
        for entry in statements(policy["PolicyDocument"])
        if "Condition" not in entry
        for action in entry["Action"]
    }
    assert denied == {"s3:DeleteObject", "s3:DeleteObjectVersion", "s3:BypassGovernanceRetention"}
    conditions = {entry["Sid"]: entry.get("Condition") for entry in statements(policy["PolicyDocument"])}
    assert conditions["NobodyOverwrites"] == {"Null": {"s3:if-none-match": "true"}}


def test_roots_are_signed_by_a_key_that_outsiders_can_check(template):
    """An asymmetric key of its own, for signatures only."""
    key = template.of_type("AWS::KMS::Key")["SigningKey"]["Properties"]
    assert (key["KeySpec"], key["KeyUsage"]) == ("ECC_NIST_P256", "SIGN_VERIFY")


def test_outputs_name_everything_that_a_service_needs(template):
    """Tables, queues, topics, stream, buckets and keys."""  # E088 E089
    values = {str(output["Value"]) for output in template.outputs().values()}
    for name in template.of_type("AWS::DynamoDB::Table"):
        assert {f"<{name}>", f"<{name}.Arn>"} <= values
    for name in template.of_type("AWS::SQS::Queue"):
        assert {f"<{name}>", f"<{name}.Arn>"} <= values
    assert {
        "<OrderEventsTopic>",
        "<AlertsTopic>",
        "<BlobsBucket>",
        "<AuditBucket>",
        "<DataKey.Arn>",
        "<SigningKey.Arn>",
        "<EventsTable.StreamArn>",
    } <= values


def test_the_template_fits_into_one_call():
    """CloudFormation takes 51,200 bytes with the call itself; more would need a bucket."""
    assert (DEPLOY / "data-plane.yaml").stat().st_size <= 51_200
