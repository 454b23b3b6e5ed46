"""The topic on SNS. The client is an aiobotocore one that should not retry by itself: the relay does, entry by entry."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from botocore.exceptions import BotoCoreError, ClientError

from orderstore.contract import PublicEvent
from orderstore.store.trouble import Trouble, classify, code_of
from projections.publisher import Failed, PublishRefused, PublishUnavailable

if TYPE_CHECKING:
    from types_aiobotocore_sns.client import SNSClient
    from types_aiobotocore_sns.type_defs import BatchResultErrorEntryTypeDef


# SNS has codes of its own (API reference, "PublishBatch", errors): the service, or its key service, asks for fewer calls.
_SLOWER: Final = frozenset({"Throttled", "KMSThrottling"})


class SnsPublisher:
    """See `Publisher`."""

    def __init__(self, client: "SNSClient", *, topic_arn: str) -> None:
        self._client = client
        self._topic_arn = topic_arn

    async def publish(self, batch: Sequence[PublicEvent]) -> tuple[Failed, ...]:
        """See `Publisher`. Attributes are what the queues' filter policies see; entries are known by their place."""
        try:
            answer = await self._client.publish_batch(
                TopicArn=self._topic_arn,
                PublishBatchRequestEntries=[
                    {
                        "Id": str(position),
                        "Message": event.body.decode(),
                        "MessageAttributes": {
                            name: {"DataType": "String", "StringValue": value}
                            for name, value in event.attributes.items()
                        },
                    }
                    for position, event in enumerate(batch)
                ],
            )
        except (ClientError, BotoCoreError) as error:
            code = code_of(error)
            refused = classify(error) is Trouble.REFUSED and code not in _SLOWER
            kind = PublishRefused if refused else PublishUnavailable
            raise kind(f"PublishBatch: {code}: {error}") from error
        done = {entry.get("Id") for entry in answer.get("Successful", [])}
        failed = {entry["Id"]: entry for entry in answer.get("Failed", [])}
        return tuple(
            _failed(position, failed.get(str(position))) for position in range(len(batch)) if str(position) not in done
        )


def _failed(position: int, entry: "BatchResultErrorEntryTypeDef | None") -> Failed:
    """What the answer says of an entry; one that it names nowhere was not promised: it counts as failed."""
    if entry is None:
        return Failed(position, "NotAnswered", sender_fault=False)
    code = entry.get("Code", "Unknown")
    return Failed(position, code, sender_fault=bool(entry.get("SenderFault", False)) and code not in _SLOWER)
