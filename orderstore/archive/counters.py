"""Putting the counters of invoice series where the archived invoices say that they were."""

from random import Random
from typing import TYPE_CHECKING, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from orderstore.store.items import check_taken
from orderstore.store.trouble import Backoff, Retrying, code_of

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb import DynamoDBClient


class SeriesCounters(Protocol):
    """The counters behind `EventStore.append_numbered`, as only a restore may touch them."""

    async def raise_to(self, name: str, taken: int) -> None:
        """Say that `taken` is the last number taken; a counter that stands there, or higher, stays. May raise StoreError."""
        ...


class DynamoSeriesCounters:
    """`SeriesCounters` over the table of the series."""

    def __init__(self, client: "DynamoDBClient", *, table: str, random: Random, backoff: Backoff | None = None) -> None:
        """Use `table` (key `series` S). `random` spreads the retries."""
        self._client = client
        self._table = table
        self._retrying = Retrying(backoff or Backoff(), random)

    async def raise_to(self, name: str, taken: int) -> None:
        """See `SeriesCounters.raise_to`."""
        check_taken(taken)
        attempts = self._retrying.start("UpdateItem", writes=True)
        while True:
            try:
                await self._client.update_item(
                    TableName=self._table,
                    Key={"series": {"S": name}},
                    UpdateExpression="SET taken = :taken",
                    ConditionExpression="attribute_not_exists(taken) OR taken < :taken",
                    ExpressionAttributeValues={":taken": {"N": str(taken)}},
                )
            except (ClientError, BotoCoreError) as error:
                if code_of(error) == "ConditionalCheckFailedException":
                    return
                await attempts.failed(error)
            else:
                return
