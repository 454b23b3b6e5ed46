"""The page about laptops is true: each command does what it says, each line of settings is one that a service starts with."""

import re
import shlex
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import pytest
from typer.testing import CliRunner, Result

from orderstore.domain import events as e
from orderstore.domain.parts import EditStatus
from orderstore.orders import placed
from tests.workers.commands.test_stock_commands import Shell
from tests.workers.world import World
from workers import settings as settings_module
from workers.cli import build
from workers.commands import passing_on, stock_waking
from workers.commands.environment import LOCAL_NUMBERS
from workers.commands.exceptions import looking
from workers.commands.orders import options
from workers.commands.sandbox import playing
from workers.sweeping.waking import Woken

PAGE = (Path(__file__).parents[3] / "docs" / "laptop.md").read_text()
SETTINGS = re.findall(r"^ORDERSTORE_.* orderstore up$", PAGE, re.MULTILINE)
COMMANDS = re.findall(r"^orderstore .*$", PAGE, re.MULTILINE)
SELLERS = re.search(r"```toml\n(.*?)```", PAGE, re.DOTALL)
AFTER_A_DECLINE = {"terms": {"paymentRetryS": 3_600}}


class Playground:
    """One world for all commands of a test; each runs in a loop of its own, as in life."""

    def __init__(self) -> None:
        self.world = World()
        self.providers = "sandbox"

    def with_core(self, _state_dir: Any, work: Callable[[Any], Awaitable[Any]]) -> Any:
        core = SimpleNamespace(orders=self.world.orders, settings=SimpleNamespace(providers=self.providers))
        return anyio.run(work, core)

    async def hint(self, _core: Any, history: Any) -> None:
        await self.world.hint("payment", history)
        await self.world.deliver()

    async def notice(self, _core: Any, reference: str) -> None:
        self.world.send("payment", playing.notice_body(reference))
        await self.world.deliver()

    def placed(self, method: str | None = None, **fields: Any) -> str:
        async def main() -> str:
            paid = {} if method is None else {"paymentMethod": method}
            order_id = await self.world.place(**paid, **fields)
            await self.world.deliver()
            return order_id

        return anyio.run(main)

    def events(self, order_id: str) -> list[Any]:
        async def main() -> Any:
            return await self.world.orders.load(order_id)

        return [recorded.event for recorded in anyio.run(main).events]

    def delivered(self) -> None:
        anyio.run(self.world.deliver)


@pytest.fixture
def playground(monkeypatch: pytest.MonkeyPatch) -> Playground:
    made = Playground()
    monkeypatch.setattr(playing, "with_core", made.with_core)
    monkeypatch.setattr(options, "with_core", made.with_core)
    monkeypatch.setattr(playing, "ledger_of", lambda _core: made.world.ledger)
    monkeypatch.setattr(playing, "hint", made.hint)
    monkeypatch.setattr(playing, "notice", made.notice)
    return made


def run(*words: str) -> Result:
    return CliRunner().invoke(build(), list(words), env={"COLUMNS": "200"})


def test_every_command_on_orders_does_what_it_says(playground: Playground) -> None:
    """In their order; what the order says to it stands behind the command."""
    known = {
        "$ASKED": playground.placed("pm_sandbox_action"),
        "$REFUSED": playground.placed("pm_sandbox_action", **AFTER_A_DECLINE),
        "$SILENT": playground.placed("pm_sandbox_action"),
        "$PAID": playground.placed(),
        "$ROBBED": playground.placed(),
    }
    commands = [line for line in COMMANDS if "$" in line]
    for line in commands:
        command, _, said = line.partition("#")
        for name, order_id in known.items():
            command = command.replace(name, order_id)
        result = run(*shlex.split(command)[1:])
        assert result.exit_code == 0, (line, result.output)
        for word in re.findall(r"[A-Z][a-z]+[A-Z]\w+", said.partition("(")[0]):
            assert word in result.output, (line, result.output)
    assert len(commands) > 7


def test_another_card_while_the_bank_waits_is_the_only_one_that_pays(playground: Playground) -> None:
    """The question was withdrawn: who answers it afterwards is too late."""
    order_id = playground.placed("pm_sandbox_action")
    assert run("orders", "retry-payment", order_id, "--method", "pm_card_visa", "--by", "olga").exit_code == 0
    playground.delivered()
    late = run("sandbox", "bank", order_id, "yes")

    assert (late.exit_code, "the bank asks nothing" in late.output) == (1, True)
    events = playground.events(order_id)
    assert [one.attempt for one in events if isinstance(one, e.PaymentCompleted)] == [2]
    assert [one.amount_minor for one in events if isinstance(one, e.PaymentCaptured)] == [90_000]
    assert e.OrderActionAnswered(action_id="payment:1", answer="accepted") in events
    assert anyio.run(playground.world.effects).count("capture") == 1


