"""The commands over stock, on a table in memory: what they do, what they refuse, and that a repeat does nothing again."""

import json
import random
from types import SimpleNamespace
from typing import Any

import anyio
import pytest
from typer.testing import CliRunner

from tests.workers.inventory.stocks import all_levels
from workers.cli import build
from workers.commands import stock, stock_books, stock_keeping, stock_waking
from workers.inventory.locations import locations_in
from workers.inventory.stock import Level, Place
from workers.inventory.table_stock import TableStock
from workers.reconciliation.stock import StockReconciliation
from workers.sweeping.ports import ListsUnavailable
from workers.sweeping.waking import Woken
from workers.tables.memory import MemoryTable

LOCATIONS = "main=GB, north=SE"
A, NORTH = Place("main", "A"), Place("north", "A")


class Shell:
    """`run` a command of `orderstore stock`; its exit code and what it said."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, locations: str = LOCATIONS) -> None:
        self.table = MemoryTable()
        self.stock = TableStock(self.table, random=random.Random(1), locations=locations_in(locations))
        core = SimpleNamespace(settings=SimpleNamespace(stock_locations=locations), orders=None)

        async def of_order(order: str) -> Any:
            return "nothing" if order == "ended" else "goods"

        for module in (stock, stock_keeping, stock_books, stock_waking):
            monkeypatch.setattr(module, "with_core", lambda _dir, work: anyio.run(work, core))
        for module in (stock, stock_keeping, stock_books):
            monkeypatch.setattr(module, "stock_of", lambda _core: self.stock)
        monkeypatch.setattr(stock_books, "stock_table", lambda _core: self.table)
        monkeypatch.setattr(
            stock_books,
            "stock_reconciliation",
            lambda _core, look_again_s: StockReconciliation(self.table, of_order, look_again_s=look_again_s),
        )

    def run(self, *arguments: str) -> tuple[int, str]:
        done = CliRunner().invoke(build(), ["stock", *arguments])
        return done.exit_code, done.output

    def level(self, place: Place) -> Level:
        return all_levels(self.table)[place]


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> Shell:
    return Shell(monkeypatch)


def test_a_day_in_the_store(shell: Shell) -> None:
    """Each command is typed twice and happens once; what stands is shown."""
    for arguments in (
        ("receive", "A", "10", "--receipt", "r-1"),
        ("receive", "A", "3", "--receipt", "r-2", "--at", "north"),
        ("move", "A", "4", "--from", "main", "--to", "north", "--id", "m-1"),
        ("damage", "A", "2", "--id", "d-1"),
        ("write-off", "A", "1", "--id", "w-1"),
        ("count", "A", "9", "--id", "c-1", "--at", "north"),
    ):
        for _ in range(2):
            code, told = shell.run(*arguments)
            assert code == 0, told
    assert shell.level(A) == Level(5, 4, 0, 0, 1)
    assert shell.level(NORTH) == Level(9, 9, 0)

    code, told = shell.run("show", "A", "B")
    assert "A at main: on hand 5, available 4, reserved 0, committed 0, damaged 1" in told
    assert "A at north: on hand 9" in told
    assert "B: untracked" in told
    _, told = shell.run("show", "A", "B", "--json")
    document = json.loads(told)
    assert (document["A"]["north"]["available"], document["B"]) == (9, {})


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("move", "A", "40", "--from", "main", "--to", "north", "--id", "x"), "too few pieces"),
        (("move", "A", "1", "--from", "main", "--to", "nowhere", "--id", "x"), "no location of"),
        (("receive", "A", "1", "--receipt", "x", "--at", "Main"), "no location of"),
        (("damage", "A", "40", "--id", "x"), "too few pieces"),
        (("write-off", "A", "1", "--id", "x"), "too few pieces"),
        (("count", "A", "2", "--id", "x"), "set aside or damaged"),
        (("receive", "A", "9", "--receipt", "r-1"), "booked with other goods"),
        (("move", "A", "1", "--from", "main", "--to", "main", "--id", "x"), "another location"),
        (("damage", "A", "1", "--id", "4242-4242-4242-4242"), "--id"),
        (("count", "A", "-1", "--id", "x"), "Usage"),
    ],
)
def test_what_cannot_be_is_refused_in_words_and_changes_nothing(
    shell: Shell, arguments: tuple[str, ...], words: str
) -> None:
    """Exit 1 where the store says no, 2 where the command is wrong."""
    assert shell.run("receive", "A", "5", "--receipt", "r-1")[0] == 0
    anyio.run(shell.stock.reserve, "order", {"A": 3})
    code, told = shell.run(*arguments)
    assert code in (1, 2), told
    assert words in told
    assert "4242" not in told
    assert all_levels(shell.table) == {A: Level(5, 2, 3)}


def test_drift_is_shown_repaired_and_gone(shell: Shell) -> None:
    """Exit 1 while something does not fit; 0 once it was put right, and afterwards."""
    shell.run("receive", "A", "5", "--receipt", "r-1")
    anyio.run(shell.stock.reserve, "order", {"A": 1})
    anyio.run(shell.stock.reserve, "ended", {"A": 1})
    assert shell.run("reconcile", "--look-again", "0")[0] == 1
    shell.table._items[("sku/A",)].update(reserved=4, available=1)
    code, told = shell.run("reconcile", "--look-again", "0")
    assert code == 1
    assert "A at main  reserved_differs  ours 2, theirs 4" in told
    assert "order_ended  ours 1, theirs 0  ended" in told
    code, told = shell.run("reconcile", "--repair", "--look-again", "0", "--json")
    assert code == 0, told
    assert {one["outcome"] for one in json.loads(told)["findings"]} == {
        "reserved 4 -> 2, available 1 -> 3",
        "released",
    }
    code, told = shell.run("reconcile", "--look-again", "0")
    assert (code, told) == (0, "1 level, 0 things do not fit\n")
    assert shell.level(A) == Level(5, 4, 1)


def test_the_books_are_closed_by_hand_too(shell: Shell) -> None:
    """What has left is off what is on hand."""
    shell.run("receive", "A", "5", "--receipt", "r-1")
    anyio.run(shell.stock.reserve, "order", {"A": 2})
    anyio.run(shell.stock.commit, "order", "s", {"main": {"A": 2}})
    assert shell.run("close") == (0, "2 pieces that had left: off what is on hand\n")
    assert shell.run("close") == (0, "0 pieces that had left: off what is on hand\n")
    assert shell.level(A) == Level(3, 3, 0)


def test_a_count_of_an_article_that_nobody_keeps_is_a_typing_error_until_it_is_said_to_be_new(shell: Shell) -> None:
    """Else it would begin to be kept, and every order of the right one would find none. Once it is kept, at another location too."""
    code, told = shell.run("count", "WIDGTE", "5", "--id", "c-1")
    assert (code, "stock does not know it" in told) == (1, True)
    assert all_levels(shell.table) == {}
    for arguments in (("--new",), (), ("--at", "north")):
        code, told = shell.run("count", "WIDGET", "5", "--id", f"c-{len(arguments)}", *arguments)
        assert code == 0, told
    assert shell.level(Place("north", "WIDGET")) == Level(5, 5, 0)


def test_who_waits_for_goods_is_told_when_they_are_booked_in(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of these articles, and of no others; what becomes of it, the goods are booked in."""
    asked: list[Any] = []
    found = [Woken(["order-1"], 3), Woken([], 3), Woken(["order-1", "order-2"], 500, more=True)]

    async def waiting(*_arguments: Any, skus: Any) -> Woken:
        asked.append(set(skus))
        if not found:
            raise ListsUnavailable("the table is away")
        return found.pop(0)

    monkeypatch.setattr(stock_waking, "wake_waiting", waiting)
    monkeypatch.setattr(stock_waking, "due_lists", lambda _core: None)
    monkeypatch.setattr(stock_waking, "order_sweep", lambda _core: None)
    for number, says in enumerate(
        (
            "10 x A; 1 order that waited for it looked at again\n",
            "10 x A\n",
            "`orderstore stock wake` looks at all",
            "could not be looked at (ListsUnavailable)",
        )
    ):
        code, told = shell.run("receive", "A", "10", "--receipt", f"r-{number}")
        assert (code, says in told) == (0, True), told
    assert asked == [{"A"}] * 4
    assert shell.level(A).available == 40
    assert shell.run("damage", "A", "1", "--id", "d")[0] == 0
    assert len(asked) == 4, "nothing has come in"
