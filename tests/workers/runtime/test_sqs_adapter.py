"""The SQS adapter turns the client's answers and errors into the port's; requests are checked against a scripted client."""

from types import SimpleNamespace

import msgspec
import pytest
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ParamValidationError,
    ReadTimeoutError,
)

from workers.runtime.deadletter import ORIGINAL_ID
from workers.runtime.queue import (
    CredentialsInvalid,
    Message,
    QueueMissing,
    RequestRefused,
    Throttled,
    Unavailable,
)
from workers.runtime.sqs import SqsQueue


class ScriptedClient:
    """Answers every call with `answer` (or raises it) and keeps the requests."""

    def __init__(self, answer=None, *, read_timeout=60):
        self.answer = {} if answer is None else answer
        self.requests = []
        self.meta = SimpleNamespace(config=SimpleNamespace(read_timeout=read_timeout))

    def __getattr__(self, name):
        async def call(**request):
            self.requests.append((name, request))
            if isinstance(self.answer, BaseException):
                raise self.answer
            return self.answer

        return call


def queue_on(client):
    return SqsQueue(client, name="work", url="http://q/work", dead_letter_url="http://q/work-dlq")


def message(number=1):
    return Message(id=f"m{number}", receipt=f"r{number}", body="b", attributes={}, receive_count=1, sent_at_ms=0)


def client_error(code, status=400):
    return ClientError(
        {"Error": {"Code": code, "Message": "text"}, "ResponseMetadata": {"HTTPStatusCode": status}}, "Op"
    )


@pytest.mark.parametrize(
    ("error", "translated"),
    [
        (client_error("RequestThrottled"), Throttled),
        (client_error("ThrottlingException"), Throttled),
        (client_error("AWS.SimpleQueueService.OverLimit", 403), Throttled),
        (client_error("AWS.SimpleQueueService.NonExistentQueue"), QueueMissing),
        (client_error("com.amazonaws.sqs#QueueDoesNotExist"), QueueMissing),
        (client_error("ExpiredToken", 403), CredentialsInvalid),
        (client_error("AccessDenied", 403), CredentialsInvalid),
        (client_error("InternalError", 500), Unavailable),
        (client_error("", 503), Unavailable),
        (client_error("InvalidMessageContents"), RequestRefused),
        (NoCredentialsError(), CredentialsInvalid),
        (ReadTimeoutError(endpoint_url="http://q"), Unavailable),
        (ConnectTimeoutError(endpoint_url="http://q"), Unavailable),
        (EndpointConnectionError(endpoint_url="http://q"), Unavailable),
        (OSError("connection reset"), Unavailable),
        (ParamValidationError(report="wrong"), RequestRefused),
    ],
    ids=lambda value: getattr(value, "__name__", None) or str(value)[:40],
)
async def test_errors_are_translated_once(error, translated):
    """Every method raises the port's error, and the cause is kept."""
    queue = queue_on(ScriptedClient(error))
    for call in (
        lambda: queue.receive(max_messages=10, wait_s=20, visibility_timeout_s=120),
        lambda: queue.delete([message()]),
        lambda: queue.change_visibility([(message(), 0)]),
        lambda: queue.dead_letter(message(), "why"),
        lambda: queue.depths(),
    ):
        with pytest.raises(translated) as caught:
            await call()
        assert type(caught.value) is translated
        assert caught.value.__cause__ is error


def test_a_read_timeout_not_above_the_wait_is_refused():
    """Every quiet long poll would end in an error."""
    with pytest.raises(ValueError, match="read_timeout"):
        queue_on(ScriptedClient(read_timeout=20))
    queue_on(ScriptedClient(read_timeout=21))


