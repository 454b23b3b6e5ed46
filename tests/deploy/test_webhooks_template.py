"""The template of the webhooks: its tables, its queue, and that the queue hears every public event and nothing else."""

import pytest

from orderstore.registry import consumed_by
from tests.cloudformation import DEPLOY, Template, statements
from workers.webhooks.deliveries import BY_DUE, BY_ENDPOINT

KEY, TOPIC = "<DataKeyArn>", "<OrderEventsTopicArn>"


@pytest.fixture(scope="module")
def template() -> Template:
    return Template("webhooks.yaml")


def test_the_queue_is_like_every_other(template: Template) -> None:
    """Visibility, long polling, three receives, dead letters that are kept longer, our key."""  # E060 E061 E062 E063 E076 E081
    queues = template.by_name("AWS::SQS::Queue", "QueueName")
    theirs = Template("data-plane.yaml").by_name("AWS::SQS::Queue", "QueueName")

    assert set(queues) == {"webhooks", "webhooks-dlq"}
    for name, queue in queues.items():
        alike = theirs[name.replace("webhooks", "billing")]
        same = {"VisibilityTimeout", "ReceiveMessageWaitTimeSeconds", "MessageRetentionPeriod"} & alike.keys()
        assert {key: queue[key] for key in same} == {key: alike[key] for key in same}
        assert queue["KmsMasterKeyId"] == KEY
    assert queues["webhooks"]["RedrivePolicy"] == {
        "deadLetterTargetArn": "<WebhooksDeadLetters.Arn>",
        "maxReceiveCount": 3,
    }


def test_it_hears_every_public_event_and_no_notice(template: Template) -> None:
    """The registry's own list, on the attribute, raw; deliveries that fail go to the dead letters."""  # E047 E048 E049
    (subscription,) = template.of_type("AWS::SNS::Subscription").values()
    properties = subscription["Properties"]

    assert sorted(properties["FilterPolicy"]["eventType"]) == sorted(consumed_by("webhooks"))
    assert len(properties["FilterPolicy"]["eventType"]) <= 150  # SNS: "Filter policy constraints"
    assert properties["FilterPolicyScope"] == "MessageAttributes"
    assert properties["RawMessageDelivery"] is True
    assert (properties["TopicArn"], properties["Endpoint"]) == (TOPIC, "<WebhooksQueue.Arn>")
    assert properties["RedrivePolicy"] == {"deadLetterTargetArn": "<WebhooksDeadLetters.Arn>"}
    assert subscription["DependsOn"] == "WebhooksQueuePolicy"


def test_only_the_topic_may_send_to_it(template: Template) -> None:
    """And nobody without TLS."""  # D28 D32
    (policy,) = template.of_type("AWS::SQS::QueuePolicy").values()
    allow, deny = statements(policy["Properties"]["PolicyDocument"])

    assert set(policy["Properties"]["Queues"]) == {"<WebhooksQueue>", "<WebhooksDeadLetters>"}
    assert (allow["Principal"], allow["Action"]) == ({"Service": "sns.amazonaws.com"}, ["sqs:SendMessage"])
    assert allow["Condition"] == {"ArnEquals": {"aws:SourceArn": TOPIC}}
    assert (deny["Effect"], deny["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})


def test_dead_letters_and_age_are_alarmed(template: Template) -> None:
    """One message in the dead letters is enough."""  # E064 D61
    alarms = [alarm["Properties"] for alarm in template.of_type("AWS::CloudWatch::Alarm").values()]

    assert {(alarm["Dimensions"][0]["Value"], alarm["MetricName"], str(alarm["Threshold"])) for alarm in alarms} == {
        ("<WebhooksDeadLetters.QueueName>", "ApproximateNumberOfMessagesVisible", "0"),
        ("<WebhooksQueue.QueueName>", "ApproximateAgeOfOldestMessage", "<BacklogAgeAlarmSeconds>"),
    }
    assert all(alarm["AlarmActions"] == ["<AlertsTopicArn>"] for alarm in alarms)


def test_the_tables_have_the_keys_and_indexes_that_the_code_uses(template: Template) -> None:
    """Names, types and what is projected; encrypted, restorable, protected; deliveries leave by themselves."""
    tables = template.by_name("AWS::DynamoDB::Table", "TableName")
    deliveries = tables["webhook-deliveries"]
    types = {one["AttributeName"]: one["AttributeType"] for one in deliveries["AttributeDefinitions"]}
    indexes = {
        one["IndexName"]: [(key["AttributeName"], types[key["AttributeName"]]) for key in one["KeySchema"]]
        for one in deliveries["GlobalSecondaryIndexes"]
    }

    assert [key["AttributeName"] for key in tables["webhook-endpoints"]["KeySchema"]] == ["endpoint"]
    assert [key["AttributeName"] for key in deliveries["KeySchema"]] == ["delivery"]
    assert indexes == {index.name: [(index.partition, "S"), (index.sort, "N")] for index in (BY_DUE, BY_ENDPOINT)}
    projected = {
        one["IndexName"]: set(one["Projection"].get("NonKeyAttributes", ()))
        for one in deliveries["GlobalSecondaryIndexes"]
    }
    assert {"event", "event_type", "order", "state"} <= projected["by_endpoint"]  # what a list is made of
    assert deliveries["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}
    for table in tables.values():
        assert table["BillingMode"] == "PAY_PER_REQUEST"
        assert table["SSESpecification"]["KMSMasterKeyId"] == KEY
        assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
        assert table["DeletionProtectionEnabled"] is True


def test_the_webhooks_tasks_are_in_a_security_group_of_their_own() -> None:
    """HTTPS to the outside and nothing in: internal services can keep them out."""
    services = Template("service.yaml")
    service = services.of_type("AWS::ECS::Service")["WebhooksService"]["Properties"]
    group = services.of_type("AWS::EC2::SecurityGroup")["WebhooksSecurityGroup"]["Properties"]

    assert service["NetworkConfiguration"]["AwsvpcConfiguration"]["SecurityGroups"] == ["<WebhooksSecurityGroup>"]
    assert [(rule["FromPort"], rule["ToPort"]) for rule in group["SecurityGroupEgress"]] == [(443, 443)]
    assert "SecurityGroupIngress" not in group


def test_the_webhooks_role_can_unwrap_no_customer_s_key() -> None:
    """Only keys whose subject is an endpoint, in the table and in KMS."""
    (policy,) = Template("service.yaml").of_type("AWS::IAM::Role")["WebhooksTaskRole"]["Properties"]["Policies"]
    conditions = {one["Sid"]: one.get("Condition") for one in statements(policy["PolicyDocument"])}

    assert conditions["UnwrapEndpointsKeys"] == {"StringLike": {"kms:EncryptionContext:subject": "webhook-endpoint:*"}}
    assert conditions["ReadEndpointsKeys"] == {
        "ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["webhook-endpoint:*"]}
    }


@pytest.mark.thorough
def test_it_is_a_template_that_cloudformation_takes() -> None:
    """As cfn-lint reads it."""
    from cfnlint.api import lint_file  # takes a second

    assert [str(match) for match in lint_file(DEPLOY / "webhooks.yaml")] == []


def test_removed_endpoints_leave_by_themselves(template: Template) -> None:
    """Every process reads the whole table again and again: what is removed must not stay in it for ever."""
    endpoints = template.by_name("AWS::DynamoDB::Table", "TableName")["webhook-endpoints"]

    assert endpoints["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}
