"""The topic on SNS: what is sent, what the answer means, and a real way through topic, filter and queue."""

import orjson
import pytest
from aiobotocore.session import get_session
from botocore.exceptions import ClientError, ReadTimeoutError

from orderstore.contract import PublicEvent, publish
from projections.publisher import Failed, PublishRefused, PublishUnavailable
from projections.sns import SnsPublisher
from tests.emulator import clients_for
from tests.projections.histories import happy_commits, recorded_of
from tests.virtual_time import run_virtual

EVENTS = [PublicEvent(f"event-{n}", "order-1", b'{"n":%d}' % n, {"eventType": "OrderCreated"}) for n in range(3)]


class FakeSns:
    def __init__(self, answer) -> None:
        self.answer = answer
        self.requests: list[dict] = []

    async def publish_batch(self, **request):
        self.requests.append(request)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def publisher(answer) -> tuple[SnsPublisher, FakeSns]:
    client = FakeSns(answer)
    return SnsPublisher(client, topic_arn="arn:topic"), client


def test_the_entries_carry_body_and_attributes() -> None:
    """One call, ids by place, every attribute a String."""
    topic, client = publisher({"Successful": [{"Id": "0"}, {"Id": "1"}, {"Id": "2"}], "Failed": []})

    assert run_virtual(topic.publish, EVENTS) == ()

    [request] = client.requests
    assert request["TopicArn"] == "arn:topic"
    assert request["PublishBatchRequestEntries"][1] == {
        "Id": "1",
        "Message": '{"n":1}',
        "MessageAttributes": {"eventType": {"DataType": "String", "StringValue": "OrderCreated"}},
    }


def test_failed_entries_are_named_by_their_place() -> None:
    """With the service's code, and whose fault it was; an entry that the answer forgets counts as failed."""
    topic, _ = publisher(
        {"Successful": [{"Id": "1"}], "Failed": [{"Id": "0", "Code": "InvalidParameter", "SenderFault": True}]}
    )

    assert run_virtual(topic.publish, EVENTS) == (
        Failed(0, "InvalidParameter", sender_fault=True),
        Failed(2, "NotAnswered", sender_fault=False),
    )


def test_throttling_of_the_key_service_is_nobodys_fault() -> None:
    """SNS calls it the sender's; slower, it will work."""
    topic, _ = publisher({"Failed": [{"Id": "0", "Code": "KMSThrottling", "SenderFault": True}]})

    assert run_virtual(topic.publish, EVENTS[:1]) == (Failed(0, "KMSThrottling", sender_fault=False),)


def client_error(code: str, status: int) -> ClientError:
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "PublishBatch")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (client_error("Throttled", 429), PublishUnavailable),
        (client_error("KMSThrottling", 400), PublishUnavailable),
        (client_error("ThrottlingException", 400), PublishUnavailable),
        (client_error("InternalError", 500), PublishUnavailable),
        (client_error("NotFound", 404), PublishRefused),
        (client_error("AuthorizationError", 403), PublishRefused),
        (ReadTimeoutError(endpoint_url="http://sns"), PublishUnavailable),
    ],
)
def test_an_error_of_the_call_is_told_in_the_ports_words(error, expected) -> None:
    """What may work later is told apart from what will not."""
    topic, _ = publisher(error)
    with pytest.raises(expected):
        run_virtual(topic.publish, EVENTS)


@pytest.mark.emulator
async def test_events_reach_the_queues_whose_filter_lets_them_through(environment) -> None:
    """Published as the relay does, an order's events arrive raw: each queue sees its own types and no other."""  # E012, E017
    events = [event for one in recorded_of(happy_commits()) if (event := publish(one)) is not None]
    async with get_session().create_client(
        "sns",
        endpoint_url=environment["ORDERSTORE_AWS_ENDPOINT_URL"],
        region_name=environment["ORDERSTORE_AWS_REGION"],
        aws_access_key_id=environment["ORDERSTORE_AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["ORDERSTORE_AWS_SECRET_ACCESS_KEY"],
    ) as client:
        topic = SnsPublisher(client, topic_arn=environment["ORDERSTORE_TOPIC_ARN"])
        assert await topic.publish(events[:10]) == ()

    with clients_for(environment) as clients:
        sqs = clients("sqs")
        url = sqs.get_queue_url(QueueName=f"{environment['ORDERSTORE_RESOURCE_PREFIX']}-billing")["QueueUrl"]
        found = sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=5, MessageAttributeNames=["All"]
        )["Messages"]
    [message] = found
    dispatched = next(event for event in events if event.attributes["eventType"] == "ShipmentDispatched")
    assert orjson.loads(message["Body"]) == orjson.loads(dispatched.body)
    assert message["MessageAttributes"]["orderId"]["StringValue"] == dispatched.order_id
