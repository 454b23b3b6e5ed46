"""Rebuilds over real tables: beside orders that flow, seen by readers, by the commands; and what they ask of AWS."""

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio import to_thread

from orderstore.archive.positions import MemoryPositions
from orderstore.archive.writer import Archiver
from projections.comparing.compare import compare
from projections.projecting.projector import ViewProjector
from projections.projecting.targets import LiveTargets, Target
from projections.rebuild.dynamo_book import DynamoRebuildBook
from projections.rebuild.runner import Rebuilder, Wanted
from projections.rebuild.switching import discard, switch
from projections.views import VIEWS
from projections.views.view import Generation, Generations
from tests import commands
from tests.e2e import programs
from tests.e2e.programs import Finished
from tests.projections.bringing_up import bring_up_all
from tests.projections.histories import TENANT, happy_commits, order_number, records_of
from workers.core import Core, now_ms, open_core
from workers.metrics.table import Metrics
from workers.settings import from_environment

pytestmark = pytest.mark.emulator
BY_NAME = {view.name: view for view in VIEWS}
STATUS = BY_NAME["order_status"]
READS = {"GetItem", "BatchGetItem", "Query", "Scan", "GetObject", "ListObjectsV2"}
VIEW_WRITES = {"PutItem", "BatchExecuteStatement", "TransactWriteItems", "BatchWriteItem", "UpdateItem"}
Run = Callable[..., Awaitable[Finished]]


@pytest.fixture
async def core(environment: dict[str, str]) -> AsyncIterator[Core]:
    async with open_core(from_environment(environment), Metrics()) as opened:
        yield opened


@pytest.fixture
def run(environment: dict[str, str], tmp_path: Path) -> Run:
    """A command of `orderstore views`; `code` is what it must end with."""

    async def command(*arguments: str, code: int = 0) -> Finished:
        # What runs for long listens to signals, which only a process of its own can.
        orderstore = programs.orderstore if arguments[0] in ("rebuild", "discard") else commands.orderstore
        call = partial(orderstore, "views", *arguments, cwd=tmp_path, variables=environment)
        done: Finished = await to_thread.run_sync(call)
        assert done.code == code, done.said
        return done

    return command


def rebuilder(core: Core, **changes: Any) -> Rebuilder:
    return Rebuilder(
        log=core.store,
        views=core.views,
        book=book(core),
        archive=core.objects,
        owner="test",
        now_ms=now_ms,
        settle_s=changes.pop("settle_s", 4.2),
        **changes,
    )


def book(core: Core) -> DynamoRebuildBook:
    return DynamoRebuildBook(core.clients.dynamodb, table=core.settings.table("views"), random=core.random)


async def fill(core: Core, orders: range, projector: ViewProjector | None = None) -> None:
    for index in orders:
        commits = happy_commits(order_number(index))
        for commit in commits:
            await core.store.append(commit)
        if projector is not None:
            await projector.apply(records_of(commits))


async def assert_equal(core: Core, view: Any, number: int) -> None:
    target = Target(view, Generation(view.name, number))
    report = await compare(core.store, core.views, [target], looks_max=3, look_again_after_s=0.05)
    assert report.equal, (report.differences[:3], report.sums[:3])
    assert report.orders


@pytest.mark.parametrize("name", ["order_status", "daily_sales"])
async def test_while_orders_flow_readers_never_miss_one_there_and_back(core: Core, name: str) -> None:
    """Fill, compare, switch, back, discard, beside a projector that writes and a reader who looks all the time."""
    view = BY_NAME[name]
    projector = ViewProjector(core.store, core.views, LiveTargets(core.views, VIEWS))
    await fill(core, range(60), projector)
    looks, flowed = Counter[str](), [60]
    keys = [(TENANT, order_number(index)) for index in range(60)]

    async def read() -> None:
        while True:
            current = (await core.views.generations([view.name]))[view.name].current
            of = Generation(view.name, current)
            found = await core.views.get([of.key(*key) for key in keys])
            looks[f"generation {current}"] += 1
            assert len(found) == len(keys), f"generation {current} lacks {len(keys) - len(found)}"
            await anyio.sleep(0.02)

    async def flow() -> None:
        while True:
            await fill(core, range(flowed[0], flowed[0] + 1), projector)
            flowed[0] += 1

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(read)
        tasks.start_soon(flow)
        row = await rebuilder(core).run(view, Wanted(segments=3))
        assert row.state == "switched"
        assert row.orders >= 60
        for to in (1, 2):
            await anyio.sleep(0.3)
            await switch(core.views, book(core), view.name, to=to, now_ms=now_ms)
        await anyio.sleep(0.3)
        tasks.cancel_scope.cancel()

    assert set(looks) == {"generation 1", "generation 2"}
    await bring_up_all(projector)  # the last order was cut off
    for number in (1, 2):
        await assert_equal(core, view, number)
    options = {"owner": "test", "now_ms": now_ms, "settle_s": 0.1, "readers_forget_s": 0.1}
    assert await discard(core.views, book(core), view.name, **options) >= 60
    assert (await core.views.generations([view.name]))[view.name] == Generations(current=2)
    assert [key async for key in core.views.keys(f"g1/{view.name}/")] == []
    assert await core.views.totals([name async for name in core.views.sum_keys(f"g1/{view.name}#")]) == {}
    await assert_equal(core, view, 2)


