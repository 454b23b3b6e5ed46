"""One suite for every key ring: memory, and KMS with DynamoDB as moto and the embedded environment play them."""

import itertools
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from random import Random
from typing import Any

import anyio
import pytest
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session

from orderstore.privacy.dynamo_keys import DynamoKeyRing
from orderstore.privacy.keys import KeyErased, KeyRing, KeyUnusable
from orderstore.privacy.memory_keys import MemoryKeyRing
from orderstore.store.errors import Throttled
from tests.contract.event_logs import QUICK, Wire, refusal, time_out

MEMORY = pytest.param("memory")
MOTO = pytest.param("moto", marks=pytest.mark.moto)
EMULATOR = pytest.param("ministack", marks=pytest.mark.emulator)
everywhere = pytest.mark.parametrize("kind", [MEMORY, MOTO, EMULATOR])
over_a_wire = pytest.mark.parametrize("kind", [MOTO, EMULATOR])
_names = itertools.count(1)


@dataclass
class Ring:
    ring: KeyRing
    wire: Wire | None = None
    raw: Any = None
    table: str = ""


@pytest.fixture
async def keys(kind: str, request: pytest.FixtureRequest) -> AsyncIterator[Ring]:
    if kind == "memory":
        yield Ring(MemoryKeyRing(os.urandom))
        return
    url = request.getfixturevalue("moto_url") if kind == "moto" else request.getfixturevalue("emulator").endpoint_url
    table = f"contract-privacy-keys-{next(_names)}"
    options: dict[str, Any] = {
        "endpoint_url": url,
        "region_name": "eu-west-1",
        "aws_access_key_id": "320000000001",
        "aws_secret_access_key": "secret",
        "config": AioConfig(retries={"total_max_attempts": 1}, max_pool_connections=64),
    }
    session = get_session()
    async with session.create_client("dynamodb", **options) as dynamodb, session.create_client("kms", **options) as kms:
        await dynamodb.create_table(
            TableName=table,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "subject", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "subject", "KeyType": "HASH"}],
        )
        master = (await kms.create_key())["KeyMetadata"]["KeyId"]
        wire = Wire(dynamodb)
        ring = DynamoKeyRing(
            wire,  # type: ignore[arg-type]  # it has the client's methods, at run time
            kms,
            table=table,
            kms_key_id=master,
            now_ms=lambda: 1_700_000_000_000,
            random=Random(1),
            backoff=QUICK,
        )
        yield Ring(ring, wire, dynamodb, table)
        await dynamodb.delete_table(TableName=table)


@everywhere
async def test_a_subject_has_one_key_for_ever(keys: Ring) -> None:
    """Made on first use, the same afterwards, and another subject's is another."""
    key = await keys.ring.key_for("customer-1")

    assert len(key) == 32
    assert await keys.ring.key_for("customer-1") == key
    assert await keys.ring.existing("customer-1") == key
    assert await keys.ring.key_for("customer-2") != key


@everywhere
async def test_of_32_that_make_a_key_at_once_all_get_the_winners(keys: Ring) -> None:
    """Nobody seals with a key that was not kept."""
    made: list[bytes] = []

    async def make() -> None:
        made.append(await keys.ring.key_for("customer-1"))

    async with anyio.create_task_group() as makers:
        for _ in range(32):
            makers.start_soon(make)

    assert len(made) == 32
    assert set(made) == {await keys.ring.existing("customer-1")}


@everywhere
async def test_an_erased_key_is_gone_for_ever(keys: Ring) -> None:
    """It is not made anew, also when there never was one; erasing twice is erasing once."""
    await keys.ring.key_for("customer-1")

    for subject in ("customer-1", "customer-1", "never seen"):
        await keys.ring.erase(subject)

    for subject in ("customer-1", "never seen"):
        with pytest.raises(KeyErased):
            await keys.ring.key_for(subject)
        with pytest.raises(KeyErased):
            await keys.ring.existing(subject)


@everywhere
async def test_a_subject_without_a_key_has_none_to_read_with(keys: Ring) -> None:
    """Reading makes no key."""
    with pytest.raises(KeyErased):
        await keys.ring.existing("nobody")
    with pytest.raises(KeyErased):
        await keys.ring.existing("nobody")


@everywhere
async def test_a_key_without_a_subject_cannot_be(keys: Ring) -> None:
    """An empty name would be everybody's."""
    for subject in ("", "x" * 1_025):
        with pytest.raises(ValueError, match="subject"):
            await keys.ring.key_for(subject)


@over_a_wire
async def test_the_table_holds_no_key_that_can_be_used(keys: Ring) -> None:
    """What is stored is wrapped; after an erasure nothing of it is left but the sign."""
    key = await keys.ring.key_for("customer-1")
    row = (await keys.raw.get_item(TableName=keys.table, Key={"subject": {"S": "customer-1"}}))["Item"]

    assert key not in row["wrapped"]["B"]
    assert row["key_class"] == {"S": "operational"}
    await keys.ring.erase("customer-1")
    row = (await keys.raw.get_item(TableName=keys.table, Key={"subject": {"S": "customer-1"}}))["Item"]
    assert "wrapped" not in row
    assert set(row) >= {"subject", "key_class", "erased_at"}


@over_a_wire
async def test_a_wrapped_key_moved_to_another_subject_does_not_unwrap(keys: Ring) -> None:
    """KMS binds it to its subject: whoever can write to the table still cannot read another's data."""
    await keys.ring.key_for("customer-1")
    row = (await keys.raw.get_item(TableName=keys.table, Key={"subject": {"S": "customer-1"}}))["Item"]
    await keys.raw.put_item(TableName=keys.table, Item={**row, "subject": {"S": "customer-2"}})

    with pytest.raises(KeyUnusable):
        await keys.ring.existing("customer-2")


@over_a_wire
@pytest.mark.parametrize("landed", [True, False], ids=["landed", "lost"])
async def test_a_time_out_while_a_key_is_kept_leaves_one_key(keys: Ring, *, landed: bool) -> None:
    """Whether it landed or not, the key returned is the key kept."""
    assert keys.wire is not None
    (keys.wire.fail_after if landed else keys.wire.fail_before)("put_item", time_out())

    key = await keys.ring.key_for("customer-1")

    assert await keys.ring.existing("customer-1") == key


@over_a_wire
async def test_a_key_is_not_lost_to_throttling(keys: Ring) -> None:
    """Trouble with the table is not an erased key."""
    assert keys.wire is not None
    key = await keys.ring.key_for("customer-1")
    keys.wire.fail_before("get_item", *(refusal("ThrottlingException") for _ in range(QUICK.tries_max)))

    with pytest.raises(Throttled):
        await keys.ring.existing("customer-1")

    assert await keys.ring.existing("customer-1") == key
