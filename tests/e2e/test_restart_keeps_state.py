"""Stopping is not an end: the next start has everything, goes on where the last one was, and does nothing twice."""

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from deploy.local import environment as local
from orderstore.registry import CONSUMERS
from tests.e2e import books
from tests.e2e.emulated import Emulated
from tests.e2e.programs import Api, Finished, Program, running
from tests.waiting import eventually
from workers.intake.opening import INTAKE
from workers.notification.opening import MAIL_FEEDBACK

pytestmark = pytest.mark.e2e

ORDERS = 30
SEED = 5
DEMO = ("demo", "--orders", str(ORDERS), "--seed", str(SEED), "--json")
SUBSCRIPTIONS = {"views", "relay"}
TOTALS = ("orders", "orders_by_state", "unexpected", "events", "invoices", "notifications", "dead_letters", "ok")
FINISH_S_MAX = 150
DRAIN_S_MAX = 40
"""The drain's budget is 20 s in the embedded environment; then the emulator saves its state."""


def entries(program: Program, event: str, *, after: int = 0) -> list[dict[str, Any]]:
    """The lines of the log that report an event."""
    return [entry for entry in program.log_entries()[after:] if entry["event"] == event]


def wait_for_handled(program: Program, count: int) -> None:
    """Wait until this start has handled so many messages."""
    before = len(entries(program, "handled"))
    eventually(
        lambda: len(entries(program, "handled")) - before >= count,
        what=f"{count} messages are handled",
        within_s=60,
        process=program.process,
    )


def positions(state_dir: Path) -> set[str]:
    """The subscriptions that have stored how far they have read: what they would lose with the stream."""
    rows = Emulated.of(state_dir).rows("leases")
    return {row["subscription"] for row in rows if row["checkpoint"].isdecimal()}


def everything(emulated: Emulated) -> dict[str, list[str]]:
    """Every item of every table but the leases, which live from being renewed."""
    tables = ("events", "views", "series", "payments", "inventory", "notifications", "privacy-keys", "sandbox")
    return {
        table: sorted(json.dumps(item, default=repr, sort_keys=True) for item in emulated.items(table))
        for table in tables
    }


def run_to_the_end(state_dir: Path, folder: Path) -> tuple[Finished, Program]:
    """The same demo once more, to its end."""
    with running(*DEMO, "--exit", state_dir=state_dir, folder=folder) as program:
        return program.finish(within_s=FINISH_S_MAX), program


def test_stopped_in_the_middle_it_goes_on_at_the_next_start_and_a_third_start_finds_nothing_to_do(
    state_dir: Path, tmp_path: Path
) -> None:
    """SIGINT drains; the stream's records are lost with the emulator; both subscriptions notice, count and heal the gap."""
    with running(*DEMO, state_dir=state_dir, folder=tmp_path) as program:
        wait_for_handled(program, 25)
        eventually(lambda: positions(state_dir) == SUBSCRIPTIONS, what="both have a position", process=program.process)
        assert program.interrupt(within_s=DRAIN_S_MAX) == 1, "the demo did not end, and says so"
        assert "Traceback" not in program.err
        drained = entries(program, "drained")
        assert {entry["queue"] for entry in drained} == {*CONSUMERS, MAIL_FEEDBACK, INTAKE}
        assert all(entry["unsettled"] == 0 for entry in drained), drained
        assert local.status(state_dir)["state"] == "stopped", "Ctrl-C leaves nothing running"
        lines_before = len(program.log_entries())

    with running(*DEMO, state_dir=state_dir, folder=tmp_path) as program:
        eventually(
            lambda: program.out.endswith("}\n"), what="the demo ends", within_s=FINISH_S_MAX, process=program.process
        )
        first = json.loads(program.out)
        assert first["ok"], first
        assert first["orders"] == ORDERS

        def told(event: str) -> set[str]:
            return {entry["subscription"] for entry in entries(program, event, after=lines_before)}

        # An order may end before the rest of the table, where nothing is missing, has been gone through.
        eventually(lambda: told("back-filled") == SUBSCRIPTIONS, what="both are back-filled", process=program.process)
        assert told("stream gap") == SUBSCRIPTIONS
        api = Api(first["addresses"]["API"], first["addresses"]["token"])
        for subscription in SUBSCRIPTIONS:
            assert api.metric("orderstore_stream_gaps_total", subscription=subscription) >= 1
            assert api.metric("orderstore_stream_backfills_total", subscription=subscription, result="done") >= 1
        emulated = Emulated.of(state_dir)
        eventually(
            lambda: all(message.queue.endswith("-dlq") for message in emulated.queued()),
            what="what was published again is dropped",
            process=program.process,
        )
        written = books.open_books(state_dir, seed=SEED, count=ORDERS)
        books.check(written, mails_kept=False)
        before = everything(written.emulated)
        assert program.interrupt(within_s=DRAIN_S_MAX) == 0

    again, program = run_to_the_end(state_dir, tmp_path)
    assert again.code == 0, again.said
    assert again.document["orders_new"] == 0
    assert {name: again.document[name] for name in TOTALS} == {name: first[name] for name in TOTALS}
    local.start(state_dir)
    assert everything(Emulated.of(state_dir)) == before, "not a row is new, gone or touched"  # design 1.1, 1.3


def test_when_the_emulator_is_killed_too_what_its_last_snapshot_kept_is_finished(
    state_dir: Path, tmp_path: Path
) -> None:
    """The power goes: the world falls back to one whole moment, and from there every order is finished once."""
    with running(*DEMO, state_dir=state_dir, folder=tmp_path) as program:
        wait_for_handled(program, 25)
        snapshots = state_dir / "emulator" / "state"
        eventually(
            lambda: (snapshots / "dynamodb.json").exists(), what="a snapshot", within_s=30, process=program.process
        )
        emulator = local.status(state_dir)["pid"]
        program.kill()
        os.kill(emulator, signal.SIGKILL)
        eventually(lambda: local.status(state_dir)["state"] == "stopped", what="the emulator is gone")

    again, _ = run_to_the_end(state_dir, tmp_path)
    # Objects are on the disk at once, tables with the next snapshot: the archive may hold commits that the tables have lost and that were
    # made otherwise since. It says so (OrderForked) and gives the hints up; nothing else may be left.
    forked = again.document["dead_letters"].pop("archive")
    assert again.code == (1 if forked else 0), again.said
    assert not any(again.document["dead_letters"].values()), again.said
    assert (again.document["unexpected"], again.document["doubled"]) == ([], 0)
    assert again.document["orders"] == ORDERS
    local.start(state_dir)
    books.check(books.open_books(state_dir, seed=SEED, count=ORDERS), mails_kept=False, objects_ahead=True)