@pytest.mark.parametrize("source", ["log", "archive"])
async def test_a_rebuild_publishes_nothing_mails_nothing_and_asks_no_provider(core: Core, source: str) -> None:
    """Every call that leaves the process, of every client, by service and name: reads, and writes of the table of views."""  # E125, D06
    projector = ViewProjector(core.store, core.views, LiveTargets(core.views, VIEWS))
    await fill(core, range(30), projector)
    if source == "archive":
        archiver = Archiver(core.store, core.objects, MemoryPositions(), now_ms=now_ms, random=core.random)
        await archiver.archive({f"{TENANT}/order-{order_number(index)}": None for index in range(25)})
    asked: Counter[str] = Counter()
    written: set[str] = set()

    def note(model: Any, params: Any, **_: Any) -> None:
        asked[f"{model.service_model.service_name} {model.name}"] += 1
        if model.name not in READS:
            written.update(tables_in(params))

    clients = core.clients
    everyone = (clients.dynamodb, clients.streams, clients.sqs, clients.sns, clients.s3, clients.kms, clients.sesv2)
    for client in everyone:
        client.meta.events.register("before-call", note)

    row = await rebuilder(core).run(STATUS, Wanted(source=source))  # type: ignore[arg-type]  # of two

    assert row.state == "switched"
    assert asked
    allowed = {f"dynamodb {name}" for name in READS | VIEW_WRITES} | {f"s3 {name}" for name in READS}
    assert set(asked) <= allowed
    assert written == {core.settings.table("views")}
    await assert_equal(core, STATUS, 2)


def tables_in(params: Any) -> set[str]:
    """The tables that a call writes, as its body names them."""
    body = params["body"].decode() if isinstance(params["body"], bytes) else str(params["body"])
    return {word for word in body.replace('\\"', '"').split('"') if word.startswith("orderstore-test-")}


async def test_an_operators_whole_way_as_commands(core: Core, run: Run) -> None:
    """What is typed wrong is said; ls, rebuild, compare, switch, back, discard, each as a process of its own."""
    projector = ViewProjector(core.store, core.views, LiveTargets(core.views, VIEWS))
    await fill(core, range(20), projector)

    assert "there are: order_status" in (await run("rebuild", "nothing", code=2)).said
    assert "`archive`" in (await run("rebuild", "invoices", "--from", "disk", code=2)).said
    assert "nobody is at work" in (await run("pause", "order_status", code=1)).said
    assert "generation 2 is none" in (await run("switch", "order_status", "--to", "2", code=1)).said
    assert "nothing to discard" in (await run("discard", "order_status", code=1)).said
    assert "no generation 7" in (await run("compare", "--view", "order_status", "--generation", "7", code=2)).said

    built = (await run("rebuild", "order_status", "--no-switch", "--segments", "2", "--json")).document
    assert (built["state"], built["orders"], built["documents"], built["ok"]) == ("ready", 20, 20, True)
    assert built["verdict"]["equal"] == 20
    listed = {row["view"]: row["generations"] for row in (await run("ls", "--json")).document}
    assert listed["order_status"] == {"current": 1, "building": 2, "former": None}
    assert "every view equals the log" in (await run("compare", "--view", "order_status", "--generation", "2")).said
    await run("switch", "order_status", "--to", "2")
    assert "is still kept" in (await run("rebuild", "order_status", code=1)).said
    await run("switch", "order_status", "--to", "1")
    assert (await core.views.generations(["order_status"]))["order_status"] == Generations(current=1, former=2)
    assert "switched" in (await run("ls", "order_status")).said


async def test_compare_names_the_commit_that_explains_each_difference(core: Core, run: Run) -> None:
    """A changed field, and a document that is gone; each with what it should be, for people and as JSON."""
    projector = ViewProjector(core.store, core.views, LiveTargets(core.views, VIEWS))
    await fill(core, range(3), projector)
    spoilt, gone = (Generation("order_status", 1).key(TENANT, order_number(index)) for index in (0, 1))
    stored = (await core.views.get([spoilt]))[spoilt]
    await core.clients.dynamodb.update_item(
        TableName=core.settings.table("views"),
        Key={"key": {"S": spoilt}},
        UpdateExpression="SET #document = :document",
        ExpressionAttributeNames={"#document": "document"},
        ExpressionAttributeValues={":document": {"S": stored.document.decode().replace("COMPLETED", "CANCELLED")}},
    )
    await core.views.delete([gone])

    told = await run("compare", "--view", "order_status", code=1)

    assert "2 differences" in told.said
    assert '"COMPLETED"' in told.said
    assert '"CANCELLED"' in told.said
    found = {one["kind"]: one for one in (await run("compare", "--json", code=1)).document["differences"]}
    assert found["missing"]["stream"].endswith(order_number(1))
    assert [(one["field"], one["commit"]) for one in found["different"]["fields"]] == [("status", 8)]

    mended = (await run("rebuild", "order_status", "--json")).document
    assert (mended["state"], mended["verdict"]["mended"]) == ("switched", 1)
    await run("compare", "--view", "order_status")
