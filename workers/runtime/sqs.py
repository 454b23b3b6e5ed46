"""`Queue` over an aiobotocore SQS client."""

import base64
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, TypedDict

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
    TokenRetrievalError,
)
from botocore.exceptions import (
    ConnectionError as BotocoreConnectionError,
)

from workers.runtime.deadletter import ORIGINAL_ID, dead_letter_attributes
from workers.runtime.queue import (
    WAIT_S_MAX,
    CredentialsInvalid,
    Depths,
    FailedEntry,
    Message,
    QueueError,
    QueueMissing,
    RequestRefused,
    Throttled,
    Unavailable,
)

if TYPE_CHECKING:
    from types_aiobotocore_sqs.client import SQSClient
    from types_aiobotocore_sqs.type_defs import (
        BatchResultErrorEntryTypeDef,
        MessageAttributeValueOutputTypeDef,
        MessageTypeDef,
    )

TRACE_HEADER: Final = "AWSTraceHeader"
"""X-Ray's header, which EventBridge and others hand on beside the message's own attributes; here it stands among them."""
FIFO_SUFFIX: Final = ".fifo"
"""How the name of every FIFO queue ends, and of no other (AWS SQS API, "CreateQueue")."""

_THROTTLED = frozenset(
    {"Throttling", "ThrottlingException", "RequestThrottled", "RequestThrottledException", "RequestLimitExceeded"}
    | {"TooManyRequestsException", "SlowDown", "OverLimit", "KmsThrottled"}
)
_MISSING = frozenset({"QueueDoesNotExist", "NonExistentQueue", "QueueDeletedRecently"})
_CREDENTIALS = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "AuthFailure",
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
    }
    | {"InvalidAccessKeyId", "InvalidClientTokenId", "InvalidSecurity", "InvalidSignatureException", "KmsAccessDenied"}
    | {
        "MissingAuthenticationToken",
        "NotAuthorized",
        "OptInRequired",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
# AWS answers InvalidParameterValue for a receipt whose message is not in flight any more, and past the 12 hours in all.
_GONE = frozenset({"ReceiptHandleIsInvalid", "MessageNotInflight", "InvalidParameterValue"})


class _Grouping(TypedDict, total=False):
    MessageGroupId: str
    MessageDeduplicationId: str


async def queue_url(client: "SQSClient", full_name: str) -> str:
    """Where the queue with this name is. Raises QueueMissing, and what every request may."""
    with _translated():
        return (await client.get_queue_url(QueueName=full_name))["QueueUrl"]


class SqsQueue:
    """One SQS queue, standard or FIFO, and its dead-letter queue, which is of the same kind.

    The client is the caller's: one per process, its connection pool at least as large as pollers + acknowledgements + heartbeats,
    its read time-out above the longest wait (`ValueError` otherwise: every quiet poll would fail).
    """

    def __init__(self, client: "SQSClient", *, name: str, url: str, dead_letter_url: str) -> None:
        read_timeout_s: float | None = getattr(client.meta.config, "read_timeout", None)
        if read_timeout_s is not None and read_timeout_s <= WAIT_S_MAX:
            raise ValueError(
                f"the client's read_timeout ({read_timeout_s} s) must be above the longest wait of {WAIT_S_MAX} s"
            )
        self._client = client
        self._name = name
        self._url = url
        self._dead_letter_url = dead_letter_url

    @property
    def name(self) -> str:
        """The name for logs and metrics."""
        return self._name

    async def send(self, body: str, *, attributes: Mapping[str, str] | None = None, group: str | None = None) -> str:
        """Put a message in; its id. Raises `RequestRefused` past SQS's limits. After `Unavailable` it may have been sent.

        A FIFO queue needs the group, and de-duplicates by content, or refuses where the queue does not.
        """
        return await self._send(self._url, body, attributes or {}, group=group)

    async def receive(self, *, max_messages: int, wait_s: int, visibility_timeout_s: int) -> Sequence[Message]:
        """See `Queue.receive`."""
        with _translated():
            response = await self._client.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=max_messages,
                WaitTimeSeconds=wait_s,
                VisibilityTimeout=visibility_timeout_s,
                MessageAttributeNames=["All"],
                MessageSystemAttributeNames=[
                    "ApproximateReceiveCount",
                    "SentTimestamp",
                    "MessageGroupId",
                    TRACE_HEADER,
                ],
            )
        return [_message(entry) for entry in response.get("Messages", [])]

    async def delete(self, messages: Sequence[Message]) -> Sequence[FailedEntry]:
        """See `Queue.delete`."""
        with _translated():
            response = await self._client.delete_message_batch(
                QueueUrl=self._url,
                Entries=[
                    {"Id": str(index), "ReceiptHandle": message.receipt} for index, message in enumerate(messages)
                ],
            )
        return _failed(response.get("Failed", []), messages)

    async def change_visibility(self, changes: Sequence[tuple[Message, int]]) -> Sequence[FailedEntry]:
        """See `Queue.change_visibility`."""
        with _translated():
            response = await self._client.change_message_visibility_batch(
                QueueUrl=self._url,
                Entries=[
                    {"Id": str(index), "ReceiptHandle": message.receipt, "VisibilityTimeout": timeout_s}
                    for index, (message, timeout_s) in enumerate(changes)
                ],
            )
        return _failed(response.get("Failed", []), [message for message, _ in changes])

    async def dead_letter(self, message: Message, reason: str) -> None:
        """See `Queue.dead_letter`."""
        attributes = dead_letter_attributes(message, reason)
        # In a FIFO queue a dead letter that is put twice, because nobody heard the first answer, is one within five minutes.
        once = attributes.get(ORIGINAL_ID, message.id) if self._dead_letter_url.endswith(FIFO_SUFFIX) else None
        await self._send(self._dead_letter_url, message.body, attributes, group=message.group, deduplication_id=once)

    async def depths(self) -> Depths:
        """See `Queue.depths`: two calls."""
        with _translated():
            own = await self._client.get_queue_attributes(
                QueueUrl=self._url,
                AttributeNames=[
                    "ApproximateNumberOfMessages",
                    "ApproximateNumberOfMessagesNotVisible",
                    "ApproximateNumberOfMessagesDelayed",
                ],
            )
            dead = await self._client.get_queue_attributes(
                QueueUrl=self._dead_letter_url, AttributeNames=["ApproximateNumberOfMessages"]
            )
        figures = own["Attributes"]
        return Depths(
            visible=int(figures["ApproximateNumberOfMessages"]),
            in_flight=int(figures["ApproximateNumberOfMessagesNotVisible"]),
            delayed=int(figures["ApproximateNumberOfMessagesDelayed"]),
            dead_letters=int(dead["Attributes"]["ApproximateNumberOfMessages"]),
        )

    async def _send(
        self,
        url: str,
        body: str,
        attributes: Mapping[str, str],
        *,
        group: str | None,
        deduplication_id: str | None = None,
    ) -> str:
        more: _Grouping = {}
        if group is not None:
            more["MessageGroupId"] = group
        if deduplication_id is not None:
            more["MessageDeduplicationId"] = deduplication_id
        with _translated():
            sent = await self._client.send_message(
                QueueUrl=url,
                MessageBody=body,
                MessageAttributes={
                    name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
                },
                **more,
            )
        return sent["MessageId"]


