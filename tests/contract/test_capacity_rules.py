"""The meter's rules beside what AWS's own DynamoDB Local says that a call has consumed."""

from collections.abc import Iterator, Mapping
from typing import Any

import botocore.session
import pytest
from botocore.config import Config

from tests.cost import capacity
from tests.cost.looking import SecondLook

pytestmark = pytest.mark.dynamodb_local

TABLE = "capacity"
KEY = {"key": {"S": "a"}}
LARGE = {**KEY, "list": {"S": "A"}, "filling": {"B": bytes(1500)}}
SMALL = {**KEY, "list": {"S": "A"}, "filling": {"B": bytes(15)}}
PUT_LARGE = {"TableName": TABLE, "Item": LARGE}
MOVED = {**LARGE, "list": {"S": "B"}}
UNLISTED = {**KEY, "filling": {"B": bytes(15)}}


@pytest.fixture
def client(dynamodb_local_url: str) -> Iterator[Any]:
    """A table with an index on `list`, of nobody else."""
    made = botocore.session.Session().create_client(
        "dynamodb",
        endpoint_url=dynamodb_local_url,
        region_name="eu-west-1",
        aws_access_key_id="capacity",
        aws_secret_access_key="s",
        config=Config(proxies={}),
    )
    made.create_table(
        TableName=TABLE,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("key", "list")],
        KeySchema=[{"AttributeName": "key", "KeyType": "HASH"}],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by_list",
                "KeySchema": [{"AttributeName": "list", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
    )
    yield made
    made.delete_table(TableName=TABLE)
    made.close()


def reckoned(client: Any, method: str, operation: str, request: Mapping[str, Any]) -> tuple[float, float]:
    """What the meter reckons and what the answer says, indexes included."""
    look = SecondLook(client)
    found = capacity.targets(operation, request, look)
    before = [look.item(target.table, target.key) for target in found]
    answer = getattr(client, method)(**request, ReturnConsumedCapacity="INDEXES")
    after = [look.item(target.table, target.key) for target in found]
    units = capacity.written_by(found, before, after, look) or capacity.read_by(operation, request, answer, look)
    said = answer["ConsumedCapacity"]
    told = sum(one["CapacityUnits"] for one in (said if isinstance(said, list) else [said]))
    return sum(unit.write + unit.index + unit.read for unit in units), told


@pytest.mark.parametrize(
    ("standing", "item"),
    [
        (None, LARGE),
        (None, UNLISTED),
        (LARGE, LARGE),
        (LARGE, SMALL),
        (SMALL, LARGE),
        (LARGE, MOVED),
        (LARGE, UNLISTED),
    ],
    ids=["new and listed", "new, not listed", "as it was", "smaller", "larger", "moved", "taken off the list"],
)
def test_a_put_consumes_what_the_rules_say(
    client: Any, standing: Mapping[str, Any] | None, item: Mapping[str, Any]
) -> None:
    """The larger of the two, and what the index takes."""
    if standing is not None:
        client.put_item(TableName=TABLE, Item=standing)
    ours, theirs = reckoned(client, "put_item", "PutItem", {"TableName": TABLE, "Item": item})
    assert ours == theirs


def test_an_update_and_a_delete_consume_what_the_rules_say(client: Any) -> None:
    """By the whole item, however little they say of it. (Of statements DynamoDB Local says nothing.)"""
    client.put_item(**PUT_LARGE)
    update = {
        "TableName": TABLE,
        "Key": KEY,
        "UpdateExpression": "SET more = :more",
        "ExpressionAttributeValues": {":more": {"S": "m"}},
    }
    assert len(set(reckoned(client, "update_item", "UpdateItem", update))) == 1
    assert len(set(reckoned(client, "delete_item", "DeleteItem", {"TableName": TABLE, "Key": KEY}))) == 1


def test_a_transaction_consumes_what_the_rules_say(client: Any) -> None:
    """Double, and so does what it does to an index, of which the pages say nothing."""
    request = {"TransactItems": [{"Put": {"TableName": TABLE, "Item": UNLISTED}}]}
    ours, theirs = reckoned(client, "transact_write_items", "TransactWriteItems", request)
    assert ours == theirs == 2
    listed = {"TransactItems": [{"Put": {"TableName": TABLE, "Item": LARGE}}]}
    ours, theirs = reckoned(client, "transact_write_items", "TransactWriteItems", listed)
    assert ours == theirs


@pytest.mark.parametrize("consistent", [True, False])
@pytest.mark.parametrize("key", ["a", "nobody"])
def test_reads_consume_what_the_rules_say(client: Any, key: str, consistent: bool) -> None:
    """By size and consistency, also of what is not there."""
    client.put_item(TableName=TABLE, Item={**KEY, "filling": {"B": bytes(6000)}})
    one = {"TableName": TABLE, "Key": {"key": {"S": key}}, "ConsistentRead": consistent}
    ours, theirs = reckoned(client, "get_item", "GetItem", one)
    assert ours == theirs
    keys = {"Keys": [{"key": {"S": key}}, {"key": {"S": "neither"}}], "ConsistentRead": consistent}
    ours, theirs = reckoned(client, "batch_get_item", "BatchGetItem", {"RequestItems": {TABLE: keys}})
    missing = 1 if key == "a" else 2
    # Here it forgets keys that are not there; AWS's page has each read of a batch cost what it would alone.
    assert ours == theirs + missing * (1 if consistent else 0.5)
    query = {
        "TableName": TABLE,
        "KeyConditionExpression": "#key = :key",
        "ExpressionAttributeNames": {"#key": "key"},
        "ExpressionAttributeValues": {":key": {"S": key}},
        "ConsistentRead": consistent,
        "ProjectionExpression": "#key",
    }
    ours, theirs = reckoned(client, "query", "Query", query)
    # And of a query that finds nothing it says nothing; AWS's page: "you'll still be charged additional read throughput".
    least = 1 if consistent else 0.5
    assert ours == (theirs if key == "a" else theirs + least)
