"""The provisioned data plane behaves as the template says: filters, redrive, alarms; and the tests' environments are apart."""

import json
import time
from datetime import UTC, datetime, timedelta

import pytest

from deploy.local.provision import DataPlane, provision
from orderstore.registry import CONSUMERS, EVENT_TYPES, HEARS_EVERYTHING, consumed_by
from tests.emulator import clients_for, fresh_settings
from tests.waiting import eventually

pytestmark = pytest.mark.emulator

NOT_TOLD_BY_THE_TOPIC = ("intake", "mail-feedback")


@pytest.fixture
def clients(environment):
    with clients_for(environment) as made:
        yield made


def queue_url(clients, name: str) -> str:
    return clients("sqs").get_queue_url(QueueName=f"orderstore-test-{name}")["QueueUrl"]


def drain(clients, url: str) -> list[str]:
    """Every message that can be received now."""
    bodies = []
    while (
        messages := clients("sqs")
        .receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=0)
        .get("Messages")
    ):
        bodies += [message["Body"] for message in messages]
    return bodies


def alarm_states(clients, suffix: str) -> dict[str, str]:
    alarms = clients("cloudwatch").describe_alarms()["MetricAlarms"]
    return {alarm["AlarmName"]: alarm["StateValue"] for alarm in alarms if alarm["AlarmName"].endswith(suffix)}


def test_each_event_reaches_exactly_the_queues_that_handle_it(clients, environment):
    """One message of every type to the topic; every queue holds its own types once, raw, and nothing else."""  # E047 E048 E049
    for entry in EVENT_TYPES:
        clients("sns").publish(
            TopicArn=environment["ORDERSTORE_TOPIC_ARN"],
            Message=entry.name,
            MessageAttributes={"eventType": {"DataType": "String", "StringValue": entry.name}},
        )
    received = {consumer: sorted(drain(clients, queue_url(clients, consumer))) for consumer in CONSUMERS}
    everything = sorted(entry.name for entry in EVENT_TYPES)
    assert received.pop(HEARS_EVERYTHING) == everything
    assert received == {consumer: sorted(consumed_by(consumer)) for consumer in received}


def test_a_proof_can_be_neither_overwritten_nor_deleted(environment, clients):
    """Object Lock is on, as the template says: a root stays as it is for its time."""
    s3, bucket = clients("s3"), environment["ORDERSTORE_AUDIT_BUCKET"]
    until = datetime.now(UTC) + timedelta(hours=1)
    s3.put_object(Bucket=bucket, Key="roots/1", Body=b"x", ObjectLockMode="COMPLIANCE", ObjectLockRetainUntilDate=until)
    (version,) = s3.list_object_versions(Bucket=bucket)["Versions"]
    with pytest.raises(s3.exceptions.ClientError, match="lock"):
        s3.delete_object(Bucket=bucket, Key="roots/1", VersionId=version["VersionId"])
    with pytest.raises(s3.exceptions.ClientError, match="PreconditionFailed"):
        s3.put_object(Bucket=bucket, Key="roots/1", Body=b"y", IfNoneMatch="*")


def test_a_message_that_is_never_deleted_is_dead_after_three_receives(clients):
    """Not after two and not after four; and the other queues' dead letters stay empty."""  # E061 E062
    url = queue_url(clients, "payment")
    clients("sqs").send_message(QueueUrl=url, MessageBody="poison")
    for received in (1, 2, 3):
        answer = clients("sqs").receive_message(
            QueueUrl=url, WaitTimeSeconds=0, VisibilityTimeout=0, AttributeNames=["ApproximateReceiveCount"]
        )
        (message,) = answer["Messages"]
        assert message["Attributes"]["ApproximateReceiveCount"] == str(received)
    assert drain(clients, url) == []
    dead = {consumer: drain(clients, queue_url(clients, f"{consumer}-dlq")) for consumer in CONSUMERS}
    assert dead == {consumer: ["poison"] if consumer == "payment" else [] for consumer in CONSUMERS}


