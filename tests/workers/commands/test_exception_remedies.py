"""Each action of an exception comes with the whole command that does it: one that exists, and takes what it is given."""

import shlex
from datetime import timedelta
from pathlib import Path
from typing import Any, get_args

import pytest
import typer

from orderstore.codec import timestamp
from orderstore.domain import events as e
from orderstore.domain.allowances import STAGES
from projections.answers.exceptions import PARKED_ACTIONS
from projections.views.exception_causes import begins
from projections.views.exception_entries import STAGE_KINDS, Kind
from tests.builders import NOON
from workers.cli import build
from workers.commands.exceptions.remedies import commands_for

ORDER = "00000000-0000-4000-8000-000000000001"
LATER = NOON + timedelta(hours=1)
FILLED_IN = {
    "LINE:PIECES:CONDITION": "0:1:sellable",
    "LINE:PIECES": "0:1",
    "NOTE": "seen",
    "REASON": "because",
    "TOKEN": "pm_card_visa",
}
BEGINNINGS: tuple[e.Event, ...] = (
    e.OrderHeld(hold_id="address-1", reason="address"),
    e.OrderCancellationDeclined(reason="dispatched"),
    e.FraudReviewRequested(),
    *(
        e.OrderProcessStalled(stage=stage, subject=subject, since=NOON, due_at=LATER)
        for stage in STAGES
        for subject in (None, "a parcel's id")
    ),
    e.PaymentOutcomeUnknown(attempt=1),
    e.PaymentAuthorizationExpired(provider_reference="pi_1"),
    e.RefundFailed(refund_id="r-1", attempt=1, code="expired"),
    e.PaymentDisputed(dispute_id="du_1", amount_minor=1, reason="fraudulent"),
    e.ShipmentFailed(shipment_id="s-1", code="lost"),
    e.ReturnRequested(return_id="back-1", lines=(e.Pieces(line=0, quantity=1),), reason="other"),
    e.ReturnReceived(return_id="back-1"),
    e.DiscrepancyFound(area="stock", kind="not_held", subject="s", ours=1, theirs=0),
)


def entry_of(event: e.Event) -> dict[str, Any]:
    entry = begins(event, timestamp(NOON))
    assert entry is not None
    return {"kind": entry.kind, "cause": entry.cause, "reference": entry.reference, "actions": list(entry.actions)}


PARKED = {"kind": "parked", "cause": "CodecError", "reference": "views", "actions": list(PARKED_ACTIONS)}
ENTRIES = [*map(entry_of, BEGINNINGS), PARKED]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: f"{entry['kind']} {entry['cause']}")
def test_each_action_has_a_command_that_the_program_takes(entry: dict[str, Any]) -> None:
    """With what stands in capitals filled in. Nothing is run: the words are read, and that is all."""
    commands = commands_for(ORDER, entry)
    assert len(commands) >= len(entry["actions"])
    for command in commands:
        for word, meant in FILLED_IN.items():
            command = command.replace(word, meant)  # noqa: PLW2901 - filled in, one after the other
        program, *words = shlex.split(command)
        assert program == "orderstore"
        assert not set(command) & set("|<>;&$*"), "a shell would do something else with it"
        read(words)
        assert ORDER in words


def read(words: list[str]) -> None:
    """Raises click's UsageError: there is no such command, or it does not take these words."""
    group: Any = typer.main.get_command(build())
    while hasattr(group, "commands"):
        group, words = group.commands[words[0]], words[1:]
    group.make_context(group.name, words)


def test_every_kind_is_among_them() -> None:
    """One that is added is told here."""
    assert {entry["kind"] for entry in ENTRIES} == {*get_args(Kind), *STAGE_KINDS.values(), "parked"}


def test_a_command_is_for_the_environment_that_was_looked_at() -> None:
    """Copied, it would work on the usual one otherwise."""
    for command in commands_for(ORDER, ENTRIES[0], Path("my state")):
        assert command.endswith(" --state-dir 'my state'")
        read(shlex.split(command)[1:])


def test_what_is_over_has_no_command() -> None:
    """Nobody is to do anything about it any more."""
    assert commands_for(ORDER, {**ENTRIES[0], "endedAt": "2026-03-01T12:00:00.000Z"}) == []


def test_what_others_wrote_is_one_word() -> None:
    """An id is copied into a shell."""
    (release, _) = commands_for(ORDER, entry_of(e.OrderHeld(hold_id="a; rm -rf /", reason="address")))
    assert shlex.split(release)[-1] == "a; rm -rf /"
