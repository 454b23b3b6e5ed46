"""The gate before a deploy: whatever this build cannot take over of stored history is found, named by its cause, and nothing is written."""

import dataclasses
import json
from importlib import import_module
from types import SimpleNamespace

import anyio
import orjson
import pytest
from typer.testing import CliRunner

from orderstore.domain import events as e
from orderstore.domain import state as domain
from orderstore.store.chain import seal
from orderstore.store.errors import CorruptCommit
from orderstore.store.port import Commit
from projections.comparing import replay_check as module
from projections.comparing.replay_check import EXAMPLES_MAX, ReplayReport, replay_check
from projections.projecting.targets import Target
from projections.views import order_status
from projections.views.view import Generation
from tests.builders import PAID, order_created
from tests.projections.histories import ORDER, TENANT, commits_for, happy_commits, order_number
from tests.projections.read_side import TARGETS, ReadSide
from tests.virtual_time import run_virtual
from workers import cli

STATUS_KEY = TARGETS[0].generation.key(TENANT, ORDER)


class Refused(Exception):
    """Somebody tried to write."""


class ReadOnly:
    """A store, or a view store, that refuses everything that is not reading."""

    READS = frozenset(
        {
            "read",
            "streams",
            "counter",
            "from_image",
            "get",
            "keys",
            "generations",
            "listed",
            "list",
            "totals",
            "sum_keys",
        }
    )

    def __init__(self, inner) -> None:
        self._inner = inner

    def __getattr__(self, name: str):
        if name not in self.READS:
            raise Refused(name)
        return getattr(self._inner, name)


async def check(side: ReadSide, targets=TARGETS, **options) -> ReplayReport:
    return await replay_check(ReadOnly(side.store), ReadOnly(side.views), targets, **options)


async def side_of(*orders: list[Commit]) -> ReadSide:
    side = ReadSide()
    for commits in orders:
        await side.append(commits)
        await side.deliver(*commits)
    return side


def rewritten(commits: list[Commit], number: int, edit) -> list[Commit]:
    """The same order with another body in one commit, sealed anew: as another build would have written it."""
    found: list[Commit] = []
    for commit in commits:
        body = orjson.loads(commit.body)
        if commit.number == number:
            edit(body)
        previous = found[-1] if found else None
        found.append(
            seal(
                stream=commit.stream,
                number=commit.number,
                recorded_at_ms=commit.recorded_at_ms,
                body=orjson.dumps(body),
                previous=previous,
            )
        )
    return found


def causes(report: ReplayReport) -> dict[str, int]:
    return {cause: group.count for cause, group in report.groups.items()}


def only(report: ReplayReport):
    [(cause, group)] = report.groups.items()
    [difference] = group.examples
    assert report.differences_count == group.count == 1
    assert not report.equal
    return cause, difference


def test_a_build_that_can_take_over_says_so_and_counts_what_it_read() -> None:
    """Every order, every event, every document; with stores that refuse to write."""

    async def scenario() -> None:
        side = await side_of(*[happy_commits(order_number(index)) for index in range(120)])
        seen: list[int] = []
        report = await check(side, progress=lambda report: seen.append(report.events))

        assert report.equal
        assert (report.orders, report.documents) == (120, 120 * 4)
        assert report.events == 120 * sum(len(orjson.loads(c.body)["events"]) for c in happy_commits())
        assert seen[-1] == report.events
        assert seen == sorted(seen)

    run_virtual(scenario)


def test_the_stores_of_these_tests_really_refuse() -> None:
    """Or the proof would be none."""

    async def scenario() -> None:
        side = await side_of(happy_commits())
        with pytest.raises(Refused):
            await ReadOnly(side.store).append(happy_commits(order_number(1))[0])
        with pytest.raises(Refused):
            await ReadOnly(side.views).write([])

    run_virtual(scenario)


def test_what_an_older_build_stored_is_read_through_its_upcasters() -> None:
    """A cancellation with its note in plain words, as version 1.0 had it."""  # E045

    async def scenario() -> None:
        groups = ((order_created(),), (e.OrderCancellationRequested(reason="customer"),))
        commits = rewritten(
            commits_for(groups),
            2,
            lambda body: body["events"][0].update(
                eventVersion="1.0", data={"reason": "customer", "note": "changed my mind"}
            ),
        )
        assert (await check(await side_of(commits))).equal

    run_virtual(scenario)


@pytest.mark.parametrize(
    ("edit", "cause", "detail"),
    [
        (
            lambda body: body["events"][0].update(eventType="PaymentExploded"),
            "cannot be read: UnknownEvent",
            "PaymentExploded",
        ),
        (lambda body: body["events"][0].update(eventVersion="9.0"), "cannot be read: UnknownEvent", "9.0"),
        (lambda body: body["events"][0].update(data={}), "cannot be read: MalformedCommit", "commit 2"),
        (lambda body: body.pop("events"), "cannot be read: MalformedCommit", "commit 2"),
    ],
)
def test_what_this_build_cannot_read_is_named(edit, cause, detail) -> None:
    """A newer build wrote it, or nobody should have: the order, why, and nothing else is hidden by it."""

    async def scenario() -> None:
        side = await side_of(happy_commits(order_number(1)))
        await side.append(rewritten(happy_commits(), 2, edit))
        report = await check(side)

        found, difference = only(report)
        assert (found, difference.stream) == (cause, f"main/order-{ORDER}")
        assert detail in difference.detail
        assert report.orders == 2

    run_virtual(scenario)


