"""`audit history`, `state`, `diff` and `trail`, as somebody types them: whole tables, true JSON, and wrong input told in words."""

import json
import shlex
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import pytest
import typer
from click.testing import Result
from typer.testing import CliRunner

from orderstore.objects import MemoryObjectStore
from orderstore.store.memory import MemoryEventStore
from orderstore.store.port import Commit
from tests.builders import order_created
from tests.orderstore.audit.clocked import ORDER, Clocks, at, commits_of
from tests.projections.histories import CANCELLED_LATE, HAPPY, groups_of, order_number
from workers.commands import audit
from workers.commands.audit import diff, history, state, trail

SECOND: Clocks = [(1_000 * n, [1_000 * n - 500]) for n in range(8)]
NOBODY = "00000000-0000-4000-8000-000000000000"
TENANT = "main"
DOCS = Path(__file__).parents[3] / "docs" / "time-travel.md"


class Unreadable(MemoryEventStore):
    """Its second commit was changed behind its back."""

    async def read(self, stream: str, *, after: int = 0) -> tuple[Commit, ...]:
        first, second, *rest = await super().read(stream, after=after)
        return (first, replace(second, body=b"not JSON"), *rest)


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> MemoryEventStore:
    """The log that the commands work on: one order with a whole life."""
    store = MemoryEventStore()
    work_on(store, monkeypatch)
    add(store, commits_of(groups_of(HAPPY), SECOND))
    return store


def work_on(store: MemoryEventStore, monkeypatch: pytest.MonkeyPatch) -> None:
    core = SimpleNamespace(store=store, settings=SimpleNamespace(tenant=TENANT), locked=MemoryObjectStore())

    def with_core(state_dir: Path, work: Callable[[Any], Awaitable[Any]]) -> Any:
        return anyio.run(work, core)

    for command in (diff, history, state, trail):
        monkeypatch.setitem(command.__globals__, "with_core", with_core)  # module and function share a name


def add(store: MemoryEventStore, commits: list[Commit]) -> None:
    async def append() -> None:
        for commit in commits:
            await store.append(commit)

    anyio.run(append)


