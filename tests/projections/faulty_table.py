"""A table in memory behind the calls that the view store makes: conditional puts, transactions that meet each other, reads and scans.

It throttles, loses requests before they are carried out and answers after, as `faults` says; a transaction holds its items for a while, and
who comes near them meanwhile is turned away. Without `tokens` it is an emulator that repeats what it is sent twice.
"""

import re
from dataclasses import dataclass
from random import Random

import anyio
from botocore.exceptions import ClientError, ReadTimeoutError


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """How likely each is, of every call."""

    throttled: float = 0.0
    lost: float = 0.0
    answer_lost: float = 0.0


class FaultyTable:
    """What `DynamoViewStore` takes for a client."""

    def __init__(self, *, seed: int, faults: Faults, tokens: bool = True) -> None:
        self.items: dict[str, dict] = {}
        self.faults = faults
        self.transactions = 0
        self.conflicts = 0
        self._random = Random(seed)
        self._tokens = tokens
        self._done: set[str] = set()
        self._held: set[str] = set()

    async def put_item(self, **request) -> dict:
        await self._come("PutItem")
        key = request["Item"]["key"]["S"]
        if key in self._held:
            raise _error("PutItem", "TransactionConflictException")
        if not self._holds(request):
            raise _error("PutItem", "ConditionalCheckFailedException", Item=self.items.get(key, {}))
        self.items[key] = request["Item"]
        return await self._go()

    async def transact_write_items(self, *, TransactItems, ClientRequestToken) -> dict:  # noqa: N803 - botocore's names
        await self._come("TransactWriteItems")
        if self._tokens and ClientRequestToken in self._done:
            return await self._go()
        parts = [next(iter(item.items())) for item in TransactItems]
        keys = [(part["Item"] if kind == "Put" else part["Key"])["key"]["S"] for kind, part in parts]
        assert len(set(keys)) == len(keys) <= 100
        reasons = [{"Code": "TransactionConflict"} if key in self._held else {"Code": "None"} for key in keys]
        self.conflicts += any(reason["Code"] != "None" for reason in reasons)
        _refuse(reasons)
        self._held.update(keys)
        try:
            await anyio.sleep(self._random.uniform(0, 0.02))
            reasons = [
                {"Code": "None"}
                if kind == "Update" or self._holds(part)
                else {"Code": "ConditionalCheckFailed", "Item": self.items.get(key, {})}
                for key, (kind, part) in zip(keys, parts, strict=True)
            ]
            _refuse(reasons)
            for key, (kind, part) in zip(keys, parts, strict=True):
                self.items[key] = part["Item"] if kind == "Put" else _updated(self.items.get(key), part)
            self._done.add(ClientRequestToken)
            self.transactions += 1
        finally:
            self._held.difference_update(keys)
        return await self._go()

    async def batch_get_item(self, **request) -> dict:
        await self._come("BatchGetItem")
        [(table, wanted)] = request["RequestItems"].items()
        assert wanted["ConsistentRead"]
        keys = [key["key"]["S"] for key in wanted["Keys"]]
        return {"Responses": {table: [self.items[key] for key in keys if key in self.items]}}

    async def scan(self, **request) -> dict:
        await self._come("Scan")
        name, prefix = (
            request["ExpressionAttributeNames"]["#name"],
            request["ExpressionAttributeValues"][":prefix"]["S"],
        )
        found = [item for item in self.items.values() if name in item and item[name]["S"].startswith(prefix)]
        return {"Items": [{name: item[name]} for item in found]}

    async def _come(self, operation: str) -> None:
        await anyio.sleep(self._random.uniform(0, 0.02))
        if self._random.random() < self.faults.throttled:
            raise _error(operation, "ThrottlingException")
        if self._random.random() < self.faults.lost:
            raise ReadTimeoutError(endpoint_url="http://table")

    async def _go(self) -> dict:
        if self._random.random() < self.faults.answer_lost:
            raise ReadTimeoutError(endpoint_url="http://table")
        return {}

    def _holds(self, part) -> bool:
        item = self.items.get(part["Item"]["key"]["S"], {})
        return all(_true(one, item, part) for one in part["ConditionExpression"].split(" AND "))


def _true(condition: str, item, part) -> bool:
    names = part.get("ExpressionAttributeNames", {})
    if found := re.fullmatch(r"attribute_not_exists\((.+)\)", condition):
        return names.get(found[1], found[1]) not in item
    name, value = condition.split(" = ")
    return item.get(names.get(name, name)) == part["ExpressionAttributeValues"][value]


def _updated(item, part) -> dict:
    sets, adds = re.fullmatch(r"SET (\w+ = :\w+) ADD (.+)", part["UpdateExpression"]).groups()
    values = part["ExpressionAttributeValues"]
    name, value = sets.split(" = ")
    updated = {**(item or {}), **part["Key"], name: values[value]}
    for add in adds.split(", "):
        field, value = add.split(" ")
        field = part["ExpressionAttributeNames"][field]
        updated[field] = {"N": str(int(updated.get(field, {"N": "0"})["N"]) + int(values[value]["N"]))}
    return updated


def _refuse(reasons) -> None:
    if any(reason["Code"] != "None" for reason in reasons):
        raise _error("TransactWriteItems", "TransactionCanceledException", CancellationReasons=reasons)


def _error(operation: str, code: str, **more) -> ClientError:
    response = {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": 400}, **more}
    return ClientError(response, operation)
