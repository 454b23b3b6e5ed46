"""The restore drill: one environment is lost, another one is made from its archive alone, and nobody outside hears of it."""

import json
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

import anyio
import pytest
from typer.testing import CliRunner

from deploy.local.environment import Environment
from deploy.local.provision import Clients, DataPlane, provision
from orderstore.archive.catch_up import catch_up
from orderstore.archive.errors import RestoreRefused
from orderstore.archive.positions import Restoration
from orderstore.audit.root_maker import RootTooSoon
from orderstore.domain.ids import order_of
from orderstore.recorded import Actor
from orderstore.requests import PlaceOrder
from projections.comparing.compare import compare
from projections.projecting.projector import ViewProjector
from projections.projecting.targets import current_targets
from projections.publishing.publisher import MemoryPublisher
from projections.publishing.relay import Relay
from projections.view_store.items import TOTAL_OF
from tests.builders import line
from tests.e2e.emulated import Emulated
from tests.emulator import clients_for
from tests.projections.bringing_up import bring_up_all
from tests.projections.histories import commits_for, groups_of, happy_commits, order_number
from workers.archive.opening import archiver_of, daily_root, positions_of
from workers.cli import build
from workers.commands.archive.restoring import NOT_RESTORED, restore_into
from workers.core import Core, now_ms, open_core
from workers.metrics.table import Metrics
from workers.settings import from_environment
from workers.subscriptions import reader

pytestmark = pytest.mark.emulator

ORDERS = 25
SERIES = "INV-2026"
LARGE = order_number(900)
LOST_PREFIX = "orderstore-test"
FRESH_PREFIX = "orderstore-fresh"
QUICK = {"ORDERSTORE_LEASE_DURATION_S": "1.5", "ORDERSTORE_STREAM_IDLE_S": "0.1"}


@dataclass(frozen=True)
class Places:
    """Two environments of one account, with nothing in common but it."""

    lost: Mapping[str, str]
    fresh: Mapping[str, str]

    @property
    def archive_bucket(self) -> str:
        return self.lost["ORDERSTORE_BLOBS_BUCKET"]


@pytest.fixture
def places(emulator: Environment, environment: dict[str, str]) -> Places:
    plane = DataPlane(
        endpoint_url=emulator.endpoint_url,
        resource_prefix=FRESH_PREFIX,
        account=environment["ORDERSTORE_AWS_ACCESS_KEY_ID"],
    )
    with Clients(plane) as clients:
        fresh = provision(plane, clients)
    return Places({**environment, **QUICK}, {**fresh, **QUICK})


def core_of(settings: Mapping[str, str]) -> Any:
    return open_core(from_environment(settings), Metrics())


async def _live(core: Core) -> None:
    """Orders of a whole life with their invoices, one of them too large for the table, and views of them."""
    for index in range(1, ORDERS + 1):
        for commit in happy_commits(order_number(index)):
            if b"InvoiceIssued" in commit.body:
                await core.store.append_numbered(commit, counter=SERIES, taken=index)
            else:
                await core.store.append(commit)
    noise = Random(7)
    lines = tuple(line(sku=f"{noise.getrandbits(160):040x}") for _ in range(16_000))
    for commit in commits_for(groups_of((), order_id=LARGE, lines=lines), order_id=LARGE):
        await core.store.append(commit)
    projector = ViewProjector(core.store, core.views, await current_targets(core.views))
    await bring_up_all(projector)


def _items(settings: Mapping[str, str], table: str) -> list[dict[str, Any]]:
    """Every item, whole, in an order of its own."""
    return sorted(Emulated(settings).items(table), key=lambda item: json.dumps(item, default=repr, sort_keys=True))


def _views(settings: Mapping[str, str]) -> tuple[list[dict[str, Any]], dict[str, Counter[str]]]:
    """Every document, and every total as the sum of its rows: which row a writer took is drawn (projections/view_store/items.py)."""
    documents: list[dict[str, Any]] = []
    totals: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for item in _items(settings, "views"):
        if TOTAL_OF in item:
            totals[item[TOTAL_OF]["S"]].update({name: int(value["N"]) for name, value in item.items() if "N" in value})
        else:
            documents.append(item)
    return documents, dict(totals)


def _objects(settings: Mapping[str, str]) -> dict[str, bytes]:
    with clients_for(settings) as clients:
        s3, bucket = clients("s3"), settings["ORDERSTORE_BLOBS_BUCKET"]
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
        return {key: s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}


