"""The harness's own arithmetic, plans and judgement; no process, no clock."""

import json
from pathlib import Path

import pytest

from tests.e2e.chaos.plan import Blow, draw_plan
from tests.load import __main__ as program
from tests.load import hot, soak, year
from tests.load.asked import Asked, Unable
from tests.load.clients import ROUNDS, draw_steps
from tests.load.customers import Answer, Took, draw_orders, promise_broken
from tests.load.draining import Standing
from tests.load.figures import usage
from tests.load.limits import judge_intake, judge_processes, judge_standing
from tests.load.looks import sample
from tests.load.machine import TooFewFiles, enough_files
from tests.load.pages import series_of
from tests.load.report import Limit, Report
from tests.load.sampling import look_at, sums
from tests.workers.intake.csv_files import needs_whole_file, row, write_csv
from workers.intake.online_retail.feed import StagedFile


def report() -> Report:
    """An empty one."""
    return Report(scenario="burst", command="python -m tests.load burst --seed 7", began="then")


def test_a_leak_and_a_giant_break_the_limits_unless_they_are_not_ours() -> None:
    """The emulator may grow as it likes; a role may not."""
    leaking = [sample(work, 100 + work / 100, descriptors=work // 10) for work in range(0, 6_001, 100)]
    for name, passed in (("api", False), ("emulator", True)):
        for judge in (judge_processes, judge_standing):
            found = report()
            found.processes = [usage(name, leaking, processor_s=1)]
            judge(found)
            assert found.passed is passed
    giant = report()
    giant.processes = [usage("relay", [sample(0, 900), sample(1, 100)], processor_s=1)]
    judge_processes(giant)
    assert [limit.name for limit in giant.limits if not limit.kept] == ["peak memory of relay, MiB"]


@pytest.mark.parametrize(
    ("limit", "kept"),
    [
        (Limit(name="x", value=0.9, at_least=0.9), True),
        (Limit(name="x", value=0.89, at_least=0.9), False),
        (Limit(name="x", value=5.0, at_most=5.0), True),
        (Limit(name="x", value=5.1, at_most=5.0), False),
        (Limit(name="x", value=1.0, at_least=1.0, at_most=1.0), True),
        (Limit(name="x", value=1.1, at_least=1.0, at_most=1.0), False),
    ],
)
def test_limits_hold_on_both_sides(limit: Limit, kept: bool) -> None:
    """At the limit is kept; past it is not."""
    assert limit.kept is kept


def test_a_report_says_what_broke_and_how_to_see_it_again(tmp_path: Path) -> None:
    """A run passes when nothing broke and every limit was kept; else the text ends with its own command."""
    found = report()
    found.figures["the drain"] = {"orders": 10_100, "orders/s": 2.51}
    found.judge("speed", 1.0, at_least=0.5)
    assert found.passed
    assert "Again with" not in str(found)
    found.troubles.append("order-1 is lost")
    assert not found.passed
    assert str(found).endswith("order-1 is lost\n\nAgain with: python -m tests.load burst --seed 7")
    found.write(tmp_path / "report.json")
    document = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert (document["passed"], document["figures"]["the drain"]["orders"]) == (False, 10_100)


def test_what_a_run_could_not_begin_with_is_told_and_ends_with_2(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Missing data is not a broken service."""

    def unable(*_: object, **__: object) -> None:
        raise Unable("the real orders are not there")

    monkeypatch.setattr(program, "perform", unable)
    assert program.main(["year"]) == 2
    assert "the real orders are not there" in capsys.readouterr().err


def test_a_run_that_breaks_off_ends_with_1_and_with_what_it_found(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Figures found before are shown and written; the command stands at the end."""

    def breaks(_: object, found: Report, asked: Asked, **__: object) -> None:
        assert asked == Asked(seed=9, orders=5, minutes=20.0, per_s=2.0)
        found.figures["accepted"] = 4
        found.troubles.append("one was lost")

    monkeypatch.setattr(program, "perform", breaks)
    assert program.main(["burst", "--orders", "5", "--seed", "9", "--json", str(tmp_path / "out")]) == 1
    said = capsys.readouterr().out
    assert "one was lost" in said
    assert f"Again with: python -m tests.load burst --orders 5 --seed 9 --json {tmp_path}/out" in said
    assert json.loads((tmp_path / "out").read_text(encoding="utf-8"))["figures"]["accepted"] == 4


async def test_the_year_without_its_file_says_where_to_get_it(tmp_path: Path) -> None:
    """Nothing is run, and the message names the data set and the option."""
    with pytest.raises(Unable, match=r"10\.24432/C5BW33.*--data"):
        await year.run(None, tmp_path, report(), Asked(data=tmp_path / "missing.csv"))  # type: ignore[arg-type]


def test_orders_of_a_seed_are_the_same_ones_and_phases_never_share_a_key() -> None:
    """A repeated run asks for the same; two phases of one run place different orders."""
    assert draw_orders(7, "burst", 50) == draw_orders(7, "burst", 50)
    assert draw_orders(7, "burst", 50) != draw_orders(8, "burst", 50)
    keys = [wish.key for name in ("idle", "burst") for wish in draw_orders(7, name, 50)]
    assert len(set(keys)) == 100
    assert {wish.wants for wish in draw_orders(7, "burst", 500)} == {
        "goods",
        "declined",
        "out of stock",
        "both",
        "scarce goods",
    }


def test_every_client_has_its_own_plan_of_a_seed() -> None:
    """All three kinds of request, no order twice."""
    plans = draw_steps(7, 40)
    assert plans == draw_steps(7, 40)
    steps = [step for plan in plans for step in plan]
    assert len(steps) == 40 * ROUNDS
    assert {step.does for step in steps} == {"place", "read", "list"}
    assert len({step.wish.key for step in steps}) == len(steps)


def test_everybody_wants_one_piece_of_the_hot_article() -> None:
    """So that stock and orders come out even."""
    wishes = hot.wishes(7, 20)
    assert {(wish.sku, wish.quantity, wish.copies) for wish in wishes} == {(hot.HOT, 1, 1)}
    assert len({wish.key for wish in wishes}) == 20


def test_the_soak_spares_one_of_each_pair_and_neither_stops_nor_doubles_its_signals() -> None:
    """What is never hit shows what grows; blows are a function of the seed."""
    seats = soak.hit_seats()
    assert [seat.name for seat in seats] == ["api", "streams-2", "workers-2"]
    plans = [draw_plan(7, seats, hits=30, first_s=20, last_s=1_000, blows=soak.BLOWS) for _ in range(2)]
    assert plans[0] == plans[1]
    assert {hit.blow for hit in plans[0]} == {Blow.KILL, Blow.TERM}
    assert {hit.seat for hit in plans[0]} == {seat.name for seat in seats}


@pytest.mark.parametrize(
    ("answer", "broken"),
    [
        (Answer(202, {}, b"{}"), False),
        (Answer(200, {}, b"{}"), False),
        (Answer(429, {"retry-after": "1"}, b"{}"), False),
        (Answer(429, {}, b"{}"), True),
        (Answer(503, {"retry-after": "5"}, b"{}"), False),
        (Answer(503, {}, b"Service Unavailable"), True),
        (Answer(500, {"retry-after": "5"}, b"{}"), True),
        (Answer(404, {"content-type": "application/problem+json"}, b"{}"), False),
        (Answer(404, {"content-type": "text/plain"}, b"no"), True),
    ],
)
def test_a_client_under_load_may_be_sent_away_but_is_told_when_to_come_again(answer: Answer, broken: bool) -> None:
    """2xx, problem documents, and 429 and 503 with Retry-After; nothing else."""
    assert (promise_broken(answer) is not None) is broken


def test_what_was_taken_comes_to_figures() -> None:
    """Rate, quantiles, and what had to be asked again."""
    took = Took(latencies_s=[0.1] * 99 + [2.0], seconds=10.0)
    took.statuses.update({202: 100, 503: 3})
    figures = took.figures()
    assert (figures["accepted"], figures["accepted/s"], figures["repeated requests"]) == (100, 10.0, 3)
    assert figures["p50 ms"] == figures["p99 ms"] == pytest.approx(100)


def test_a_standing_is_empty_only_without_any_message_and_moves_only_with_one() -> None:
    """Marks go on by themselves while something is stuck."""
    stuck = Standing({"payment": 1, "billing": 0}, {}, (1, 1))
    assert not stuck.empty
    assert not Standing({"payment": 1, "billing": 0}, {}, (9, 9)).moved_since(stuck)
    assert Standing({"payment": 0, "billing": 0}, {"payment-dlq": 1}, (9, 9)).moved_since(stuck)
    assert Standing({"payment": 0, "billing": 0}, {}, (1, 1)).empty
    assert str(stuck) == "payment 1"


PAGE = """# HELP orderstore_tasks x
orderstore_tasks 41.0
orderstore_events_published_total 7.0
orderstore_messages_handled_total{queue="inventory",outcome="done"} 12.0
orderstore_messages_handled_total{queue="inventory",outcome="retried"} 0.0
orderstore_messages_handled_total{queue="payment",outcome="done"} 3.0
"""


def test_pages_are_summed_over_labels_and_shown_without_noughts() -> None:
    """A family that the page does not have is missing, not nought."""
    assert sums(PAGE, ("orderstore_tasks", "orderstore_messages_handled_total", "gone")) == {
        "orderstore_tasks": 41,
        "orderstore_messages_handled_total": 15,
    }
    assert series_of(PAGE, ("orderstore_messages_handled_total",)) == {
        'messages_handled{queue="inventory",outcome="done"}': 12,
        'messages_handled{queue="payment",outcome="done"}': 3,
    }


def test_a_process_is_read_from_the_kernel_and_one_that_is_gone_is_none(tmp_path: Path) -> None:
    """Names with blanks and brackets do not shift the columns."""
    folder = tmp_path / "77"
    (folder / "fd").mkdir(parents=True)
    for number in range(3):
        (folder / "fd" / str(number)).touch()
    (folder / "statm").write_text("1000 256 10 1 0 50 0", encoding="ascii")
    fields = ["S", *(["0"] * 10), "150", "50", *(["0"] * 4), "9", "0"]
    (folder / "stat").write_text(f"77 (a (b) c) {' '.join(fields)}", encoding="ascii")
    found = look_at(77, work=5, tasks=None, proc=tmp_path)
    assert found is not None
    seen, processor_s = found
    assert (seen.descriptors, seen.threads, seen.work) == (3, 9, 5)
    assert seen.resident_bytes == 256 * 4096 or seen.resident_bytes % 256 == 0
    assert processor_s > 0
    assert look_at(78, work=5, tasks=None, proc=tmp_path) is None


def test_too_few_files_are_told_before_anything_begins() -> None:
    """What the system allows is raised, or the message says what to do."""
    assert enough_files(64) >= 64
    with pytest.raises(TooFewFiles, match="ulimit"):
        enough_files(2**40)


def test_the_intake_is_judged_only_by_phases_that_lasted() -> None:
    """Slower by a fifth is broken, unless it was a matter of moments."""
    for lasted_s, passed in ((10.0, False), (1.0, True)):
        found = report()
        judge_intake(found, stopped_per_s=80, running_per_s=100, lasted_s=lasted_s)
        assert found.passed is passed
        assert found.figures["accepted/s, workers stopped / running"] == 0.8


def test_a_rate_is_counted_between_the_first_moment_and_the_last() -> None:
    """Eleven moments a second apart are one a second."""
    assert year.rate_of([moment * 1_000 for moment in range(11)]) == (1, 10)
    with pytest.raises(ValueError, match="two moments"):
        year.rate_of([5, 5])


def test_a_year_in_batches_ends_with_its_last_sale() -> None:
    """Each import goes on where the one before it ended, and there is always one."""
    assert year.limits_of(19_959, beside=1_000, batch=6_000) == (7_000, 13_000, 19_000, 19_959)
    assert year.limits_of(60, beside=15, batch=60) == (60,)
    assert year.limits_of(60, beside=0, batch=30) == (30, 60)


def test_what_the_file_sells_is_added_up_by_the_penny(tmp_path: Path) -> None:
    """Lines, pieces by article, and each order's own rounding."""
    file = write_csv(
        tmp_path,
        row("536365", "A", 2, "2.55"),
        row("536365", "B", 3, "0.001"),
        row("536366", "A", 1, "1.00", at="2010-12-01 08:28:00"),
    )
    sold = year.read_sales(file, None)
    assert (sold["orders"], sold["lines"], sold["minor"]) == (2, 3, 510 + 100)
    assert sold["pieces"] == {"A": 3, "B": 3}
    assert year.read_sales(file, 1)["orders"] == 1


@needs_whole_file
@pytest.mark.real_data
def test_the_year_is_the_one_of_the_readme(staged_year: StagedFile) -> None:
    """All sales and lines of the real file."""
    sold = year.summed(staged_year.sales())
    assert (sold["orders"], sold["lines"]) == (19_959, 530_503)  # C16
    assert str(sold["exact"]) == "10655622.484"
