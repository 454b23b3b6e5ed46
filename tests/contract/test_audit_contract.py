"""The verifier over real tables: what is done to an item behind the store's back is found, and named."""

import random
from collections.abc import AsyncIterator
from typing import Any

import pytest

from orderstore.audit.findings import Finding, Reason
from orderstore.audit.verify import verify_all
from orderstore.store import items
from orderstore.store.dynamo import DynamoEventStore
from tests.contract.event_logs import EVENTS, Log, chain_of, dynamo_log

ORDERS = [f"shop/order-{n}" for n in range(8)]
VICTIM = ORDERS[5]
KEY = {"stream": {"S": VICTIM}, "commit": {"N": "2"}}
over_a_wire = pytest.mark.parametrize(
    "kind",
    [pytest.param("moto", marks=pytest.mark.moto), pytest.param("ministack", marks=pytest.mark.emulator)],
)


@pytest.fixture
async def log(kind: str, request: pytest.FixtureRequest) -> AsyncIterator[Log]:
    """Eight orders of four commits; one body lies in an object."""
    url = request.getfixturevalue("moto_url") if kind == "moto" else request.getfixturevalue("emulator").endpoint_url
    async with dynamo_log(url, kind) as opened:
        for stream in ORDERS:
            for commit in chain_of(stream, b"1", b"2", b"3", random.Random(1).randbytes(310_000)):
                await opened.store.append(commit)
        yield opened


async def findings(log: Log) -> list[Finding]:
    assert isinstance(log.store, DynamoEventStore)
    results = [result async for result in verify_all(log.store)]
    assert {result.stream for result in results} == set(ORDERS)
    return [finding for result in results for finding in result.findings]


async def change(log: Log, attribute: str, value: dict[str, Any]) -> None:
    await log.raw.update_item(
        TableName=EVENTS,
        Key=KEY,
        UpdateExpression="SET #changed = :value",
        ExpressionAttributeNames={"#changed": attribute},
        ExpressionAttributeValues={":value": value},
    )


@over_a_wire
async def test_an_untouched_table_is_clean(log: Log) -> None:
    """No false alarm, bodies in objects included."""
    assert await findings(log) == []


@over_a_wire
@pytest.mark.parametrize(
    ("attribute", "value", "reason"),
    [
        ("body", {"B": b"two"}, Reason.HASH_MISMATCH),
        ("recorded_at", {"N": "1"}, Reason.HASH_MISMATCH),
        ("hash", {"B": bytes(32)}, Reason.HASH_MISMATCH),
        ("encoding", {"S": "json+zstd"}, Reason.UNDECODABLE),
        ("body", {"S": "two"}, Reason.UNDECODABLE),
        ("hash", {"B": b"short"}, Reason.UNDECODABLE),
        ("blob", {"S": "commits/" + "0" * 64}, Reason.UNDECODABLE),
    ],
)
async def test_a_changed_attribute_is_one_finding(
    log: Log, attribute: str, value: dict[str, Any], reason: Reason
) -> None:
    """The very commit, and no other."""
    await change(log, attribute, value)

    (finding,) = await findings(log)

    assert (finding.stream, finding.commit, finding.reason) == (VICTIM, 2, reason)


@over_a_wire
@pytest.mark.parametrize(("number", "reason"), [(1, Reason.FIRST_COMMIT_MISSING), (2, Reason.MISSING_COMMIT)])
async def test_a_deleted_item_is_one_finding(log: Log, number: int, reason: Reason) -> None:
    """Also the first: an order without a beginning is still found."""
    await log.raw.delete_item(TableName=EVENTS, Key={**KEY, "commit": {"N": str(number)}})

    (finding,) = await findings(log)

    assert (finding.stream, finding.commit, finding.reason) == (VICTIM, number, reason)


@over_a_wire
@pytest.mark.parametrize("number", ["0", "-3", "1.5"])
async def test_an_item_under_an_impossible_number_is_found(log: Log, number: str) -> None:
    """It is outside what the store reads from 1 on, and found all the same."""
    item = items.encode(chain_of(VICTIM, b"extra")[0]).item
    await log.raw.put_item(TableName=EVENTS, Item={**item, "commit": {"N": number}})

    (finding,) = await findings(log)

    assert (finding.stream, finding.reason) == (VICTIM, Reason.UNDECODABLE)


@over_a_wire
async def test_two_orders_whose_items_were_swapped_are_both_named(log: Log) -> None:
    """Everything but the key changes places, hashes included."""
    other = ORDERS[6]
    pair = [
        (await log.raw.get_item(TableName=EVENTS, Key={"stream": {"S": stream}, "commit": {"N": "2"}}))["Item"]
        for stream in (VICTIM, other)
    ]
    for item, stream in zip(pair, (other, VICTIM), strict=True):
        await log.raw.put_item(TableName=EVENTS, Item={**item, "stream": {"S": stream}})

    found = {(finding.stream, finding.commit, finding.reason) for finding in await findings(log)}

    assert found == {(VICTIM, 2, Reason.HASH_MISMATCH), (other, 2, Reason.HASH_MISMATCH)}
