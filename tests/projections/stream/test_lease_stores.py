"""What every lease store promises; the memory store and the DynamoDB store keep the same promises."""

import itertools
from collections.abc import AsyncIterator
from dataclasses import replace
from random import Random

import aiobotocore.session
import anyio
import pytest
from aiobotocore.config import AioConfig

from projections.stream import Gap, GapCause, Lease, LeaseLost, LeaseStore, LeaseStoreUnavailable, MemoryLeaseStore
from projections.stream.dynamo_leases import DynamoLeaseStore, to_item, to_lease
from tests.projections.stream.lease_model import Model
from tests.projections.stream.lease_state import NOBODY, Row, Shape

ROW = Lease(subscription="views", shard="shardId-1", stream="arn", parents=("shardId-0",), caught_up_to_ms=5)
FULL = Lease(
    subscription="views",
    shard="shardId-2",
    stream="arn",
    owner="task/1",
    counter=7,
    checkpoint="100000000000000000001",
    parents=("shardId-0", "shardId-1"),
    starting_sequence="1",
    caught_up_to_ms=1_800_000_000_000,
    gap=Gap(GapCause.TRIMMED, 1_799_999_700_000),
)
_tables = itertools.count()


@pytest.fixture(params=["memory", pytest.param("ministack", marks=pytest.mark.emulator)])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[LeaseStore]:
    if request.param == "memory":
        yield MemoryLeaseStore()
        return
    emulator = request.getfixturevalue("emulator")
    client_context = aiobotocore.session.get_session().create_client(
        "dynamodb",
        endpoint_url=emulator.endpoint_url,
        region_name="eu-west-1",
        aws_access_key_id="310000000001",
        aws_secret_access_key="test",
    )
    async with client_context as client:
        table = f"leases-{next(_tables)}"
        await client.create_table(
            TableName=table,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[
                {"AttributeName": "subscription", "AttributeType": "S"},
                {"AttributeName": "shard", "AttributeType": "S"},
            ],
            KeySchema=[
                {"AttributeName": "subscription", "KeyType": "HASH"},
                {"AttributeName": "shard", "KeyType": "RANGE"},
            ],
        )
        yield DynamoLeaseStore(client, table)


async def test_rows_come_back_as_they_were_stored_by_subscription(store: LeaseStore) -> None:
    """Every field, and no row of another subscription."""
    assert await store.create(ROW)
    assert await store.create(FULL)
    assert await store.create(replace(ROW, subscription="relay"))
    assert set(await store.rows("views")) == {ROW, FULL}
    assert await store.rows("nobody") == ()


async def test_a_row_is_created_once(store: LeaseStore) -> None:
    """The second creation changes nothing."""
    assert await store.create(ROW)
    assert not await store.create(replace(ROW, owner="task/2", counter=9))
    assert await store.rows("views") == (ROW,)


async def test_a_write_on_the_last_seen_row_succeeds_and_moves_it_on(store: LeaseStore) -> None:
    """Free to owned, owned to free."""
    await store.create(ROW)
    owned = replace(ROW, owner="task/1", counter=1)
    await store.replace(ROW, owned)
    free = replace(FULL, shard=ROW.shard, owner=None, counter=2)
    await store.replace(owned, free)
    assert await store.rows("views") == (free,)


@pytest.mark.parametrize(
    "stale",
    [
        replace(ROW, counter=0),
        replace(ROW, owner="task/1", counter=0),
        replace(ROW, owner="task/2", counter=1),
        replace(ROW, owner=None, counter=1),
    ],
    ids=["as it was", "older counter", "other owner", "freed meanwhile"],
)
async def test_a_stale_write_is_refused_and_shows_the_winner(store: LeaseStore, stale: Lease) -> None:
    """Owner and counter must both be the last seen ones: this fences every checkpoint."""
    winner = replace(ROW, owner="task/1", counter=1)
    await store.create(winner)
    with pytest.raises(LeaseLost) as lost:
        await store.replace(stale, replace(stale, checkpoint="9", counter=5))
    assert lost.value.winner == winner
    with pytest.raises(LeaseLost):
        await store.remove(stale)
    assert await store.rows("views") == (winner,)


