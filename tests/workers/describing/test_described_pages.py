"""The pages that are made from the code say what the code says, today; and what they are made of is played, not drawn."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from functools import cache, partial
from pathlib import Path
from typing import Literal, get_args

import pytest
from hypothesis import given, settings

from orderstore.domain import events as e
from orderstore.domain.parts import InventoryStatus, PaymentStatus, ReturnStatus, ShipmentStatus
from orderstore.domain.state import INITIAL, evolve
from orderstore.domain.statuses import Order, State
from orderstore.registry import BY_CLASS, EVENT_TYPES
from projections.views import progress
from tests.projections.histories import Groups, histories
from workers.describing.__main__ import main
from workers.describing.catalogue import catalogue, parts
from workers.describing.playing import Played, decisions, play
from workers.describing.samples import LONG_AFTER, NoSample, known_in, samples
from workers.describing.shapes import NOWHERE, ORDER, places, shape
from workers.describing.sources import ROOT, callers
from workers.describing.states import states

thorough = pytest.mark.thorough
"""The whole domain is played once, in some seconds."""


@cache
def played() -> Played:
    return play()


@thorough
@pytest.mark.parametrize("name", ["event-catalogue.md", "order-states.md"])
def test_the_page_is_what_the_code_says(name: str) -> None:
    """Whoever changes an event, a decision or a status writes the pages anew: `python -m workers.describing`."""
    text = {"event-catalogue.md": catalogue, "order-states.md": states}[name](played())
    assert (ROOT / "docs" / name).read_text(encoding="utf-8") == text


@thorough
def test_every_event_of_the_registry_happened() -> None:
    """An event that no decision comes to is dead, or the samples lack the input that it needs."""
    assert {entry.event.__name__ for entry in EVENT_TYPES} - played().happened == set()


@thorough
def test_every_status_of_the_order_was_reached() -> None:
    """And what ends an order is left by nothing."""
    moves = played().moves[ORDER]
    assert {after for _, after in moves} == {of.__name__ for of in get_args(Order)}
    for end in ("Completed", "Cancelled", "Rejected"):
        assert not [move for move in moves if move[0] == end]


@thorough
@pytest.mark.parametrize("kind", [PaymentStatus, InventoryStatus, ShipmentStatus, ReturnStatus])
def test_every_status_of_its_parts_was_reached(kind: type[Enum]) -> None:
    """One that no history leads to is dead, or the samples lack the input that it needs."""
    assert {after for _, after in played().moves[kind.__name__]} == {one.value for one in kind}


@thorough
@settings(derandomize=True, max_examples=200)
@given(histories())
def test_nothing_happens_that_is_not_on_the_page(groups: Groups) -> None:
    """Any legal history, made by other means: each of its moves is an arrow, and each event stands under its status."""
    state: State = INITIAL
    for event in (event for group in groups for event in group):
        before, status, state = places(state), type(state).__name__, evolve(state, event)
        after = places(state)
        assert type(event).__name__ in played().during[status]
        for place in {**before, **after}:
            move = before.get(place, NOWHERE), after.get(place, NOWHERE)
            if move[0] != move[1]:
                assert type(event).__name__ in played().moves[place[0]][move]


def test_two_runs_find_the_same() -> None:
    """Or the page would be out of date by chance."""
    assert play(played_max=20, walks=2) == play(played_max=20, walks=2)


def test_the_budget_is_a_bound_and_is_told() -> None:
    """A page that was cut short says so."""
    cut = play(played_max=5, walks=0)
    assert cut.states == 5
    assert cut.left > 0
    assert "until the budget of 5 states was spent." in states(cut)
    assert "Never met while playing: " in states(cut)


@thorough
def test_every_event_and_every_field_is_in_the_catalogue() -> None:
    """With its version, its owner and its consumers; and every class that a field is made of has its own section."""
    page = catalogue(played())
    sections = {section.partition("\n")[0]: section for section in page.split("\n### ")[1:]}
    for entry in EVENT_TYPES:
        section = sections[entry.name]
        assert f"- version {entry.version}" in section
        assert ("internal" in section) == (not entry.published)
        assert all(consumer in section for consumer in entry.consumers)
        assert [line for line in section.splitlines() if line.startswith("| `")] or "No fields." in section
        for name in entry.event.__dataclass_fields__:
            assert f"| `{name}` |" in section
    assert {part.__name__ for part in parts()} <= set(sections)


@thorough
def test_who_records_an_event_is_found_in_the_source() -> None:
    """The worker that calls the decision, by the names under which it imports it."""
    (decision,) = played().deciding["PaymentVoided"]
    assert decision.endswith(".void_payment")
    assert any(module.startswith("workers/payment/") for module in callers()[decision])


def test_only_what_decides_is_played() -> None:
    """Functions that take a state and return events, wherever in the domain they are written."""
    found = decisions()
    assert {"billing.issue_invoice", "holds.hold"} <= set(found)
    assert {"place", "request_refund", "expire"} <= {name.partition(".")[2] for name in found}
    assert not {"state.evolve", "state.fold", "next_steps.payment_step", "billing.uncredited"} & set(found)


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lamp:
    status: Literal["on", "off"]
    colour: Colour
    lamp_id: str
    since: datetime | None = None
    shades: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    lamps: tuple[Lamp, ...]


def lamp(status: Literal["on", "off"] = "on", number: int = 1, colour: Colour = Colour.RED) -> Lamp:
    return Lamp(status=status, colour=colour, lamp_id=f"lamp-{number}")


def test_a_status_that_nobody_told_of_is_found() -> None:
    """By its name and its few words, wherever it lies: a new part of the order needs no line here."""
    found = places(House(lamps=(lamp(), lamp("off", 2))))  # type: ignore[arg-type]  # any tree of values will do
    assert {place: status for place, status in found.items() if place[0] == "LampStatus"} == {
        ("LampStatus", ".lamps[0].status"): "on",
        ("LampStatus", ".lamps[1].status"): "off",
    }
    assert found["Colour", ".lamps[1].colour"] == "red"


def test_states_that_differ_in_ids_alone_are_one() -> None:
    """And those that differ in a status, a colour or in what there is are not."""
    assert shape(House(lamps=(lamp(number=1),))) == shape(House(lamps=(lamp(number=2), lamp(number=3))))
    assert shape(lamp()) != shape(lamp("off"))
    assert shape(lamp()) != shape(lamp(colour=Colour.BLUE))
    assert shape(House(lamps=())) != shape(House(lamps=(lamp(),)))


def test_samples_try_each_choice_and_take_what_the_state_holds() -> None:
    """One value with the first choices, one more for each other choice of one field; ids are those that the state has."""
    known = known_in(House(lamps=(lamp(number=7),)))
    made = samples(Lamp, "lamp", known)
    assert {one.lamp_id for one in made} == {"lamp-7", "lamp-id-1"}
    assert {one.status for one in made} == {"on", "off"}
    assert {one.colour for one in made} == set(Colour)
    assert (made[0].lamp_id, made[0].since) == ("lamp-7", None)
    assert len(made) == 1 + 1 + 1 + 1 + 2 + 1
    assert samples(datetime, "now", {}) == (LONG_AFTER,)
    with pytest.raises(NoSample):
        samples(complex, "number", {})


def test_what_breaks_its_own_rules_is_left_out() -> None:
    """A text is plain or sealed, never both and never neither."""
    assert all((one.plain is None) != (one.sealed is None) for one in samples(e.FreeText, "reason", {}))


def test_the_command_writes_and_checks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Written once, then up to date; a page that somebody touched is named, and the exit code says so."""
    command = partial(main, docs=tmp_path, made=lambda: {"a.md": "made\n", "b.md": "made too\n"})
    assert command(["--check"]) == 1
    assert not list(tmp_path.iterdir())
    assert command([]) == 0
    assert {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir()} == {
        "a.md": "made\n",
        "b.md": "made too\n",
    }
    assert command(["--check"]) == 0
    capsys.readouterr()
    (tmp_path / "b.md").write_text("drawn by hand", encoding="utf-8")
    assert command(["--check"]) == 1
    assert capsys.readouterr().out == "docs/b.md is out of date\n"
    assert command(["--chekc"]) == 2


@thorough
def test_the_business_s_view_knows_every_open_status() -> None:
    """What the domain can be in and out of again is counted by `progress`, under the same name."""
    moves = played().moves[ORDER]
    left = {before for before, _ in moves} - {NOWHERE}
    assert {name.replace("_", "") for name in progress.OPEN} == {name.upper() for name in left}
    assert set(BY_CLASS) >= progress.REACTS_TO