def _destroy(settings: Mapping[str, str]) -> None:
    """The tables are gone, and the large bodies too: what is left of the environment is its archive."""
    with clients_for(settings) as clients:
        for name in ("events", "views", "leases", "series", "archive", "payments", "inventory", "notifications"):
            clients("dynamodb").delete_table(TableName=f"{LOST_PREFIX}-{name}")
        for key in _objects(settings):
            if key.startswith("commits/"):
                clients("s3").delete_object(Bucket=settings["ORDERSTORE_BLOBS_BUCKET"], Key=key)


async def test_an_environment_is_made_again_from_its_archive_alone(places: Places) -> None:
    """Tables equal item by item and byte for byte, large bodies and the archive itself included; no read of the lost tables."""  # A08
    async with core_of(places.lost) as core:
        await _live(core)
        report = await catch_up(core.store, archiver_of(core))
        assert report.orders == ORDERS + 1
    tables = {name: _items(places.lost, name) for name in ("events", "series", "archive")}
    documents, totals = _views(places.lost)
    assert documents
    assert totals
    assert any("blob" in item for item in tables["events"])
    objects = _objects(places.lost)
    _destroy(places.lost)

    async with core_of(places.fresh) as core:
        restored = await restore_into(core, places.archive_bucket, settle_s=0.3)
        views = await compare(core.store, core.views, await current_targets(core.views), looks_max=1)

    assert (restored.orders, restored.series) == (ORDERS + 1, {SERIES: ORDERS})
    assert _items(places.fresh, "events") == tables["events"]
    assert _items(places.fresh, "series") == tables["series"]
    assert _views(places.fresh) == (documents, totals)
    assert [item for item in _items(places.fresh, "archive") if item["stream"]["S"] != "(restore)"] == tables["archive"]
    assert _objects(places.fresh) == objects
    assert views.equal, views.differences
    for nothing_touched in ("payments", "inventory", "notifications", "sandbox"):
        assert _items(places.fresh, nothing_touched) == []


async def test_nobody_hears_of_what_was_restored_and_everybody_of_what_comes_after(places: Places) -> None:
    """The relay starts where the restore ended: history is not published again; the next order is, and takes the next number."""
    async with core_of(places.lost) as core:
        await _live(core)
        await catch_up(core.store, archiver_of(core))
    _destroy(places.lost)
    heard = anyio.Event()
    topic = MemoryPublisher(on_publish=lambda _: heard.set())
    async with core_of(places.fresh) as core:
        await restore_into(core, places.archive_bucket, settle_s=0.3)
        placed = await core.orders.place(
            PlaceOrder.model_validate(
                {
                    "items": [{"sku": "LAPTOP-001", "quantity": 1, "price": "850"}],
                    "currency": "USD",
                    "customerId": "customer-1",
                }
            ),
            actor=Actor("customer", "customer-1"),
            idempotency_key=None,
        )
        relay = reader(core, "relay", Relay(core.store, topic, now_ms=now_ms, random=core.random))
        with anyio.fail_after(60):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(relay.run)
                await heard.wait()
                await anyio.sleep(1)  # whatever else there is, would come now
                tasks.cancel_scope.cancel()
        assert {event.order_id for event in topic.published} == {order_of(placed.history.stream)[1]}
        assert await core.store.counter(SERIES) == ORDERS
        assert (await archiver_of(core).archive({placed.history.stream: 1})).commits == 1
    assert not [message for message in Emulated(places.fresh).queued() if FRESH_PREFIX in message.queue]


async def test_an_environment_that_is_in_use_is_refused(places: Places) -> None:
    """Orders, or only a relay that has run: nothing is changed."""
    async with core_of(places.lost) as core:
        await core.store.append(happy_commits()[0])
        await catch_up(core.store, archiver_of(core))
        with pytest.raises(RestoreRefused, match="not fresh"):
            await restore_into(core, None, settle_s=0.1)
    async with core_of(places.fresh) as core:
        relay = reader(core, "relay", Relay(core.store, MemoryPublisher(), now_ms=now_ms, random=core.random))
        async with anyio.create_task_group() as tasks:
            await tasks.start(relay.run)
            tasks.cancel_scope.cancel()
        with pytest.raises(RestoreRefused, match="its relay has run"):
            await restore_into(core, places.archive_bucket, settle_s=0.1)
    assert _items(places.fresh, "events") == []


def run(settings: Mapping[str, str], *arguments: str, exit_code: int = 0) -> Any:
    """A command of `orderstore archive` in this environment; its JSON."""
    result = CliRunner().invoke(build(), ["archive", *arguments, "--json"], env=dict(settings))
    assert result.exit_code == exit_code, result.output
    return json.loads(result.stdout)