def _message(entry: "MessageTypeDef") -> Message:
    system = entry["Attributes"]
    traced = {TRACE_HEADER: system[TRACE_HEADER]} if TRACE_HEADER in system else {}
    return Message(
        id=entry["MessageId"],
        receipt=entry["ReceiptHandle"],
        body=entry["Body"],
        attributes=traced | {name: _text(value) for name, value in entry.get("MessageAttributes", {}).items()},
        receive_count=int(system["ApproximateReceiveCount"]),
        sent_at_ms=int(system["SentTimestamp"]),
        group=system.get("MessageGroupId"),
    )


def _text(value: "MessageAttributeValueOutputTypeDef") -> str:
    return value["StringValue"] if "StringValue" in value else base64.b64encode(value["BinaryValue"]).decode()


def _failed(entries: "Sequence[BatchResultErrorEntryTypeDef]", messages: Sequence[Message]) -> list[FailedEntry]:
    return [
        FailedEntry(
            message=messages[int(entry["Id"])], reason=_short(entry["Code"]), gone=_short(entry["Code"]) in _GONE
        )
        for entry in entries
    ]


def _short(code: str) -> str:
    """The code without its namespace: `AWS.SimpleQueueService.NonExistentQueue`, `com.amazonaws.sqs#QueueDoesNotExist`."""
    return code.rpartition("#")[2].rpartition(".")[2]


@contextmanager
def _translated() -> Iterator[None]:
    """Turn the client's errors into the port's, once, here."""
    try:
        yield
    except ClientError as error:
        raise _from_response(error.response) from error
    except (NoCredentialsError, PartialCredentialsError, CredentialRetrievalError, TokenRetrievalError) as error:
        raise CredentialsInvalid(str(error)) from error
    except (HTTPClientError, BotocoreConnectionError, OSError) as error:
        raise Unavailable(str(error) or type(error).__name__) from error
    except BotoCoreError as error:
        raise RequestRefused(str(error)) from error


def _from_response(response: Mapping[str, object]) -> QueueError:
    details = response.get("Error")
    metadata = response.get("ResponseMetadata")
    code = _short(str(details.get("Code", ""))) if isinstance(details, Mapping) else ""
    text = f"{code}: {details.get('Message', '')}" if isinstance(details, Mapping) else "no error code"
    status = metadata.get("HTTPStatusCode", 0) if isinstance(metadata, Mapping) else 0
    if code in _THROTTLED:
        return Throttled(text)
    if code in _MISSING:
        return QueueMissing(text)
    if code in _CREDENTIALS:
        return CredentialsInvalid(text)
    if status >= 500:
        return Unavailable(text)
    return RequestRefused(text)
