"""The requests to DynamoDB, as plain data. Pure, like `items.py`.

`stream` and `commit` are reserved words in expressions, hence `#stream` and `#commit`. Reads are strongly consistent, all of them.
"""

import hashlib
from typing import Any, Final

from orderstore.store.items import Item, Request, check_taken
from orderstore.store.port import Commit

# Prevents the one race there is: two writers that both loaded commit n - 1 and both write n. The key is (stream, commit), so the
# condition reads "no item has this stream *and this number*". With ALL_OLD the loser is told who won, at no read.
_IS_FREE: Final = "attribute_not_exists(#stream)"


def put(table: str, item: Item) -> Request:
    """Store a commit if its number is free."""
    return {
        "TableName": table,
        "Item": item,
        "ConditionExpression": _IS_FREE,
        "ExpressionAttributeNames": {"#stream": "stream"},
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }


def query(
    table: str, stream: str, *, after: int | None, start: Item | None, limit: int | None = None, lean: bool = False
) -> Request:
    """Read a page of the commits above `after`, in order, at most `limit`; None: of everything under the stream, whatever its number.

    `lean` leaves out the name and the link to the commit before, for a reader who has both (`items.chained`): the client's parser is the
    dearest part of a read, and its cost goes by the attribute.
    """
    request: Request = {
        "TableName": table,
        "KeyConditionExpression": "#stream = :stream",
        "ExpressionAttributeNames": {"#stream": "stream"},
        "ExpressionAttributeValues": {":stream": {"S": stream}},
        "ConsistentRead": True,
    }
    if after is not None:
        request["KeyConditionExpression"] += " AND #commit > :after"
        request["ExpressionAttributeNames"]["#commit"] = "commit"
        request["ExpressionAttributeValues"][":after"] = {"N": str(after)}
    if limit is not None:
        request["Limit"] = limit
    if lean:
        request["ProjectionExpression"] = "#commit, recorded_at, #encoding, #body, #blob, #hash"
        for name in ("commit", "encoding", "body", "blob", "hash"):
            request["ExpressionAttributeNames"][f"#{name}"] = name
    return _from(request, start)


def get_commit(table: str, stream: str, number: int) -> Request:
    """Read one commit."""
    return {
        "TableName": table,
        "Key": {"stream": {"S": stream}, "commit": {"N": str(number)}},
        "ConsistentRead": True,
    }


def scan_streams(table: str, *, recorded_since_ms: int | None, start: Item | None) -> Request:
    """Read a page of the names of streams, one per commit (recorded at or after that time)."""
    request: Request = {
        "TableName": table,
        "ProjectionExpression": "#stream",
        "ExpressionAttributeNames": {"#stream": "stream"},
        "ConsistentRead": True,
    }
    if recorded_since_ms is not None:
        request["FilterExpression"] = "recorded_at >= :since"
        request["ExpressionAttributeValues"] = {":since": {"N": str(recorded_since_ms)}}
    return _from(request, start)


def scan_commits(table: str, *, segment: int, of: int, start: Item | None) -> Request:
    """Read a page of whole commits of one segment, and say what that consumed."""
    request: Request = {
        "TableName": table,
        "Segment": segment,
        "TotalSegments": of,
        "ConsistentRead": True,
        "ReturnConsumedCapacity": "TOTAL",
    }
    return _from(request, start)


def _from(request: Request, start: Item | None) -> Request:
    return request if start is None else {**request, "ExclusiveStartKey": start}


def get_counter(table: str, name: str) -> Request:
    """Read a counter."""
    return {"TableName": table, "Key": {"series": {"S": name}}, "ConsistentRead": True}


def transact(table: str, item: Item, *, counters_table: str, counter: str, taken: int, commit: Commit) -> Request:
    """Store a commit if its number is free, and move the counter if it is at `taken - 1`: both or neither."""
    check_taken(taken)
    values: dict[str, Any] = {":taken": {"N": str(taken)}}
    if taken == 1:
        condition = "attribute_not_exists(series)"
    else:
        condition = "taken = :before"
        values[":before"] = {"N": str(taken - 1)}
    move = {
        "TableName": counters_table,
        "Key": {"series": {"S": counter}},
        "UpdateExpression": "SET taken = :taken",
        "ConditionExpression": condition,
        "ExpressionAttributeValues": values,
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }
    return {
        "TransactItems": [{"Put": put(table, item)}, {"Update": move}],
        "ClientRequestToken": _token(commit, counter, taken),
    }


def _token(commit: Commit, counter: str, taken: int) -> str:
    """The same transaction has the same token, so that DynamoDB itself drops a repeat (for 10 minutes; the conditions do for ever)."""
    return hashlib.sha256(commit.hash + f"{counter}\n{taken}".encode()).hexdigest()[:32]
