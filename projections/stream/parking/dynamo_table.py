"""The table beneath the parking lot: its calls, tried again where that may help, and its errors in the port's words."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from random import Random
from typing import TYPE_CHECKING, Any, Final, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from projections.stream.pacing import Backoff
from projections.stream.parking import LotUnavailable
from projections.stream.parking.dynamo_items import Item, key_of

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb import DynamoDBClient

T = TypeVar("T")
TRIES_MAX: Final = 5
# AWS, "Error handling with DynamoDB": what a second try may mend. A transaction turns others away for some milliseconds.
_AGAIN: Final = frozenset(
    {
        "InternalServerError",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ThrottlingException",
        "TransactionConflict",
        "TransactionConflictException",
        "TransactionInProgressException",
    }
)
_CONDITION: Final = ("ConditionalCheckFailed", "ConditionalCheckFailedException")


class ParkingTable:
    """Every method raises `LotUnavailable`; a write returns None when it was carried out, else the row that its condition met."""

    def __init__(
        self,
        client: "DynamoDBClient",
        table_name: str,
        *,
        random: Random,
        backoff_initial_s: float,
        backoff_max_s: float,
    ) -> None:
        self.client = client
        self.name = table_name
        self._random = random
        self._backoff_s = (backoff_initial_s, backoff_max_s)

    async def get(self, key: Mapping[str, Any]) -> Item | None:
        """One item, consistently."""
        answer = await self._calling(
            lambda: self.client.get_item(TableName=self.name, Key=dict(key), ConsistentRead=True)
        )
        return answer.get("Item")

    async def items(
        self,
        partition: str,
        *,
        prefix: str | None = None,
        names: Mapping[str, str] | None = None,
        projection: str | None = None,
    ) -> AsyncGenerator[Item, None]:
        """The items of a partition, by key, consistently. Close it (`contextlib.aclosing`) when it is left early."""
        request = _asked(partition, behind=None, prefix=prefix, names=names)
        if projection is not None:
            request["ProjectionExpression"] = projection
        while True:
            answer = await self._calling(lambda: self.client.query(TableName=self.name, **request))
            for item in answer.get("Items", ()):
                yield item
            if not (last := answer.get("LastEvaluatedKey")):
                return
            request["ExclusiveStartKey"] = last

    async def page(self, partition: str, *, after: str | None, limit: int) -> tuple[tuple[Item, ...], bool]:
        """At most `limit` items behind `after`, consistently, and whether more may follow."""
        request = {**_asked(partition, behind=after, prefix=None, names=None), "Limit": limit}
        answer = await self._calling(lambda: self.client.query(TableName=self.name, **request))
        return tuple(answer.get("Items", ())), "LastEvaluatedKey" in answer

    async def update(
        self,
        subscription: str,
        key: str,
        update: str,
        condition: str,
        *,
        names: Mapping[str, str],
        values: Mapping[str, Any],
    ) -> Item | None:
        """Change a row under a condition."""
        return await self.write(
            lambda: self.client.update_item(
                TableName=self.name,
                Key=key_of(subscription, key),
                UpdateExpression=update,
                ConditionExpression=condition,
                ExpressionAttributeNames={"#key": "key", "#version": "version", **names},
                ExpressionAttributeValues={":one": {"N": "1"}, **values},
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        )

    async def write(self, call: Callable[[], Awaitable[Any]]) -> Item | None:
        """Any write. The row that the condition met is empty where there is none, or where the service does not say."""
        try:
            await self._calling(call)
        except _ConditionRefused as refused:
            return refused.item
        return None

    async def _calling(self, call: Callable[[], Awaitable[T]]) -> T:
        """The one place where the service's errors become the port's."""
        initial_s, maximum_s = self._backoff_s
        backoff = Backoff(initial_s=initial_s, maximum_s=maximum_s, random=self._random)
        for failures in range(1, TRIES_MAX + 1):
            try:
                return await call()
            except ClientError as error:
                codes = _codes(error)
                if codes.intersection(_CONDITION):
                    item: Any = error.response.get("Item")
                    raise _ConditionRefused(item or {}) from error
                if failures == TRIES_MAX or not (codes & _AGAIN or _status(error) >= 500):
                    raise LotUnavailable(f"{self.name}: {error}") from error
            except (BotoCoreError, OSError, TimeoutError) as error:
                if failures == TRIES_MAX:
                    raise LotUnavailable(f"{self.name}: {error}") from error
            await backoff.pause()
        raise AssertionError("the last try returns or raises")


class _ConditionRefused(Exception):
    """The row is not as the write wants it; `item` is how it stands, where the service says so."""

    def __init__(self, item: Item) -> None:
        super().__init__("the condition was refused")
        self.item = item


def _asked(
    partition: str, *, behind: str | None, prefix: str | None, names: Mapping[str, str] | None
) -> dict[str, Any]:
    condition, values = "#subscription = :subscription", {":subscription": {"S": partition}}
    named = {"#subscription": "subscription", **(names or {})}
    if behind is not None or prefix is not None:
        condition += " AND #key > :key" if prefix is None else " AND begins_with(#key, :key)"
        values[":key"] = {"S": str(behind if prefix is None else prefix)}
        named["#key"] = "key"
    return {
        "KeyConditionExpression": condition,
        "ExpressionAttributeNames": named,
        "ExpressionAttributeValues": values,
        "ConsistentRead": True,
    }


def _codes(error: ClientError) -> frozenset[str]:
    """The service's code; for a cancelled transaction, those of its parts."""
    code = str(error.response.get("Error", {}).get("Code", ""))
    if code != "TransactionCanceledException":
        return frozenset({code})
    reasons: Any = error.response.get("CancellationReasons", [])
    return frozenset({str(reason.get("Code", "")) for reason in reasons})


def _status(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 400))