def test_the_commands_tell_what_they_did(places: Places, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    """catch-up, ls, verify, parquet, restore; and verify names what is wrong and ends with 1."""

    async def live() -> None:
        async with core_of(places.lost) as core:
            for index in range(1, 4):
                for commit in happy_commits(order_number(index)):
                    await core.store.append(commit)

    anyio.run(live)
    commits = 3 * len(happy_commits())
    assert run(places.lost, "catch-up") == {
        "orders": 3,
        "commits": commits,
        "faults_count": 0,
        "faults": {},
        "ok": True,
    }
    assert run(places.lost, "catch-up")["commits"] == 0
    listed = run(places.lost, "ls")
    assert (listed["manifests"], listed["orders"], listed["commits"]) == (1, 3, commits)
    assert listed["last"][0]["segment"].startswith("archive/segments/")
    verified = run(places.lost, "verify")
    assert verified == {
        "manifests": 1,
        "commits": commits,
        "orders": 3,
        "faults_count": 0,
        "ok": True,
        "faults": [],
    }
    exported = run(places.lost, "parquet", "--to", str(tmp_path / "events"))
    assert (exported["commits"], exported["through"]) == (commits, 1)
    assert run(places.lost, "parquet", "--to", str(tmp_path / "events"))["events"] == 0
    restored = run(places.fresh, "restore", "--from-bucket", places.archive_bucket)
    assert restored["commits"] == commits
    assert restored["not_restored"] == list(NOT_RESTORED)
    assert run(places.fresh, "restore", "--from-bucket", places.archive_bucket)["commits"] == 0
    again = CliRunner().invoke(
        build(), ["archive", "restore", "--from-bucket", places.archive_bucket], env=dict(places.fresh)
    )
    assert again.exit_code == 0, again.output
    assert f"complete already: 3 orders, {commits} commits, through manifest 1; nothing was written" in again.output
    assert "certificates of erasure" in again.output

    with clients_for(places.lost) as clients:
        clients("s3").delete_object(Bucket=places.archive_bucket, Key="archive/manifests/000000000001.json")
    wrong = run(places.lost, "verify", exit_code=1)
    assert [fault["kind"] for fault in wrong["faults"]] == ["missing_manifest"]
    for arguments in (["ls"], ["verify"]):
        plain = CliRunner().invoke(build(), ["archive", *arguments], env=dict(places.fresh))
        assert plain.exit_code == 0, plain.output
        assert "1 manifests" in plain.output


def test_a_damaged_archive_is_named_and_nothing_is_signed_over_a_half_restored_log(places: Places) -> None:
    """Each fault, exit 1, nothing written; and while a restore is unfinished neither the command nor the day's part makes a root."""

    async def live() -> None:
        async with core_of(places.lost) as core:
            for commit in happy_commits(order_number(1)):
                await core.store.append(commit)
            await catch_up(core.store, archiver_of(core))

    anyio.run(live)
    with clients_for(places.lost) as clients:
        [segment] = [key for key in _objects(places.lost) if key.startswith("archive/segments/")]
        clients("s3").put_object(Bucket=places.archive_bucket, Key=segment, Body=b"something else")
    arguments = ["archive", "restore", "--from-bucket", places.archive_bucket]
    refused = CliRunner().invoke(build(), arguments, env=dict(places.fresh))
    assert refused.exit_code == 1, refused.output
    assert "manifest 1: altered_segment" in refused.output
    assert "nothing was written" in refused.output
    assert run(places.fresh, *arguments[1:], exit_code=1)["faults"][0]["kind"] == "altered_segment"
    assert _items(places.fresh, "events") == _items(places.fresh, "archive") == []

    async def begin() -> None:
        async with core_of(places.fresh) as core:
            noted = Restoration(archive="0" * 64, manifest=0, state="running")
            await positions_of(core).note_restoration(noted)
            with pytest.raises(RootTooSoon):
                await daily_root(core)._maker.make_daily()

    anyio.run(begin)
    unsigned = CliRunner().invoke(build(), ["audit", "root"], env=dict(places.fresh))
    assert unsigned.exit_code == 1, unsigned.output
    assert "being restored" in unsigned.output
    with clients_for(places.fresh) as clients:
        listed = clients("s3").list_objects_v2(Bucket=places.fresh["ORDERSTORE_AUDIT_BUCKET"])
    assert listed.get("Contents", []) == []