def run(*arguments: str) -> Result:
    app = typer.Typer(pretty_exceptions_enable=False, rich_markup_mode=None)
    audit.add_to(app)
    result = CliRunner(env={"COLUMNS": "60", "NO_COLOR": "1"}).invoke(app, ["audit", *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def documents(*arguments: str) -> Any:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def time(ms: float) -> str:
    return at(ms).isoformat()


@pytest.mark.usefixtures("log")
def test_history_is_narrowed_by_filters() -> None:
    """All of them together."""
    assert [row["version"] for row in documents("history", ORDER)] == list(range(1, 11))
    assert [row["version"] for row in documents("history", ORDER, "--actor-id", "alice", "--commit-to", "3")] == [3, 4]
    assert [
        row["type"] for row in documents("history", ORDER, "--type", "OrderCreated", "--type", "OrderConfirmed")
    ] == [
        "OrderCreated",
        "OrderConfirmed",
    ]
    assert [row["commit"] for row in documents("history", ORDER, "--occurred-from", time(6_000))] == [8, 8]
    assert documents("history", ORDER, "--source", "nobody") == []
    assert "None of what is in its 8 commits passes" in run("history", ORDER, "--source", "nobody").stdout


@pytest.mark.usefixtures("log")
@pytest.mark.parametrize(
    "line", [line for line in DOCS.read_text().splitlines() if line.startswith("orderstore audit")]
)
def test_the_examples_of_the_documentation_work_as_they_stand(line: str) -> None:
    """Who copies one, with an order of their own, gets an answer."""
    command = line.partition(" > ")[0].replace("ORDER", ORDER)

    assert run(*shlex.split(command)[2:]).exit_code == 0


@pytest.mark.usefixtures("log")
def test_an_order_id_may_be_typed_in_any_form_of_a_uuid() -> None:
    """Capitals are the same id."""
    assert documents("history", ORDER.upper()) == documents("history", ORDER)


@pytest.mark.usefixtures("log")
def test_state_now_at_a_commit_and_as_of_a_time() -> None:
    """The document of the API, with where it stands."""
    assert documents("state", ORDER)["asOf"] == {
        "asked": {"commit": 8, "time": None, "clock": None},
        "commit": 8,
        "version": 10,
    }
    assert documents("state", ORDER, "--commit", "1")["status"] == "RECEIVED"
    recorded = documents("state", ORDER, "--as-of", time(1_700))
    occurred = documents("state", ORDER, "--as-of", time(1_700), "--clock", "occurred")
    assert (recorded["status"], recorded["asOf"]["commit"]) == ("RECEIVED", 2)
    assert (occurred["status"], occurred["asOf"]["commit"]) == ("CONFIRMED", 3)
    assert recorded["publication"] is None


@pytest.mark.usefixtures("log")
def test_diff_is_the_apis_answer_whole() -> None:
    """Both ways round."""
    there, back = documents("diff", ORDER, "1", time(2_000)), documents("diff", ORDER, time(2_000), "1")

    assert [change["field"] for change in there["fields"]] == ["status", "payment.status", "inventory.status"]
    assert (there["direction"], back["direction"]) == ("forward", "backward")
    assert there["events"] == back["events"]
    assert "the same moment" in run("diff", ORDER, "3", time(2_500)).stdout


@pytest.mark.usefixtures("log")
@pytest.mark.parametrize(
    ("arguments", "whole"),
    [
        (("history", ORDER), ("ShipmentDispatched", "2026-03-01T12:00:04.000Z", "(occurred 2026-03-01T12:00:03.500Z)")),
        (("history", ORDER), ("operator alice", "provider bank", "attempt=1 mode=authorized amount_minor=90000")),
        (
            ("state", ORDER),
            (ORDER, "commit 8, version 10 of 10", "payment.refundPendingMinor", "IN_FULFILMENT|COMPLETED"),
        ),
        (("state", ORDER, "--commit", "1"), ("commit 1, version 1 of 10; last: OrderCreated",)),
        (
            ("state", ORDER, "--as-of", time(0)),
            ("at 2026-03-01T12:00:00.000Z (recorded) = commit 1", "occurred 2026-03-01T11:59:59.500Z"),
        ),
        (
            ("diff", ORDER, "1", "3"),
            ("from commit 1 to commit 3", "3 fields differ, 3 events lie between", "CONFIRMED"),
        ),
        (
            ("diff", ORDER, "3", "0"),
            (
                "from commit 3 to commit 0 = before it was placed",
                "4 events are taken back",
                "payment.refundPendingMinor",
            ),
        ),
        (
            ("trail",),
            (ORDER, "ShipmentDispatched", "operator alice", "alice-service", "1 orders read, 10 events found"),
        ),
    ],
)
def test_nothing_that_matters_is_cut_in_a_table(arguments: tuple[str, ...], whole: tuple[str, ...]) -> None:
    """However narrow the terminal is."""
    result = run(*arguments)

    assert result.exit_code == 0, result.output
    for words in whole:
        assert any(word in result.stdout for word in words.split("|")), words


def test_the_newest_of_all_orders_are_listed_and_the_rest_counted(log: MemoryEventStore) -> None:
    """By when they were written down, oldest first."""
    for number in range(5):
        groups = groups_of(CANCELLED_LATE, order_id=order_number(number))
        clocks = [(60_000 * (number + 1) + n, [0]) for n in range(len(groups))]
        add(log, commits_of(groups, clocks, order_id=order_number(number)))

    every = documents("trail")
    newest = documents("trail", "--limit", "3")
    found = [json.loads(line) for line in run("trail", "--all", "--type", "OrderCreated").stdout.splitlines()]

    assert (every["orders"], every["found"]) == (6, len(every["items"]))
    assert newest["items"] == every["items"][-3:]
    assert newest["found"] == every["found"]
    assert [row["recorded_at"] for row in every["items"]] == sorted(row["recorded_at"] for row in every["items"])
    assert {row["order_id"] for row in found} == {ORDER, *map(order_number, range(5))}
    assert "the newest 3 are shown" in run("trail", "--limit", "3").stdout
    assert "all of them" in run("trail").stdout
    assert documents("trail", "--causation-id", "nothing")["items"] == []


@pytest.mark.thorough
def test_personal_data_stays_sealed_wherever_it_is_listed(
    log: MemoryEventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In every command, as table and as JSON."""
    from orderstore.domain.events import SealedText

    sealed = MemoryEventStore()
    created = order_created(contact=SealedText(subject="customer:7", ciphertext="C1PHER"))
    add(sealed, commits_of([(created,)], [(0, [0])]))
    work_on(sealed, monkeypatch)

    for arguments in (("history", ORDER), ("state", ORDER), ("diff", ORDER, "0", "1"), ("trail",), ("trail", "--all")):
        for form in ((), ("--json",)):
            output = run(*arguments, *form).output
            assert "C1PHER" not in output
            assert "customer:7" not in output
    assert documents("history", ORDER)[0]["data"]["contact"] == "(sealed)"


WRONG: list[tuple[tuple[str, ...], tuple[str, ...]]] = [
    (("history", "order-1"), ("ORDER", "UUID")),
    (("history", ORDER, "--type", "OrderCreate"), ("--type", "is it OrderCreated?")),
    (("history", ORDER, "--actor-type", "robot"), ("--actor-type", "'robot'")),
    (("history", ORDER, "--recorded-from", "today"), ("--recorded-from", "RFC 3339")),
    (("history", ORDER, "--occurred-to", "2026-03-01T12:00:00"), ("--occurred-to", "offset")),
    (("history", ORDER, "--commit-from", "3", "--commit-to", "2"), ("--commit-from and --commit-to",)),
    (("trail", "--recorded-from", time(1), "--recorded-to", time(0)), ("--recorded-from and --recorded-to",)),
    (("trail", "--limit", "0"), ("--limit",)),
    (("trail", "--all", "--limit", "5"), ("--all and --limit",)),
    (("state", "x"), ("ORDER", "UUID")),
    (("state", ORDER, "--as-of", time(0), "--commit", "1"), ("--as-of and --commit", "two moments")),
    (("state", ORDER, "--clock", "occurred"), ("--clock", "--as-of")),
    (("state", ORDER, "--commit", "1", "--clock", "occurred"), ("--clock", "--as-of")),
    (("state", ORDER, "--as-of", "3"), ("--as-of", "--commit")),
    (("state", ORDER, "--as-of", "noon"), ("--as-of", "RFC 3339")),
    (("state", ORDER, "--commit", "-1"), ("--commit",)),
    (("diff", ORDER, "1"), ("TO",)),
    (("diff", ORDER, "1", "noon"), ("TO", "RFC 3339")),
    (("diff", ORDER, "x", "1"), ("FROM", "RFC 3339")),
    (("diff", ORDER, "1", "2", "--clock", "recorded"), ("--clock", "commits")),
]


@pytest.mark.usefixtures("log")
@pytest.mark.parametrize(("arguments", "words"), WRONG, ids=[" ".join(arguments)[:60] for arguments, _ in WRONG])
def test_wrong_input_is_told_by_its_name_and_ends_with_2(arguments: tuple[str, ...], words: tuple[str, ...]) -> None:
    """In words, on standard error, and nothing on standard output."""
    result = run(*arguments)

    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    said = " ".join(result.stderr.replace("│", " ").split())
    for word in words:
        assert word in said


@pytest.mark.usefixtures("log")
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("history", NOBODY), f"There is no order {NOBODY}."),
        (("state", NOBODY), f"There is no order {NOBODY}."),
        (("diff", NOBODY, "0", "1"), f"There is no order {NOBODY}."),
        (("state", ORDER, "--commit", "9"), "there is no commit 9: the order's head is commit 8, version 10."),
        (("diff", ORDER, "1", "9"), "there is no commit 9: the order's head is commit 8, version 10."),
        (
            ("state", ORDER, "--commit", "0"),
            "At commit 0 the order was not placed yet: it began with commit 1, recorded",
        ),
        (
            ("state", ORDER, "--as-of", time(-1)),
            "was not placed yet: it began with commit 1, recorded 2026-03-01T12:00:00",
        ),
    ],
)
def test_what_is_not_there_is_said_and_ends_with_1(arguments: tuple[str, ...], words: str) -> None:
    """No empty answer that looks like one."""
    for form in ((), ("--json",)):
        result = run(*arguments, *form)

        assert (result.exit_code, result.stdout) == (1, "")
        assert words in result.stderr


@pytest.mark.parametrize("arguments", [("history", ORDER), ("state", ORDER), ("diff", ORDER, "0", "1")])
def test_an_order_that_cannot_be_read_is_told_with_what_to_do(
    arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which commit, and who names every fault."""
    store = Unreadable()
    work_on(store, monkeypatch)
    add(store, commits_of(groups_of(HAPPY), SECOND))

    result = run(*arguments)

    assert (result.exit_code, result.stdout) == (1, "")
    assert "commit 2 of main/order-" in result.stderr
    assert "orderstore audit verify" in result.stderr


def test_a_trail_that_is_not_all_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was found is shown; the exit code and the message say that something is missing, and of which order."""
    store = Unreadable()
    work_on(store, monkeypatch)
    add(store, commits_of(groups_of(HAPPY), SECOND))

    result = run("trail", "--json")

    assert result.exit_code == 1
    assert json.loads(result.stdout)["items"] == []
    assert len(json.loads(result.stdout)["unreadable"]) == 1
    assert "This is not all" in result.stderr
    assert ORDER in result.stderr