def test_a_dead_letter_raises_its_alarm_and_no_other_and_tells_the_alert_topic(clients, environment):
    """The bridge regards dimensions: a busy queue and another's dead letters do not raise this alarm."""  # E064 E095
    sqs = clients("sqs")
    listener = sqs.create_queue(QueueName="listener")["QueueUrl"]
    listener_arn = sqs.get_queue_attributes(QueueUrl=listener, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    alerts = environment["ORDERSTORE_TOPIC_ARN"].replace("order-events", "alerts")
    clients("sns").subscribe(
        TopicArn=alerts, Protocol="sqs", Endpoint=listener_arn, Attributes={"RawMessageDelivery": "true"}
    )
    quiet = {f"orderstore-test-{queue}-dlq-not-empty": "OK" for queue in (*CONSUMERS, *NOT_TOLD_BY_THE_TOPIC)}
    eventually(lambda: alarm_states(clients, "dlq-not-empty") == quiet, what="all alarms quiet")
    for _ in range(5):
        sqs.send_message(QueueUrl=queue_url(clients, "inventory"), MessageBody="ordinary work")
    sqs.send_message(QueueUrl=queue_url(clients, "payment-dlq"), MessageBody="dead")
    raised = quiet | {"orderstore-test-payment-dlq-not-empty": "ALARM"}
    eventually(lambda: alarm_states(clients, "dlq-not-empty") == raised, what="the alarm")
    # Any PutMetricData makes the emulator judge all alarms in its own way; those on queues are the bridge's.
    clients("cloudwatch").put_metric_data(Namespace="Other", MetricData=[{"MetricName": "Any", "Value": 1}])
    assert alarm_states(clients, "dlq-not-empty") == raised
    told = [json.loads(body) for body in drain(clients, listener)]
    alarms = [(alert["AlarmName"], alert["NewStateValue"]) for alert in told if alert["NewStateValue"] == "ALARM"]
    assert alarms == [("orderstore-test-payment-dlq-not-empty", "ALARM")]


def test_the_queues_figures_are_metrics(clients):
    """What AWS publishes for each queue, by name: waiting, in hand, and the oldest one's age."""  # E109
    url = queue_url(clients, "billing")
    for body in ("one", "two"):
        clients("sqs").send_message(QueueUrl=url, MessageBody=body)
    clients("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=1)

    def latest(metric: str) -> float | None:
        now = time.time()
        points = clients("cloudwatch").get_metric_statistics(
            Namespace="AWS/SQS",
            MetricName=metric,
            Dimensions=[{"Name": "QueueName", "Value": "orderstore-test-billing"}],
            StartTime=now - 120,
            EndTime=now + 60,
            Period=60,
            Statistics=["Maximum"],
        )["Datapoints"]
        return max((point["Maximum"] for point in points), default=None)

    eventually(lambda: latest("ApproximateNumberOfMessagesVisible") == 1, what="a visible message")
    eventually(lambda: latest("ApproximateNumberOfMessagesNotVisible") == 1, what="a message in flight")
    eventually(lambda: (latest("ApproximateAgeOfOldestMessage") or 0) > 0, what="an age")


def test_mail_can_be_sent(clients, environment):
    """The sender is verified."""
    answer = clients("sesv2").send_email(
        FromEmailAddress=environment["ORDERSTORE_MAIL_SENDER"],
        Destination={"ToAddresses": ["someone@example.com"]},
        Content={"Simple": {"Subject": {"Data": "Your order"}, "Body": {"Text": {"Data": "is on its way"}}}},
    )
    assert answer["MessageId"]


def test_environments_of_two_tests_share_nothing(emulator, environment, clients):
    """The same names in another account: what one writes the other does not see."""
    clients("sqs").send_message(QueueUrl=queue_url(clients, "payment"), MessageBody="mine")
    other = fresh_settings(emulator, visibility_timeout_s=30)
    assert other["ORDERSTORE_RESOURCE_PREFIX"] == environment["ORDERSTORE_RESOURCE_PREFIX"]
    assert other["ORDERSTORE_KMS_KEY_ID"] != environment["ORDERSTORE_KMS_KEY_ID"]
    with clients_for(other) as others:
        url = queue_url(others, "payment")
        assert drain(others, url) == []
        attributes = others("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])
        assert attributes["Attributes"]["VisibilityTimeout"] == "30"


def test_provisioning_again_changes_nothing(emulator, clients, environment):
    """What every start does to an environment that it takes over."""
    clients("sqs").send_message(QueueUrl=queue_url(clients, "payment"), MessageBody="still here")
    plane = DataPlane(
        endpoint_url=emulator.endpoint_url,
        resource_prefix=environment["ORDERSTORE_RESOURCE_PREFIX"],
        account=environment["ORDERSTORE_AWS_ACCESS_KEY_ID"],
    )
    assert provision(plane, clients).items() <= environment.items()
    assert drain(clients, queue_url(clients, "payment")) == ["still here"]


def test_a_changed_parameter_updates_what_is_there(emulator, clients, environment):
    """A new version of the template or its parameters reaches an environment that was kept; messages stay."""
    url = queue_url(clients, "payment")
    clients("sqs").send_message(QueueUrl=url, MessageBody="still here")
    plane = DataPlane(
        endpoint_url=emulator.endpoint_url,
        resource_prefix=environment["ORDERSTORE_RESOURCE_PREFIX"],
        account=environment["ORDERSTORE_AWS_ACCESS_KEY_ID"],
        visibility_timeout_s=90,
    )
    changed = provision(plane, clients)
    assert changed["ORDERSTORE_VISIBILITY_TIMEOUT_S"] == "90"
    attributes = clients("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])
    assert attributes["Attributes"]["VisibilityTimeout"] == "90"
    assert drain(clients, url) == ["still here"]