@pytest.mark.parametrize(
    ("answer", "says", "became"),
    [
        ("yes", "OrderEditApplied", EditStatus.APPLIED),
        ("no", "OrderEditDeclined", EditStatus.DECLINED),
        ("never", "the edit is declined when the time for it is over", EditStatus.OPEN),
    ],
)
def test_the_bank_asks_again_for_what_is_added(
    playground: Playground, answer: str, says: str, became: EditStatus
) -> None:
    """The order is paid, and its card is one whose bank asks each time."""
    order_id = playground.placed("pm_sandbox_action", terms={"review": True})
    assert "OrderConfirmed" in run("sandbox", "bank", order_id, "yes").output
    assert run("orders", "edit", order_id, "--add", "MOUSE-002:1:25", "--by", "olga").exit_code == 0
    playground.delivered()
    said = run("sandbox", "bank", order_id, answer)

    assert (said.exit_code, says in said.output) == (0, True), said.output
    (edit,) = placed(anyio.run(playground.world.orders.load, order_id)).edits
    assert edit.status is became


def test_who_answers_once_has_answered(playground: Playground) -> None:
    """Never is an answer too."""
    order_id = playground.placed("pm_sandbox_action")
    for _ in range(2):
        never = run("sandbox", "bank", order_id, "never")
        assert (never.exit_code, "the order is undone when the time for it is over" in never.output) == (0, True)
    late = run("sandbox", "bank", order_id, "yes")
    assert (late.exit_code, "the first answer stands" in late.output) == (1, True)


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("bank", "$PAID", "yes"), 1, "the bank asks nothing: the payment is captured"),
        (("bank", "$PAID", "perhaps"), 2, "one of yes, no, never"),
        (("bank", "nobody", "yes"), 1, "there is no order"),
        (("dispute", "$PAID", "won"), 1, "open a dispute first"),
        (("dispute", "$PAID", "open", "--amount-minor", "90001"), 1, "90000 minor units were taken"),
        (("dispute", "$PAID", "open", "--amount-minor", "0"), 2, "amount-minor"),
        (("dispute", "$PAID", "open", "--reason", "because of ada@example.com"), 2, "--reason"),
        (("dispute", "$PAID", "won", "--amount-minor", "1"), 2, "only when it is opened"),
        (("dispute", "$ASKED", "open"), 1, "no money was taken"),
        (("dispute", "$PAID", "closed"), 2, "one of open, won, lost"),
    ],
)
def test_what_cannot_be_played_is_said_in_words(
    playground: Playground, words: tuple[str, ...], code: int, says: str
) -> None:
    """And nothing is changed."""
    known = {"$PAID": playground.placed(), "$ASKED": playground.placed("pm_sandbox_action")}
    before = anyio.run(playground.world.effects)
    result = run("sandbox", *(known.get(word, word) for word in words))

    assert (result.exit_code, says in result.output) == (code, True), result.output
    assert anyio.run(playground.world.effects) == before


def test_a_dispute_is_one_and_its_end_is_one(playground: Playground) -> None:
    """Repeated, it is as it was; otherwise, it is refused."""
    order_id = playground.placed()
    for words, code in (
        (("open",), 0),
        (("open", "--amount-minor", "1"), 1),
        (("lost",), 0),
        (("won",), 1),
    ):
        result = run("sandbox", "dispute", order_id, *words)
        assert result.exit_code == code, result.output
    outcomes = [one.outcome for one in playground.events(order_id) if isinstance(one, e.PaymentDisputeClosed)]
    assert outcomes == ["lost"]


@pytest.mark.parametrize("words", [("bank", "o", "yes"), ("dispute", "o", "open")])
def test_where_no_sandbox_is_nobody_plays(playground: Playground, words: tuple[str, ...]) -> None:
    """Before anything is looked at."""
    playground.providers = "stripe"
    result = run("sandbox", *words)
    assert result.exit_code == 1
    assert "ORDERSTORE_PROVIDERS is stripe: only the sandbox can be played with" in result.output


@pytest.mark.parametrize("line", SETTINGS)
def test_a_service_starts_with_these_settings(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them are the business's own."""
    assert SELLERS is not None
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sellers.toml").write_text(SELLERS[1])
    variables = dict(word.split("=", 1) for word in shlex.split(line)[:-2])
    monkeypatch.setattr(settings_module.os, "environ", variables)

    assert passing_on.given_here(LOCAL_NUMBERS, {}).keys() == variables.keys()
    assert passing_on.unused() == []


def test_the_commands_on_goods_run_as_they_stand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Over the two places of the page."""
    shell = Shell(monkeypatch, locations="main=GB+IE,berlin=DE+AT")
    found = Woken(["order-1"], 1)

    async def nobody(*_arguments: Any, **_options: Any) -> Woken:
        return found

    monkeypatch.setattr(stock_waking, "wake_waiting", nobody)
    monkeypatch.setattr(stock_waking, "due_lists", lambda _core: None)
    monkeypatch.setattr(stock_waking, "order_sweep", lambda _core: None)
    commands = [line for line in COMMANDS if line.startswith("orderstore stock")]
    for line in commands:
        code, told = shell.run(*shlex.split(line)[2:])
        assert code == 0, (line, told)
    assert len(commands) > 4


def test_what_is_left_of_the_page_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each other command by its name."""
    monkeypatch.setattr(looking, "with_core", lambda _dir, _work: [])
    rest = [line for line in COMMANDS if "$" not in line and not line.startswith("orderstore stock")]
    for line in rest:
        assert run(*shlex.split(line)[1:]).exit_code == 0, line
    assert SETTINGS
    assert rest
