"""The parking lot in a DynamoDB table with the string keys `subscription` and `key`, through a low-level aiobotocore client.

One write unit or two a write. A refused condition returns the row as it stands, so that finding out costs no read. Transient trouble
is tried again a few times: a person stands behind half of the calls, and all of them may be repeated.
"""

from collections.abc import Mapping
from contextlib import aclosing
from random import Random
from typing import TYPE_CHECKING, Any, Final

from projections.stream.parking import (
    PAGE_ROWS_MAX,
    ROWS_MAX,
    Keys,
    LotUnavailable,
    Parked,
    ParkedChanged,
    ParkedPage,
    Standing,
    passing,
    position_name,
    position_of,
)
from projections.stream.parking.dynamo_items import (
    key_of,
    passed_key,
    released_in,
    released_key,
    released_prefix,
    standing_of,
    to_item,
    to_parked,
    to_passed,
    to_released,
)
from projections.stream.parking.dynamo_table import ParkingTable

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb import DynamoDBClient

NOTE_ROUNDS_MAX: Final = 5
_IS_THERE: Final = "attribute_exists(#key)"
_UNMOVED: Final = "#episode = :episode AND #version = :version"


class DynamoParkingLot:
    """See `ParkingLot`. `random` spreads the pauses between tries."""

    def __init__(
        self,
        client: "DynamoDBClient",
        table_name: str,
        *,
        random: Random,
        backoff_initial_s: float = 0.1,
        backoff_max_s: float = 1.0,
    ) -> None:
        self._table = ParkingTable(
            client, table_name, random=random, backoff_initial_s=backoff_initial_s, backoff_max_s=backoff_max_s
        )

    async def park(self, row: Parked) -> bool:
        """See `ParkingLot`."""
        refused = await self._table.write(
            lambda: self._table.client.put_item(
                TableName=self._table.name,
                Item=to_item(row),
                ConditionExpression="attribute_not_exists(#key)",
                ExpressionAttributeNames={"#key": "key"},
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        )
        return refused is None or refused.get("episode") == {"S": row.episode}

    async def standings(self, subscription: str) -> Mapping[str, Standing]:
        """See `ParkingLot`; a strongly consistent query over all pages, for more than ROWS_MAX rows LotUnavailable."""
        found: dict[str, Standing] = {}
        items = self._table.items(
            subscription, names={"#key": "key", "#state": "state"}, projection="#key, #state, parked_at_ms"
        )
        async with aclosing(items):
            async for item in items:
                key, standing = standing_of(item)
                if standing.state == "passed":
                    continue
                found[key] = standing
                if len(found) > ROWS_MAX:
                    raise LotUnavailable(f"{subscription} has more than {ROWS_MAX} parked keys")
        return found

    async def hold(self, subscription: str, key: str, *, first: Keys, last: Keys, records: int) -> bool:
        """See `ParkingLot`."""
        names = {"#first": "first", "#last": "last", "#position": position_name(first)}
        position = {":position": {"N": str(position_of(first))}, ":records": {"N": str(records)}}
        more = "held = held + :records, #version = #version + :one"
        behind = (f"SET #last = :last, {more}", "#first.#position <= :position")
        in_front = (
            f"SET #first = :first, #last = if_not_exists(#last, :last), {more}",
            "(attribute_not_exists(#first) OR #first.#position > :position)",
        )
        last_of = {":last": {"M": dict(last)}, **position}
        return await self._noted(
            subscription, key, (*behind, last_of), (*in_front, {":first": {"M": dict(first)}, **last_of}), names=names
        )

    async def owe(self, subscription: str, key: str, since_ms: int) -> bool:
        """See `ParkingLot`. The version moves on also where as much is owed already: something was left out again."""
        since = {":since": {"N": str(since_ms)}}
        less, enough = "(attribute_not_exists(owed_since_ms) OR owed_since_ms > :since)", "owed_since_ms <= :since"
        return await self._noted(
            subscription,
            key,
            ("SET owed_since_ms = :since, #version = #version + :one", less, since),
            ("SET #version = #version + :one", enough, since),
            names={},
        )

    async def _noted(
        self, subscription: str, key: str, *ways: tuple[str, str, Mapping[str, Any]], names: Mapping[str, str]
    ) -> bool:
        """Carry out the update (with its condition and values) that fits the row: one always does. False where there is no row."""
        for _ in range(NOTE_ROUNDS_MAX):
            for update, condition, values in ways:
                refused = await self._table.update(
                    subscription, key, update, f"{_IS_THERE} AND {condition}", names=names, values=values
                )
                if refused is None:
                    return True
                if not refused:
                    return False
        raise LotUnavailable(f"the row of {key} changed {NOTE_ROUNDS_MAX} times under one write")

    async def get(self, subscription: str, key: str) -> Parked | None:
        """See `ParkingLot`."""
        item = await self._table.get(key_of(subscription, key))
        return None if item is None else to_parked(item)

    async def page(self, subscription: str, *, after: str | None = None, limit: int = PAGE_ROWS_MAX) -> ParkedPage:
        """See `ParkingLot`."""
        items, more = await self._table.page(subscription, after=after, limit=limit)
        rows = tuple(map(to_parked, items))
        return ParkedPage(rows, items[-1]["key"]["S"] if more and items else None)

    async def replace(self, current: Parked, updated: Parked) -> None:
        """See `ParkingLot`."""
        refused = await self._table.write(
            lambda: self._table.client.put_item(
                TableName=self._table.name,
                Item=to_item(updated),
                **_condition(current),
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        )
        if refused is None:
            return
        winner = to_parked(refused) if refused else None
        if winner != updated:
            raise ParkedChanged(current.key, winner)

    async def release(self, current: Parked) -> None:
        """See `ParkingLot`; one transaction, with what was passed read before: that changes only where a row of this key is released, and
        of those with this one's episode and version only one is."""
        table = self._table.name
        kept: list[dict[str, Any]] = [to_released(current)]
        if current.passed:
            before = await self._table.get(passed_key(current))
            kept.append(to_passed(passing(current, None if before is None else to_parked(before))))
        delete: Any = {"TableName": table, "Key": key_of(current.subscription, current.key), **_condition(current)}
        puts: list[Any] = [{"Put": {"TableName": table, "Item": item}} for item in kept]
        refused = await self._table.write(
            lambda: self._table.client.transact_write_items(TransactItems=[{"Delete": delete}, *puts])
        )
        if refused is None or await self._table.get(released_key(current)) is not None:
            return
        raise ParkedChanged(current.key, await self.get(current.subscription, current.key))

    async def released(self, subscription: str, key: str) -> tuple[Parked, ...]:
        """See `ParkingLot`."""
        rows: list[Parked] = []
        items = self._table.items(released_in(subscription), prefix=released_prefix(key))
        async with aclosing(items):
            async for item in items:
                rows = [*rows, to_parked(item)][-PAGE_ROWS_MAX:]
        return tuple(row for row in rows if row.key == key)


def _condition(current: Parked) -> dict[str, Any]:
    return {
        "ConditionExpression": _UNMOVED,
        "ExpressionAttributeNames": {"#episode": "episode", "#version": "version"},
        "ExpressionAttributeValues": {":episode": {"S": current.episode}, ":version": {"N": str(current.version)}},
    }
