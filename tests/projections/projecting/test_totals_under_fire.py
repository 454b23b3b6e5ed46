"""Exactly once, whatever happens: projectors that race, repeat, are killed at any moment and lose answers leave the log's own totals."""

from dataclasses import replace
from random import Random

import anyio
import pytest
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.exceptions import ReadTimeoutError

from orderstore.store.memory import MemoryEventStore
from orderstore.store.trouble import Backoff
from projections.comparing.compare import compare
from projections.projecting import contributions
from projections.projecting.errors import ProjectionError
from projections.projecting.projector import ViewProjector
from projections.projecting.targets import Target
from projections.view_store import ViewStore, ViewStoreError, ViewStoreUnavailable
from projections.view_store.dynamo import DynamoViewStore
from projections.view_store.memory import MemoryViewStore
from projections.views import daily_figures
from tests.projections.bringing_up import bring_up_all
from tests.projections.faulty_table import Faults, FaultyTable
from tests.projections.histories import records_of
from tests.projections.sales import TARGET, counted_from, some_order, stored_totals
from tests.seeds import seeds
from tests.virtual_time import run_seeded

PROJECTORS = 8
SEEDS = seeds(1, (1, 2, 3))


class FaultyViews(MemoryViewStore):
    """Every write of a call lands by itself, with time between; calls fail before, between and after."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._random = Random(seed)

    async def get(self, keys):
        await anyio.sleep(self._random.uniform(0, 0.02))
        return await super().get(keys)

    async def write(self, writes):
        results = []
        for write in writes:
            await anyio.sleep(self._random.uniform(0, 0.002))
            if self._random.random() < 0.002:
                raise ViewStoreUnavailable("lost on the way")
            results += await super().write([write])
            if self._random.random() < 0.002:
                raise ViewStoreUnavailable("the answer was lost")
        return tuple(results)


async def race(
    store: MemoryEventStore,
    stores,
    commits,
    random: Random,
    *,
    kill: float,
    patience_s: float,
    targets=(TARGET,),
) -> int:
    """Eight projectors, each with everything in an order of its own, much of it twice; each is killed now and then, and begins anew with
    nothing remembered. Returns how many were killed."""
    killed = 0

    async def one(views: ViewStore, target: Target, mine) -> None:
        nonlocal killed
        projector = ViewProjector(store, views, [target])
        for start in range(0, len(mine), 60):
            for _ in range(200):
                dies_after_s = random.uniform(0, 0.2) if random.random() < kill else patience_s
                with anyio.move_on_after(dies_after_s) as scope:
                    try:
                        await projector.apply(records_of(mine[start : start + 60]))
                    except (ViewStoreError, ProjectionError):
                        continue
                if not scope.cancelled_caught:
                    break
                killed += 1
                projector = ViewProjector(store, views, [target])
            else:
                raise AssertionError("no progress")

    async with anyio.create_task_group() as tasks:
        for number, views in enumerate(stores):
            mine = [*commits, *random.sample(commits, k=len(commits) // 3)]
            if random.random() < 0.5:
                random.shuffle(mine)
            tasks.start_soon(one, views, targets[number % len(targets)], mine)
    return killed


async def assert_exact(store: MemoryEventStore, views: ViewStore, commits) -> None:
    assert await stored_totals(views) == counted_from(commits)
    report = await compare(store, views, [TARGET], looks_max=1)
    assert report.equal, (report.differences[:3], report.sums[:3])
    assert not report.moving


async def stored(commits) -> MemoryEventStore:
    store = MemoryEventStore()
    for commit in commits:
        await store.append(commit)
    return store


@pytest.mark.thorough
@pytest.mark.parametrize("seed", SEEDS)
def test_racing_projectors_that_fail_and_are_killed_count_each_commit_once(seed: int) -> None:
    """The projector over the reference store: 200 orders, eight at once."""
    print(f"seed {seed}")  # noqa: T201 - shown when it fails

    async def scenario() -> None:
        random = Random(seed)
        commits = [commit for index in range(200) for commit in some_order(index, random)]
        store, views = await stored(commits), FaultyViews(seed)
        killed = await race(store, [views] * PROJECTORS, commits, random, kill=0.5, patience_s=600)
        assert killed > 0
        await assert_exact(store, views, commits)

    run_seeded(seed, scenario)


@pytest.mark.thorough
@pytest.mark.parametrize("tokens", [True, False], ids=["tokens", "no tokens"])
@pytest.mark.parametrize("seed", SEEDS)
def test_the_same_through_transactions_that_time_out_and_meet_each_other(seed: int, tokens: bool) -> None:
    """The adapter over a table that throttles, loses requests, and loses the answers of what landed."""
    print(f"seed {seed}, tokens {tokens}")  # noqa: T201 - shown when it fails

    async def scenario() -> None:
        random = Random(seed)
        commits = [commit for index in range(200) for commit in some_order(index, random)]
        store = await stored(commits)
        table = FaultyTable(seed=seed, faults=Faults(throttled=0.05, lost=0.05, answer_lost=0.1), tokens=tokens)
        stores = [
            DynamoViewStore(
                table, table="views", random=Random(f"{seed} {number}"), backoff=Backoff(tries_max=6), batched=False
            )
            for number in range(PROJECTORS)
        ]
        killed = await race(store, stores, commits, random, kill=0.5, patience_s=600)
        assert killed > 0
        assert table.conflicts > PROJECTORS
        table.faults = Faults()
        await assert_exact(store, stores[0], commits)

    run_seeded(seed, scenario)


def by_month(view: daily_figures.Figures):
    sums: contributions.Amounts = {}
    for day, amounts in view.sales.days.items():
        contributions.add(sums, {f"{day[:7]}/{view.sales.currency}": {**amounts, "days": 1}})
    return sums


@pytest.mark.parametrize("seed", SEEDS)
def test_two_builds_that_count_differently_never_mix_their_figures(seed: int) -> None:
    """A roll-out: half the projectors have the next schema, which counts by month, and each folds anew what the others wrote."""
    print(f"seed {seed}")  # noqa: T201 - shown when it fails
    following = Target(replace(daily_figures.VIEW, schema=3, sums=by_month), TARGET.generation)

    async def scenario() -> None:
        random = Random(seed)
        commits = [commit for index in range(60) for commit in some_order(index, random)]
        store = await stored(commits)
        table = FaultyTable(seed=seed, faults=Faults(lost=0.02, answer_lost=0.05))
        stores = [
            DynamoViewStore(table, table="views", random=Random(f"{seed} {number}"), batched=False)
            for number in range(4)
        ]
        await race(store, stores, commits, random, kill=0.3, patience_s=600, targets=(TARGET, following))
        table.faults = Faults()

        for target in (following, TARGET, following):
            await bring_up_all(ViewProjector(store, stores[0], [target]))
            report = await compare(store, stores[0], [target], looks_max=1)
            assert report.equal, (report.differences[:3], report.sums[:3])
        assert {bucket[:7] for bucket in await stored_totals(stores[0])} == {"2026-03"}
        assert not any(len(bucket) > len("2026-03/EUR") for bucket in await stored_totals(stores[0]))

    run_seeded(seed, scenario)


class LosesAnswers:
    """A real client, some of whose answers never arrive."""

    def __init__(self, client, random: Random) -> None:
        self._client = client
        self._random = random
        self.lost = 0

    def __getattr__(self, name: str):
        method = getattr(self._client, name)
        if name not in ("transact_write_items", "batch_execute_statement"):
            return method

        async def call(**request):
            answer = await method(**request)
            if self._random.random() < 0.1:
                self.lost += 1
                raise ReadTimeoutError(endpoint_url="http://table")
            return answer

        return call


@pytest.mark.emulator
async def test_the_same_on_tables(environment) -> None:
    """Eight projectors with a client of their own, killed and repeated, on the embedded environment."""
    random = Random(7)
    commits = [commit for index in range(60) for commit in some_order(index, random)]
    store = await stored(commits)
    async with get_session().create_client(
        "dynamodb",
        endpoint_url=environment["ORDERSTORE_AWS_ENDPOINT_URL"],
        region_name=environment["ORDERSTORE_AWS_REGION"],
        aws_access_key_id=environment["ORDERSTORE_AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["ORDERSTORE_AWS_SECRET_ACCESS_KEY"],
        config=AioConfig(max_pool_connections=64, retries={"total_max_attempts": 1}),
    ) as client:
        table = f"{environment['ORDERSTORE_RESOURCE_PREFIX']}-views"
        clients = [LosesAnswers(client, Random(number)) for number in range(PROJECTORS)]
        stores = [
            DynamoViewStore(one, table=table, random=Random(f"tables {number}"), backoff=Backoff(base_s=0.01))
            for number, one in enumerate(clients)
        ]
        await race(store, stores, commits, random, kill=0.2, patience_s=60)
        assert sum(one.lost for one in clients) > 0
        await assert_exact(store, DynamoViewStore(client, table=table, random=Random("last")), commits)
