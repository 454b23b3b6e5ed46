"""Whatever moment the process dies at: after a restart every order is finished, no effect is missing, and none is double."""

import json
import os
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from tests import commands
from tests.e2e import books
from tests.e2e.emulated import Emulated
from tests.e2e.programs import Program, running
from tests.waiting import ends, eventually

pytestmark = pytest.mark.e2e

ORDERS = 40
SEED = 11
KILLS = 4
LINES_MAX = 160
"""Of the log between a start and its end: four for each order, which writes several times as many until it ends."""
FINISH_S_MAX = 240
"""A killed process leaves its messages hidden for 30 s, and its half-sent mails claimed for 60 s."""


def test_killed_at_random_moments_and_started_again_it_finishes_every_order_exactly_once(
    state_dir: Path, tmp_path: Path
) -> None:
    """Four SIGKILLs, the first while it starts; then ledger, stock, parcels, notifications, invoices, views and chains agree."""
    seed = int(os.environ.get("E2E_SEED", "0")) or int.from_bytes(os.urandom(4), "big")
    random = Random(seed)
    moments: list[str] = []
    caught: Counter[str] = Counter()
    demo = ("demo", "--orders", str(ORDERS), "--seed", str(SEED), "--json")
    try:
        for number in range(KILLS):
            with running(*demo, state_dir=state_dir, folder=tmp_path) as program:
                moments.append(
                    f"{wait_a_while(program, random):.1f} s after a start"
                    if number == 0
                    else f"after {wait_for_work(program, random)} log lines"
                )
                program.kill()
            caught += mails_under_way(state_dir)
        with running(*demo, state_dir=state_dir, folder=tmp_path) as program:
            eventually(
                lambda: program.out.endswith("}\n"),
                what="the demo ends",
                within_s=FINISH_S_MAX,
                process=program.process,
            )
            summary = json.loads(program.out)
            assert summary["ok"], summary
            assert summary["orders"] == ORDERS
            written = books.open_books(state_dir, seed=SEED, count=ORDERS)
            books.check(written)
            # SES takes no idempotency key: who dies between its answer and the next write cannot know. Nobody else repeats.
            assert books.mails_too_many(written) <= books.addresses(caught, seed=SEED, count=ORDERS)
            assert summary["invoices"] == sum(written.names(order)["InvoiceIssued"] for order in written.orders)
            verified = commands.orderstore("audit", "verify", "--json", "--state-dir", str(state_dir), cwd=tmp_path)
            assert verified.code == 0, verified.said
            assert verified.document["orders"] == ORDERS
            compared = commands.orderstore("views", "compare", "--json", "--state-dir", str(state_dir), cwd=tmp_path)
            assert compared.code == 0, compared.said
            assert compared.document["orders"] == ORDERS
            assert program.interrupt() == 0
    except AssertionError as error:
        error.add_note(f"E2E_SEED={seed}: killed {', '.join(moments)}")
        raise
    # E096 E097 E099, design 1.1


def wait_a_while(program: Program, random: Random) -> float:
    """Some moment while the environment is being made and the service starts: a time, since nothing else can be seen."""
    seconds = random.uniform(0.3, 4)
    ends(program.process, within_s=seconds)
    return seconds


def wait_for_work(program: Program, random: Random) -> int:
    """Some moment while it works: when this start has written so many lines to its log."""
    lines = random.randint(1, LINES_MAX)
    before = len(program.log_entries())
    eventually(
        lambda: len(program.log_entries()) - before >= lines,
        what=f"{lines} log lines",
        within_s=90,
        process=program.process,
    )
    return lines


def mails_under_way(state_dir: Path) -> Counter[str]:
    """Orders by the number of their notifications that were being sent when the process died."""
    if not (state_dir / "environment.json").exists():
        return Counter()
    rows = Emulated.of(state_dir).rows("notifications")
    return Counter(row["order"] for row in rows if row["state"] == "sending")
