"""A table on DynamoDB with global secondary indexes, which are read eventually consistent: there is no other way."""

from typing import Any

from workers.tables.attributes import decode_item, encode, encode_item
from workers.tables.dynamo import DynamoTable
from workers.tables.port import Found, Index, IndexedTable, Item


class IndexedDynamoTable(DynamoTable, IndexedTable):
    """See `DynamoTable` for what is tried again."""

    async def query(
        self,
        index: Index,
        partition: str,
        *,
        first: int | None = None,
        last: int | None = None,
        limit: int,
        after: Item | None = None,
        descending: bool = False,
    ) -> Found:
        """See `IndexedTable.query`."""
        condition = "#partition = :partition"
        names = {"#partition": index.partition}
        values: dict[str, Any] = {":partition": encode(partition)}
        if first is not None or last is not None:
            names["#sort"] = index.sort
        if first is not None:
            values[":first"] = encode(first)
        if last is not None:
            values[":last"] = encode(last)
        if first is not None and last is not None:
            if first > last:
                return Found(items=(), after=None)  # BETWEEN refuses it
            condition += " AND #sort BETWEEN :first AND :last"
        elif first is not None:
            condition += " AND #sort >= :first"
        elif last is not None:
            condition += " AND #sort <= :last"
        request: dict[str, Any] = {
            "TableName": self._name,
            "IndexName": index.name,
            "KeyConditionExpression": condition,
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": values,
            "ScanIndexForward": not descending,
            "Limit": limit,
        }
        if after is not None:
            request["ExclusiveStartKey"] = encode_item(after)
        answer = await self._call("Query", self._client.query, request)
        left = answer.get("LastEvaluatedKey")
        return Found(
            items=tuple(decode_item(item) for item in answer["Items"]),
            after=None if left is None else decode_item(left),
        )