def test_a_log_that_is_not_as_it_was_written_is_named() -> None:
    """`audit verify` says the rest."""

    async def scenario() -> None:
        side = await side_of(happy_commits(), happy_commits(order_number(1)))
        read = side.store.read

        async def broken(stream: str, *, after: int = 0):
            if stream.endswith(ORDER):
                raise CorruptCommit(stream, 3, "its hash is not that of its content")
            return await read(stream, after=after)

        side.store.read = broken
        assert only(await check(side))[0] == "cannot be read: CorruptCommit"

    run_virtual(scenario)


def test_a_transition_that_this_build_holds_for_impossible_is_named_with_its_event() -> None:
    """The views fold it without a word: only the domain's own state knows better."""

    async def scenario() -> None:
        side = await side_of(commits_for(((order_created(),), (PAID,), (e.OrderCompleted(),))))
        cause, difference = only(await check(side))

        assert cause == "cannot be folded: ImpossibleTransition"
        assert difference.commit == 3
        assert "OrderCompleted 1.0, event 3" in difference.detail

    run_virtual(scenario)


def test_an_event_out_of_its_place_is_named_by_both_folds() -> None:
    """An order that begins with a payment."""

    async def scenario() -> None:
        side = ReadSide()
        await side.append(commits_for(((PAID,),)))

        assert causes(await check(side)) == {
            "cannot be folded: OutOfPlace": 1,
            "cannot be folded: ImpossibleTransition": 1,
        }

    run_virtual(scenario)


def test_a_fault_in_this_build_s_own_fold_is_a_finding_and_not_a_crash() -> None:
    """A view that stumbles over one event: every order is looked at all the same."""

    def stumbling(view, recorded):
        if recorded.name == "InvoiceIssued":
            raise KeyError("series")
        return order_status.evolve(view, recorded)

    async def scenario() -> None:
        side = await side_of(happy_commits(), happy_commits(order_number(1))[:3])
        new = Target(dataclasses.replace(order_status.VIEW, evolve=stumbling), TARGETS[0].generation)
        report = await check(side, (new,))

        assert only(report)[0] == "cannot be folded: KeyError"
        assert report.orders == 2

    run_virtual(scenario)


def test_a_fold_that_comes_to_another_end_is_a_difference_until_its_schema_says_so() -> None:
    """The build that runs and the one to come differ in a fold: with the same schema number that is a trap, with a new one a rebuild."""

    def new_document(view):
        return {**order_status.to_document(view), "total": "0"}

    async def scenario() -> None:
        side = await side_of(happy_commits())
        silent = dataclasses.replace(order_status.VIEW, to_document=new_document)
        cause, difference = only(await check(side, (Target(silent, TARGETS[0].generation), TARGETS[1])))
        assert cause == "order_status is different"
        assert [field.field for field in difference.fields] == ["total"]

        told = dataclasses.replace(silent, schema=order_status.SCHEMA + 1)
        report = await check(side, (Target(told, TARGETS[0].generation), TARGETS[1]))
        assert report.equal
        assert report.rebuilds == {"order_status": 1}
        assert report.groups == {}

    run_virtual(scenario)


def test_a_rebuild_hides_no_order_that_cannot_be_folded() -> None:
    """A new schema is no excuse: the new fold has to get through all of history."""

    async def scenario() -> None:
        side = await side_of(commits_for(((order_created(),), (PAID,), (e.OrderCompleted(),))))
        told = dataclasses.replace(order_status.VIEW, schema=order_status.SCHEMA + 1)
        report = await check(side, (Target(told, TARGETS[0].generation),))

        assert report.rebuilds == {"order_status": 1}
        assert causes(report) == {"cannot be folded: ImpossibleTransition": 1}

    run_virtual(scenario)


@pytest.mark.parametrize(
    ("event", "field"),
    [
        (e.PaymentCompleted, "payment.status"),
        (e.InventoryReserved, "inventory.status"),
        (e.InvoiceIssued, "invoiceNumbers"),
        (e.ShipmentDelivered, "shipment.status"),
        (e.OrderCompleted, "status"),
    ],
)
def test_a_state_that_differs_from_the_view_is_found(monkeypatch, event, field) -> None:
    """A build whose `evolve` forgets an event: documents and views agree with each other, the order's own state does not."""
    evolve = domain.evolve
    monkeypatch.setattr(module.s, "evolve", lambda state, one: state if isinstance(one, event) else evolve(state, one))

    async def scenario() -> None:
        cause, difference = only(await check(await side_of(happy_commits())))

        assert cause == "order_status and the order's own state disagree"
        assert field in [one.field for one in difference.fields]

    run_virtual(scenario)


