"""Leases in a DynamoDB table with the string keys `subscription` and `shard`, through a low-level aiobotocore client.

One write unit a write. A refused condition returns the row as it stands, so that finding out who won costs no read.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from projections.stream.gaps import Gap, GapCause
from projections.stream.leases import Lease, LeaseLost, LeaseStoreUnavailable, LeaseUnreadable

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb import DynamoDBClient

# A write is only good while nobody has touched the row since it was read; a missing owner is part of what was read.
_UNTOUCHED_OWNED: Final = "#owner = :owner AND #counter = :counter"
_UNTOUCHED_FREE: Final = "attribute_exists(#shard) AND attribute_not_exists(#owner) AND #counter = :counter"
_PAGES_MAX: Final = 1_000  # of 1 MB each


class DynamoLeaseStore:
    """See `LeaseStore`. Raises `LeaseStoreUnavailable` for whatever the table answers but a refused condition."""

    def __init__(self, client: "DynamoDBClient", table_name: str) -> None:
        self._client = client
        self._table_name = table_name

    async def rows(self, subscription: str) -> tuple[Lease, ...]:
        """See `LeaseStore`; a strongly consistent query over all pages."""
        rows: list[Lease] = []
        start: dict[str, Any] = {}
        for _ in range(_PAGES_MAX):
            with _translated():
                answer = await self._client.query(
                    TableName=self._table_name,
                    KeyConditionExpression="#subscription = :subscription",
                    ExpressionAttributeNames={"#subscription": "subscription"},
                    ExpressionAttributeValues={":subscription": {"S": subscription}},
                    ConsistentRead=True,
                    **start,
                )
            rows.extend(map(to_lease, answer.get("Items", ())))
            last = answer.get("LastEvaluatedKey")
            if not last:
                return tuple(rows)
            start = {"ExclusiveStartKey": last}
        raise LeaseStoreUnavailable(f"{subscription} has more than {_PAGES_MAX} pages of leases")

    async def create(self, lease: Lease) -> bool:
        """See `LeaseStore`."""
        try:
            with _translated(lease):
                await self._client.put_item(
                    TableName=self._table_name,
                    Item=to_item(lease),
                    ConditionExpression="attribute_not_exists(#shard)",
                    ExpressionAttributeNames={"#shard": "shard"},
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
        except LeaseLost:
            return False
        return True

    async def replace(self, current: Lease, updated: Lease) -> None:
        """See `LeaseStore`."""
        try:
            with _translated(current):
                await self._client.put_item(TableName=self._table_name, Item=to_item(updated), **_untouched(current))
        except LeaseLost as lost:
            if lost.winner != updated:
                raise

    async def remove(self, current: Lease) -> None:
        """See `LeaseStore`."""
        try:
            with _translated(current):
                await self._client.delete_item(TableName=self._table_name, Key=_key(current), **_untouched(current))
        except LeaseLost as lost:
            if lost.winner is not None:
                raise


def to_item(lease: Lease) -> dict[str, Any]:
    """The row as an item; what is not there is left out."""
    item: dict[str, Any] = {
        **_key(lease),
        "stream": {"S": lease.stream},
        "counter": {"N": str(lease.counter)},
        "checkpoint": {"S": lease.checkpoint},
        "caught_up_to_ms": {"N": str(lease.caught_up_to_ms)},
    }
    if lease.owner is not None:
        item["owner"] = {"S": lease.owner}
    if lease.parents:
        item["parents"] = {"L": [{"S": parent} for parent in lease.parents]}
    if lease.starting_sequence is not None:
        item["starting_sequence"] = {"S": lease.starting_sequence}
    if lease.gap is not None:
        item["gap_cause"] = {"S": lease.gap.cause.value}
        item["gap_since_ms"] = {"N": str(lease.gap.since_ms)}
    return item


def to_lease(item: Mapping[str, Any]) -> Lease:
    """The item as a row. Raises LeaseUnreadable."""
    try:
        return _lease(item)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        named = ", ".join(sorted(item))
        raise LeaseUnreadable(f"a lease's row cannot be read: {type(error).__name__}; it has {named}") from error


def _lease(item: Mapping[str, Any]) -> Lease:
    owner, start, cause = (item.get(name) for name in ("owner", "starting_sequence", "gap_cause"))
    return Lease(
        subscription=_text(item["subscription"]),
        shard=_text(item["shard"]),
        stream=_text(item["stream"]),
        owner=None if owner is None else _text(owner),
        counter=int(item["counter"]["N"]),
        checkpoint=_text(item["checkpoint"]),
        parents=tuple(_text(parent) for parent in item.get("parents", {"L": ()})["L"]),
        starting_sequence=None if start is None else _text(start),
        caught_up_to_ms=int(item["caught_up_to_ms"]["N"]),
        gap=None if cause is None else Gap(GapCause(cause["S"]), int(item["gap_since_ms"]["N"])),
    )


def _text(attribute: Mapping[str, Any]) -> str:
    value = attribute["S"]
    if not isinstance(value, str):
        raise TypeError("no text")
    return value


def _key(lease: Lease) -> dict[str, Any]:
    return {"subscription": {"S": lease.subscription}, "shard": {"S": lease.shard}}


def _untouched(current: Lease) -> dict[str, Any]:
    names = {"#owner": "owner", "#counter": "counter"}
    values: dict[str, Any] = {":counter": {"N": str(current.counter)}}
    if current.owner is None:
        names["#shard"] = "shard"
        condition = _UNTOUCHED_FREE
    else:
        values[":owner"] = {"S": current.owner}
        condition = _UNTOUCHED_OWNED
    return {
        "ConditionExpression": condition,
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": values,
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }


@contextmanager
def _translated(lease: Lease | None = None) -> Iterator[None]:
    """The one place where the service's errors become the port's."""
    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        if code == "ConditionalCheckFailedException" and lease is not None:
            winner: Mapping[str, Any] | None = error.response.get("Item")  # type: ignore[assignment] # absent from the stubs
            raise LeaseLost(lease.shard, to_lease(winner) if winner else None) from error
        raise LeaseStoreUnavailable(str(error)) from error
    except (BotoCoreError, OSError, TimeoutError) as error:
        raise LeaseStoreUnavailable(str(error)) from error
