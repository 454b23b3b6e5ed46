"""The topic on SNS. The client is an aiobotocore one that should not retry by itself: the relay does, entry by entry.

The topic may be a FIFO one: its group is the order, its deduplication id the event's id. Within five minutes it drops what is published
again (AWS SNS API, "Publish", MessageDeduplicationId), and its queues may stay standard ones, which are not told the group and promise
no order (AWS SNS developer guide, https://docs.aws.amazon.com/sns/latest/dg/fifo-message-delivery.html and fifo-message-grouping.html).

On a standard topic the group may name the tenant: SNS forwards it to standard queues alone, where SQS serves tenants that use less before
one that floods (AWS SNS API, "Publish", MessageGroupId; AWS SQS developer guide, "Amazon SQS fair queues").
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from botocore.exceptions import BotoCoreError, ClientError

from orderstore.contract import PublicEvent
from orderstore.store.trouble import Trouble, classify, code_of
from projections.publishing.publisher import Failed, PublishRefused, PublishUnavailable

if TYPE_CHECKING:
    from types_aiobotocore_sns.client import SNSClient
    from types_aiobotocore_sns.type_defs import BatchResultErrorEntryTypeDef, PublishBatchRequestEntryTypeDef


# SNS has codes of its own (API reference, "PublishBatch", errors): the service, or its key service, asks for fewer calls.
_SLOWER: Final = frozenset({"Throttled", "KMSThrottling"})
# The whole call is refused for what is in it; unless what it names is the topic, that is one of the entries.
_OF_AN_ENTRY: Final = frozenset(
    {"InvalidParameter", "InvalidParameterValue", "ParameterValueInvalid", "ValidationException", "BatchRequestTooLong"}
)
# What a group may be (AWS SNS API, "Publish", MessageGroupId): one that is refused would take its whole order along.
_GROUP: Final = re.compile(r"""[a-zA-Z0-9!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~]{1,128}""")
_FIFO_SUFFIX: Final = ".fifo"  # every FIFO topic's name ends so, and no other's (AWS SNS API, "CreateTopic")


class SnsPublisher:
    """See `Publisher`."""

    def __init__(self, client: "SNSClient", *, topic_arn: str, fifo: bool = False, by_tenant: bool = False) -> None:
        """Publish to this topic, which is a FIFO one or not; `by_tenant` names a standard topic's messages' tenants.

        Raises ValueError when its name says otherwise, and for both at once.
        """
        if fifo and by_tenant:
            raise ValueError("the group of a FIFO topic is the order, not the tenant")
        if fifo != topic_arn.endswith(_FIFO_SUFFIX):
            raise ValueError(f"{topic_arn} {'does not name' if fifo else 'names'} a FIFO topic")
        self._client = client
        self._topic_arn = topic_arn
        self._fifo = fifo
        self._by_tenant = by_tenant

    async def publish(self, batch: Sequence[PublicEvent]) -> tuple[Failed, ...]:
        """See `Publisher`. Attributes are what the queues' filter policies see; entries are known by their place.

        When the service refuses a whole call for what is in it, each entry goes alone, so that only the one is refused at which it lies.
        """
        try:
            answer = await self._client.publish_batch(
                TopicArn=self._topic_arn,
                PublishBatchRequestEntries=[self._entry(position, event) for position, event in enumerate(batch)],
            )
        except (ClientError, BotoCoreError) as error:
            code = code_of(error)
            if classify(error) is not Trouble.REFUSED or code in _SLOWER:
                raise PublishUnavailable(f"PublishBatch: {code}: {error}") from error
            if code not in _OF_AN_ENTRY or "TopicArn" in str(error):
                raise PublishRefused(f"PublishBatch: {code}: {error}") from error
            if len(batch) == 1:
                return (Failed(0, code, sender_fault=True),)
            return await self._one_by_one(batch)
        done = {entry.get("Id") for entry in answer.get("Successful", [])}
        failed = {entry["Id"]: entry for entry in answer.get("Failed", [])}
        return tuple(
            _failed(position, failed.get(str(position))) for position in range(len(batch)) if str(position) not in done
        )

    async def _one_by_one(self, batch: Sequence[PublicEvent]) -> tuple[Failed, ...]:
        failed: list[Failed] = []
        for position, event in enumerate(batch):
            failed += [replace(entry, position=position) for entry in await self.publish([event])]
        return tuple(failed)

    def _entry(self, position: int, event: PublicEvent) -> "PublishBatchRequestEntryTypeDef":
        entry: PublishBatchRequestEntryTypeDef = {
            "Id": str(position),
            "Message": event.body.decode(),
            "MessageAttributes": {
                name: {"DataType": "String", "StringValue": value} for name, value in event.attributes.items()
            },
        }
        if self._fifo:
            entry["MessageGroupId"] = event.order_id
            entry["MessageDeduplicationId"] = event.event_id
        elif self._by_tenant and event.tenant is not None:
            entry["MessageGroupId"] = _group(event.tenant)
        return entry


def _group(tenant: str) -> str:
    return tenant if _GROUP.fullmatch(tenant) else sha256(tenant.encode()).hexdigest()


def _failed(position: int, entry: "BatchResultErrorEntryTypeDef | None") -> Failed:
    """What the answer says of an entry; one that it names nowhere was not promised: it counts as failed."""
    if entry is None:
        return Failed(position, "NotAnswered", sender_fault=False)
    code = entry.get("Code", "Unknown")
    return Failed(position, code, sender_fault=bool(entry.get("SenderFault", False)) and code not in _SLOWER)