async def test_a_receive_asks_for_everything_the_loop_needs():
    """All attributes, the receive count, the time of sending and the group; binary values come as base64."""
    client = ScriptedClient(
        {
            "Messages": [
                {
                    "MessageId": "m1",
                    "ReceiptHandle": "r1",
                    "Body": "b",
                    "Attributes": {
                        "ApproximateReceiveCount": "2",
                        "SentTimestamp": "1700000000000",
                        "MessageGroupId": "acme",
                        "AWSTraceHeader": "Root=1-2-3",
                    },
                    "MessageAttributes": {
                        "eventType": {"DataType": "String", "StringValue": "OrderCreated"},
                        "n": {"DataType": "Number", "StringValue": "7"},
                        "raw": {"DataType": "Binary", "BinaryValue": b"\x00\x01"},
                    },
                }
            ]
        }
    )
    (received,) = await queue_on(client).receive(max_messages=7, wait_s=20, visibility_timeout_s=120)
    assert received == Message(
        id="m1",
        receipt="r1",
        body="b",
        attributes={"AWSTraceHeader": "Root=1-2-3", "eventType": "OrderCreated", "n": "7", "raw": "AAE="},
        receive_count=2,
        sent_at_ms=1_700_000_000_000,
        group="acme",
    )
    ((name, request),) = client.requests
    assert name == "receive_message"
    assert request == {
        "QueueUrl": "http://q/work",
        "MaxNumberOfMessages": 7,
        "WaitTimeSeconds": 20,
        "VisibilityTimeout": 120,
        "MessageAttributeNames": ["All"],
        "MessageSystemAttributeNames": ["ApproximateReceiveCount", "SentTimestamp", "MessageGroupId", "AWSTraceHeader"],
    }


async def test_entries_have_ids_of_their_own_and_failures_find_their_message():
    """Two receipts of one message in a batch are two entries; a stale receipt is `gone`, an inner error is not."""
    client = ScriptedClient(
        {
            "Failed": [
                {"Id": "0", "Code": "ReceiptHandleIsInvalid", "SenderFault": True},
                {"Id": "2", "Code": "InternalError", "SenderFault": False},
            ]
        }
    )
    first, second, third = message(1), message(1), message(3)
    failed = await queue_on(client).delete([first, second, third])
    assert [(entry.message, entry.reason, entry.gone) for entry in failed] == [
        (first, "ReceiptHandleIsInvalid", True),
        (third, "InternalError", False),
    ]
    entries = client.requests[0][1]["Entries"]
    assert len({entry["Id"] for entry in entries}) == 3


async def test_each_visibility_change_carries_its_own_time():
    """One call, two times."""
    client = ScriptedClient({"Successful": [], "Failed": []})
    assert await queue_on(client).change_visibility([(message(1), 0), (message(2), 37)]) == []
    entries = client.requests[0][1]["Entries"]
    assert [(entry["ReceiptHandle"], entry["VisibilityTimeout"]) for entry in entries] == [("r1", 0), ("r2", 37)]


async def test_a_dead_letter_keeps_the_group_of_its_message():
    """What the producer said of the tenant is not lost on the way to the dead letters and back."""
    client = ScriptedClient({"MessageId": "m2"})
    queue = queue_on(client)
    await queue.send("b", group="acme")
    await queue.dead_letter(msgspec.structs.replace(message(), group="acme"), "why")
    await queue.send("b")
    assert [request.get("MessageGroupId") for _, request in client.requests] == ["acme", "acme", None]
    assert not any("MessageDeduplicationId" in request for _, request in client.requests)


async def test_a_dead_letter_of_a_fifo_queue_is_one_however_often_it_is_put():
    """The answer of the first call was lost: the second has the same de-duplication id, which is the first message's id."""
    client = ScriptedClient({"MessageId": "m2"})
    queue = SqsQueue(client, name="work", url="http://q/work.fifo", dead_letter_url="http://q/work-dlq.fifo")
    redriven = msgspec.structs.replace(message(), group="acme", attributes={ORIGINAL_ID: "m0"})
    for letter in (msgspec.structs.replace(message(), group="acme"), redriven):
        await queue.dead_letter(letter, "why")
    assert [request["MessageDeduplicationId"] for _, request in client.requests] == ["m1", "m0"]