async def test_a_write_of_a_row_that_is_gone_is_refused_without_a_winner(store: LeaseStore) -> None:
    """A deleted lease does not come back by a renewal."""
    for current in (ROW, FULL):
        with pytest.raises(LeaseLost) as lost:
            await store.replace(current, replace(current, counter=8))
        assert lost.value.winner is None
    assert await store.rows("views") == ()


async def test_a_write_that_had_already_happened_succeeds_again(store: LeaseStore) -> None:
    """Its answer was lost, and it is repeated."""
    await store.create(ROW)
    owned = replace(ROW, owner="task/1", counter=1)
    await store.replace(ROW, owned)
    await store.replace(ROW, owned)
    await store.remove(owned)
    await store.remove(owned)
    assert await store.rows("views") == ()


async def test_of_many_that_take_a_lease_at_once_one_succeeds(store: LeaseStore) -> None:
    """The condition and the write are one."""
    await store.create(ROW)
    winners: list[str] = []

    async def take(owner: str) -> None:
        try:
            await store.replace(ROW, replace(ROW, owner=owner, counter=1))
        except LeaseLost:
            return
        winners.append(owner)

    async with anyio.create_task_group() as tasks:
        for number in range(16):
            tasks.start_soon(take, f"task/{number}")
    assert len(winners) == 1
    (row,) = await store.rows("views")
    assert row.owner == winners[0]


@pytest.mark.parametrize("seed", range(5))
async def test_random_runs_of_the_searched_model_go_the_same_way_in_every_store(store: LeaseStore, seed: int) -> None:
    """What the model accepts the store accepts, what it refuses the store refuses, and the rows are the same after each step."""
    random = Random(seed)
    shape = Shape(parents=((), (0,)), records=(2, 1), letters=2)
    model = Model(shape, notes_writes=True)
    state = model.initial()
    accepted = 0
    for _ in range(200):
        steps = []
        model.writes.clear()
        for name, reached in model.steps(state):
            steps.append((name, reached, tuple(model.writes)))
            model.writes.clear()
        name, reached, writes = random.choice(steps)
        for shard, row in enumerate(reached.rows):
            if row is not None and state.rows[shard] is None:
                await store.create(model.lease(shard, Row(NOBODY, 0, 0)))
        for seen, updated, expected in writes:
            try:
                await store.replace(seen, updated)
            except LeaseLost:
                assert not expected, (seed, name, seen, updated)
            else:
                assert expected, (seed, name, seen, updated)
                accepted += 1
        for shard, row in enumerate(state.rows):
            if row is not None and reached.rows[shard] is None:
                await store.remove(model.lease(shard, row))
        expected_rows = {model.lease(shard, row) for shard, row in enumerate(reached.rows) if row is not None}
        assert set(await store.rows("views")) == expected_rows, (seed, name)
        state = reached
    assert accepted > 5, seed


def test_items_leave_out_what_is_not_there() -> None:
    """No NULL attributes, and a round trip keeps everything."""
    assert to_lease(to_item(FULL)) == FULL
    bare = Lease(subscription="a", shard="b", stream="c")
    assert set(to_item(bare)) == {"subscription", "shard", "stream", "counter", "checkpoint", "caught_up_to_ms"}
    assert to_lease(to_item(bare)) == bare


@pytest.mark.emulator
async def test_a_table_that_does_not_answer_as_it_should_is_unavailable(emulator) -> None:
    """Whatever goes wrong besides the condition, the caller sees one error of ours."""
    session = aiobotocore.session.get_session()
    keys = {"aws_access_key_id": "310000000001", "aws_secret_access_key": "test", "region_name": "eu-west-1"}
    for endpoint in (emulator.endpoint_url, "http://127.0.0.1:9"):
        config = AioConfig(retries={"total_max_attempts": 1})
        async with session.create_client("dynamodb", endpoint_url=endpoint, config=config, **keys) as client:
            store = DynamoLeaseStore(client, "no-such-table")
            with pytest.raises(LeaseStoreUnavailable):
                await store.rows("views")
            with pytest.raises(LeaseStoreUnavailable):
                await store.create(ROW)