def test_views_that_are_only_late_are_given_time_and_those_that_stay_behind_are_found() -> None:
    """As `views compare` does."""

    async def scenario() -> None:
        side = ReadSide()
        commits = happy_commits()
        await side.append(commits)
        await side.deliver(*commits[:5])
        found = causes(await check(side, look_again_after_s=0.1))
        assert found["order_status is behind"] == found["invoices is missing"] == found["daily_sales is behind"] == 1
        reports: list[ReplayReport] = []

        async def look() -> None:
            reports.append(await check(side, look_again_after_s=1))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(look)
            await anyio.sleep(2.5)
            await side.deliver(*commits[5:])
        assert reports[0].equal
        assert reports[0].orders == 1

    run_virtual(scenario)


def test_a_document_without_an_order_is_found() -> None:
    """The view shows what never happened."""

    async def scenario() -> None:
        side = await side_of(happy_commits())
        ghost = TARGETS[0].generation.key(TENANT, order_number(77))
        side.views._documents[ghost] = dataclasses.replace(side.views._documents[STATUS_KEY], key=ghost)
        assert only(await check(side))[0] == "order_status is unknown order"

    run_virtual(scenario)


def test_all_are_counted_and_a_bounded_number_of_each_cause_is_kept() -> None:
    """A thousand orders of one trouble leave room for the one of another."""

    async def scenario() -> None:
        side = ReadSide()
        for index in range(EXAMPLES_MAX + 20):
            await side.append(happy_commits(order_number(index))[:1])
        await side.append(commits_for(((PAID,),), order_id=order_number(9_999)))
        report = await check(side, (Target(order_status.VIEW, Generation("order_status", 1)),), looks_max=1)

        assert causes(report)["order_status is missing"] == EXAMPLES_MAX + 20
        assert len(report.groups["order_status is missing"].examples) == EXAMPLES_MAX
        assert causes(report)["cannot be folded: OutOfPlace"] == 1

    run_virtual(scenario)


@pytest.fixture
def command(monkeypatch):
    """`orderstore audit replay-check` over stores in memory that refuse to write."""

    def run(prepare, *arguments: str):
        def with_core(state_dir, work):
            async def main():
                side = await prepare()
                return await work(SimpleNamespace(store=ReadOnly(side.store), views=ReadOnly(side.views)))

            return anyio.run(main)

        monkeypatch.setattr(import_module("workers.commands.audit.replay"), "with_core", with_core)
        return CliRunner().invoke(cli.build(), ["audit", "replay-check", *arguments])

    return run


def test_the_command_ends_with_0_and_the_rate_when_the_build_can_take_over(command) -> None:
    """One line."""

    async def prepare() -> ReadSide:
        return await side_of(happy_commits())

    found = command(prepare)
    assert found.exit_code == 0, found.output
    events = sum(len(orjson.loads(commit.body)["events"]) for commit in happy_commits())
    assert f"1 orders, {events} events (" in found.output
    assert "events/s): this build can take over" in found.output


def test_the_command_names_a_stream_that_is_no_orders(command) -> None:
    """Exit 1 and a sentence, no trace; the orders are replayed all the same."""

    async def prepare() -> ReadSide:
        side = await side_of(happy_commits())
        await side.append([seal(stream="zzz", number=1, recorded_at_ms=1, body=b"{}", previous=None)])
        return side

    found = command(prepare)
    assert (found.exit_code, type(found.exception)) == (1, SystemExit)
    assert "cannot be read: ValueError: 1" in found.output
    assert "not an order's stream: 'zzz'" in found.output
    assert "2 orders, " in found.output


def test_the_command_ends_with_1_and_names_cause_and_order(command) -> None:
    """In words, and as JSON for a pipeline."""

    async def prepare() -> ReadSide:
        side = await side_of(happy_commits(order_number(1)))
        await side.append(rewritten(happy_commits(), 2, lambda body: body["events"][0].update(eventType="Novelty")))
        side.views._documents[TARGETS[0].generation.key(TENANT, order_number(1))] = dataclasses.replace(
            side.views._documents[TARGETS[0].generation.key(TENANT, order_number(1))], schema=9
        )
        return side

    found = command(prepare)
    assert found.exit_code == 1
    assert "cannot be read: UnknownEvent: 1" in found.output
    [line] = [line for line in found.output.splitlines() if line.startswith("  ")]
    assert line.count(f"main/order-{ORDER}") == 1
    assert "this build does not know Novelty" in line
    assert "order_status: 1 documents of another schema: this build will fold them anew" in found.output
    assert "1 difference: do not deploy" in found.output

    document = json.loads(command(prepare, "--json").stdout)
    assert (document["ok"], document["differences_count"], document["will_be_rebuilt"]) == (
        False,
        1,
        {"order_status": 1},
    )
    [cause] = document["causes"]
    assert (cause["cause"], cause["count"]) == ("cannot be read: UnknownEvent", 1)
    assert cause["orders"][0]["stream"] == f"main/order-{ORDER}"
    assert document["events_per_s"] > 0
