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
from orderstore.privacy.keys import CachedKeyRing, KeyErased, KeyRing, KeyUnusable
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
    clock = itertools.count(1_700_000_000_000)
    if kind == "memory":
        yield Ring(MemoryKeyRing(os.urandom, now_ms=lambda: next(clock)))
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
            now_ms=lambda: next(clock),
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


OPERATIONAL, FISCAL = "customer:c-1", "fiscal:2026:customer:c-1"


@everywhere
async def test_the_two_classes_are_two_keys_and_each_is_destroyed_on_its_own(keys: Ring) -> None:
    """What the law keeps outlives what is erased on request, and ends without it."""
    assert await keys.ring.key_for(OPERATIONAL) != await keys.ring.key_for(FISCAL)

    await keys.ring.erase(OPERATIONAL)
    assert await keys.ring.existing(FISCAL)
    with pytest.raises(KeyErased):
        await keys.ring.existing(OPERATIONAL)

    await keys.ring.erase(FISCAL)
    for subject in (OPERATIONAL, FISCAL):
        with pytest.raises(KeyErased):
            await keys.ring.key_for(subject)


@everywhere
async def test_the_first_destruction_is_the_one_that_counts(keys: Ring) -> None:
    """A certificate tells when it was, also when the erasure was run again."""
    await keys.ring.key_for(OPERATIONAL)

    first = await keys.ring.erase(OPERATIONAL)

    assert first >= 1_700_000_000_000
    assert await keys.ring.erase(OPERATIONAL) == first
    assert await keys.ring.erase("customer:another") > first


@everywhere
async def test_the_subjects_of_a_class_are_those_whose_key_still_is(keys: Ring) -> None:
    """All of them, over as many pages as it takes; the erased, and those who never had one, are not among them."""
    fiscal = [f"fiscal:{year}:customer:{name}" for year in (2015, 2026) for name in ("a", "b", "customer:c")]
    for subject in (*fiscal, OPERATIONAL, "guest:o-1", "customer:fiscal:2015:customer:x"):
        await keys.ring.key_for(subject)
    await keys.ring.erase(fiscal[0])
    await keys.ring.erase("fiscal:2015:customer:never")

    assert sorted([subject async for subject in keys.ring.subjects("fiscal")]) == sorted(fiscal[1:])
    assert sorted([subject async for subject in keys.ring.subjects("operational")]) == [
        OPERATIONAL,
        "customer:fiscal:2015:customer:x",
        "guest:o-1",
    ]


@everywhere
async def test_a_cache_before_the_ring_is_a_ring(keys: Ring) -> None:
    """It forgets what it erases at once, and lists what the ring lists."""
    cached = CachedKeyRing(keys.ring)
    key = await cached.key_for(FISCAL)

    assert await cached.existing(FISCAL) == await keys.ring.existing(FISCAL) == key
    assert [subject async for subject in cached.subjects("fiscal")] == [FISCAL]
    await cached.erase(FISCAL)
    with pytest.raises(KeyErased):
        await cached.existing(FISCAL)
    assert [subject async for subject in cached.subjects("fiscal")] == []


@over_a_wire
async def test_many_pages_of_subjects_are_all_read(keys: Ring) -> None:
    """The table answers a page at a time."""
    assert keys.wire is not None
    wanted = {f"fiscal:2026:customer:{number}" for number in range(7)}
    for subject in wanted:
        await keys.ring.key_for(subject)
    honest = keys.raw.scan

    async def two_at_a_time(**request: Any) -> Any:
        return await honest(**request, Limit=2)

    keys.wire.scan = two_at_a_time  # type: ignore[attr-defined]  # shadows the client's method

    assert {subject async for subject in keys.ring.subjects("fiscal")} == wanted


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
@pytest.mark.parametrize(("subject", "key_class"), [(OPERATIONAL, "operational"), (FISCAL, "fiscal")])
async def test_the_table_holds_no_key_that_can_be_used(keys: Ring, subject: str, key_class: str) -> None:
    """What is stored is wrapped, under its class; after an erasure nothing of it is left but the sign."""
    key = await keys.ring.key_for(subject)
    row = (await keys.raw.get_item(TableName=keys.table, Key={"subject": {"S": subject}}))["Item"]

    assert key not in row["wrapped"]["B"]
    assert row["key_class"] == {"S": key_class}
    await keys.ring.erase(subject)
    row = (await keys.raw.get_item(TableName=keys.table, Key={"subject": {"S": subject}}))["Item"]
    assert "wrapped" not in row
    assert set(row) >= {"subject", "key_class", "erased_at"}
    assert row["key_class"] == {"S": key_class}


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
