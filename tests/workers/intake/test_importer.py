"""The import through a door: in order, bounded, idempotent, and resumable wherever it was ended. # C16 E036 E037"""

import json
from collections import Counter
from decimal import Decimal
from random import Random

import anyio
import pytest

from tests.virtual_time import run_virtual
from tests.workers.intake.csv_files import row, write_csv
from tests.workers.intake.fake_door import FakeDoor
from workers.intake.door import DoorBusy, DoorRefused
from workers.intake.importer import import_orders
from workers.intake.online_retail.model import CancelOrder, FileDamaged, NotOnlineRetail, RejectReason
from workers.intake.tally import ImportHalted, ImportSettings, Phase


class Crash(Exception):
    """Stands for a process that dies."""


def many(sales: int = 40):
    """A file of sales by ten customers; every second one is taken back in two steps, every fourth wholly."""
    rows = []
    for number in range(sales):
        customer = f"{20000 + number % 10}.0"
        rows.append(
            row(
                str(1000 + number),
                f"S{number}",
                4,
                "1.10",
                at=f"2011-01-{1 + number % 28:02d} 09:00:00",
                customer=customer,
            )
        )
        if number % 4 == 0:
            rows.append(row(f"C{2000 + number}", f"S{number}", -4, "1.10", at="2011-02-01 09:00:00", customer=customer))
        elif number % 2 == 0:
            rows.append(row(f"C{2000 + number}", f"S{number}", -1, "1.10", at="2011-02-01 09:00:00", customer=customer))
            rows.append(row(f"C{3000 + number}", f"S{number}", -3, "1.10", at="2011-02-02 09:00:00", customer=customer))
    rows.append(row("C9999", "NEVER SOLD", -1, "1.0", customer="20000.0"))
    return rows


def run(path, door, *, report=None, stop=None, on_progress=lambda _: None, seed=1, **settings):
    async def main():
        return await import_orders(
            path,
            door=door,
            settings=ImportSettings(**settings),
            random=Random(seed),
            on_progress=on_progress,
            report_path=report,
            stop=stop,
        )

    return run_virtual(main)


def test_everything_goes_through_the_door_and_the_sum_is_exact(tmp_path):
    """40 sales, 30 instructions, and the accepted money equals the file's to the last digit."""
    door = FakeDoor()
    result = run(write_csv(tmp_path, *many()), door)
    assert (result.counts.sales_new, result.counts.cancels_new, result.counts.returns_new) == (40, 10, 20)
    assert (result.sales_planned, result.instructions_planned) == (40, 30)
    assert result.counts.accepted_total == result.totals.sales_total == Decimal("176.00")
    assert result.rejects == {RejectReason.NO_SUCH_SALE: 1}
    assert not result.stopped


def test_a_second_run_adds_nothing(tmp_path):
    """Every key is the same, every answer is `already`."""
    path, door = write_csv(tmp_path, *many()), FakeDoor()
    run(path, door)
    kept = dict(door.sales), dict(door.instructions)
    result = run(path, door)
    assert (result.counts.sales_new, result.counts.cancels_new, result.counts.returns_new) == (0, 0, 0)
    assert (result.counts.sales_already, result.counts.cancels_already, result.counts.returns_already) == (40, 10, 20)
    assert (door.sales, door.instructions) == kept


def test_what_has_not_arrived_waits_for_the_next_run(tmp_path):
    """It is counted, named in the report and nothing of it sent; nobody tries again in this run; the next one makes all of it."""
    path, report, door = write_csv(tmp_path, *many()), tmp_path / "report.jsonl", FakeDoor(arrived=False)
    result = run(path, door, report=report)
    assert (result.counts.cancels_new, result.counts.waiting, result.counts.retries) == (10, 20, 0)
    assert result.rejects == {RejectReason.NO_SUCH_SALE: 1, RejectReason.NOT_ARRIVED: 20}
    entries = [json.loads(line) for line in report.read_text().splitlines()]
    assert {"invoice": "C2002", "line": 6, "reason": "not_arrived", "text": "on its way"} in entries
    assert len(door.instructions) == 10

    door.arrived = True
    result = run(path, door)
    assert (result.counts.cancels_already, result.counts.returns_new, result.counts.waiting) == (10, 20, 0)


def test_keys_name_the_invoices(tmp_path):
    """They are what makes a repeat harmless, so they are written down here."""
    door = FakeDoor()
    run(write_csv(tmp_path, *many(3)), door)
    assert sorted(door.calls) == [
        "online-retail:1000",
        "online-retail:1001",
        "online-retail:1002",
        "online-retail:C2000:1000",
        "online-retail:C2002:1002",
        "online-retail:C3002:1002",
    ]


def test_what_takes_a_sale_back_arrives_after_it_and_in_order(tmp_path):
    """The door asserts that the sale is there; C2002 comes before C3002 however slow and parallel the door is."""
    door = FakeDoor(takes_s=1)
    run(write_csv(tmp_path, *many()), door, concurrency=32)
    by_sale: dict[str, list[str]] = {}
    for key in door.instructions:
        _, cancellation, sale = key.split(":")
        by_sale.setdefault(sale, []).append(cancellation)
    assert all(cancellations == sorted(cancellations) for cancellations in by_sale.values())


def test_no_more_requests_are_under_way_than_allowed(tmp_path):
    """Concurrency 5 means five, and it is used."""
    door = FakeDoor(takes_s=1)
    run(write_csv(tmp_path, *many()), door, concurrency=5)
    assert door.most_at_once == 5


def test_a_limit_sends_the_first_sales_and_what_takes_those_back(tmp_path):
    """A later run without a limit then adds the rest, and nothing collides."""
    path, door = write_csv(tmp_path, *many()), FakeDoor()
    first = run(path, door, limit=3)
    assert (first.counts.sales_new, first.counts.cancels_new, first.counts.returns_new) == (3, 1, 2)
    assert first.totals.sales == 40
    second = run(path, door)
    assert (second.counts.sales_new, second.counts.sales_already) == (37, 3)


def test_a_dry_run_opens_no_door_and_plans_the_same(tmp_path):
    """The plan and the report are complete; not one request is made."""
    door, report = FakeDoor(), tmp_path / "report.jsonl"
    result = run(write_csv(tmp_path, *many()), door, dry_run=True, report=report)
    assert door.calls == []
    assert (result.sales_planned, result.instructions_planned, result.dry_run) == (40, 30, True)
    assert report.exists()


def test_progress_tells_every_phase_to_its_end(tmp_path):
    """Reading, then sales, then cancellations, never backwards, and each phase ends at its total."""
    seen = []
    run(write_csv(tmp_path, *many()), FakeDoor(), on_progress=seen.append)
    assert [progress.phase for progress in seen] == sorted((one.phase for one in seen), key=list(Phase).index)
    for phase in Phase:
        of_phase = [progress for progress in seen if progress.phase is phase]
        assert of_phase[-1].done == of_phase[-1].total
        assert [one.done for one in of_phase] == sorted(one.done for one in of_phase)


def test_a_busy_door_is_asked_again(tmp_path):
    """Each request is refused twice as busy; all arrive in the end, none twice."""
    asked: Counter[str] = Counter()

    def busy_twice(key):
        asked[key] += 1
        if asked[key] <= 2:
            raise DoorBusy("throttled", retry_after_s=3)

    door = FakeDoor(before=busy_twice)
    result = run(write_csv(tmp_path, *many()), door)
    assert (result.counts.sales_new, len(door.instructions)) == (40, 30)
    assert result.counts.retries == 140


def test_a_door_that_stays_busy_ends_the_import_and_says_what_was_sent(tmp_path):
    """Bounded attempts, then one clear error with the counts; the report stays partial."""

    def closes(_key):
        if len(door.sales) >= 10:
            raise DoorBusy("no connection")

    door, report = FakeDoor(before=closes), tmp_path / "report.jsonl"
    with pytest.raises(ImportHalted, match="no connection") as caught:
        run(write_csv(tmp_path, *many()), door, attempts_max=3, concurrency=1, report=report)
    assert caught.value.result.counts.sales_new == len(door.sales) == 10
    assert caught.value.result.counts.retries == 2
    assert len(door.calls) == 13
    assert not report.exists()
    assert report.with_name("report.jsonl.partial").exists()


def test_a_refusal_is_reported_and_the_rest_goes_on(tmp_path):
    """A refused sale is a line in the report; what would take it back is skipped, with its reason."""

    def refuse_1000(key):
        if key == "online-retail:1000":
            raise DoorRefused("sku S0 is not for sale")

    door, report = FakeDoor(before=refuse_1000), tmp_path / "report.jsonl"
    result = run(write_csv(tmp_path, *many()), door, report=report)
    assert (result.counts.sales_new, result.counts.sales_refused, result.counts.skipped) == (39, 1, 1)
    assert result.counts.accepted_total == Decimal("171.60")
    entries = [json.loads(line) for line in report.read_text().splitlines()]
    assert {"invoice": "1000", "line": 2, "reason": "refused", "text": "sku S0 is not for sale"} in entries
    assert {"invoice": "C2000", "line": 3, "reason": "sale_not_accepted", "text": "sale 1000 was refused"} in entries
    assert entries[0]["reason"] == "no_such_sale"
    assert not report.with_name("report.jsonl.partial").exists()


@pytest.mark.thorough
@pytest.mark.parametrize("seed", range(12))
def test_whatever_ends_an_import_the_next_one_finishes_it(tmp_path, seed):
    """The process dies at random points, before or after a request took effect, again and again; in the end all is there, once."""
    random = Random(seed)
    path, whole = write_csv(tmp_path, *many()), FakeDoor()
    run(path, whole)

    def chance(_key):
        lot = random.random()
        if lot < 0.02:
            raise Crash
        if lot < 0.10:
            raise DoorBusy("throttled")

    door = FakeDoor(before=chance, after=chance)
    result, crashes = None, 0
    for _ in range(200):
        try:
            result = run(path, door, seed=seed, concurrency=random.randint(1, 8))
        except* Crash:
            crashes += 1
        if result is not None:
            break
    assert result is not None, "200 runs did not finish the import"
    assert crashes, "this seed never crashed, and so proves nothing"
    assert (door.sales, door.instructions) == (whole.sales, whole.instructions)
    assert result.counts.accepted_total == Decimal("176.00")


def test_a_stop_finishes_what_is_under_way_and_starts_nothing_more(tmp_path):
    """Ctrl-C in the middle: no request is left unknown, and the counts say what was sent."""
    report = tmp_path / "report.jsonl"

    async def main():
        stop = anyio.Event()

        def stop_at_ten(_key):
            if len(door.sales) == 10:
                stop.set()

        door = FakeDoor(after=stop_at_ten, takes_s=1)
        return door, await import_orders(
            write_csv(tmp_path, *many()),
            door=door,
            settings=ImportSettings(concurrency=4),
            random=Random(1),
            on_progress=lambda _: None,
            report_path=report,
            stop=stop,
        )

    door, result = run_virtual(main)
    assert result.stopped
    assert result.counts.sales_new == len(door.sales) == len(door.calls)
    assert 10 <= len(door.sales) <= 14
    assert (result.counts.unknown, result.counts.cancels_new) == (0, 0)
    assert not report.exists()
    assert report.with_name("report.jsonl.partial").read_text().count("\n") == 1


def test_a_stop_waits_no_longer_than_its_grace(tmp_path):
    """Requests that hang are given up after the grace and counted as unknown."""

    async def main():
        stop, asked = anyio.Event(), anyio.Event()
        door = FakeDoor(before=lambda _: asked.set(), takes_s=3_600)
        times = []
        async with anyio.create_task_group() as tasks:

            async def interrupt():
                await asked.wait()
                await anyio.sleep(5)
                times.append(anyio.current_time())
                stop.set()

            tasks.start_soon(interrupt)
            result = await import_orders(
                write_csv(tmp_path, *many()),
                door=door,
                settings=ImportSettings(concurrency=4, stop_grace_s=7),
                random=Random(1),
                on_progress=lambda _: None,
                stop=stop,
            )
            return result, anyio.current_time() - times[0]

    result, took_s = run_virtual(main)
    assert result.stopped
    assert result.counts.unknown == 4
    assert took_s == pytest.approx(7)


def test_a_stop_while_reading_sends_nothing(tmp_path):
    """Told to stop before the file is read: no totals, no requests."""

    async def main():
        stop, door = anyio.Event(), FakeDoor()
        stop.set()
        result = await import_orders(
            write_csv(tmp_path, *many()),
            door=door,
            settings=ImportSettings(),
            random=Random(1),
            on_progress=lambda _: None,
            stop=stop,
        )
        return door, result

    door, result = run_virtual(main)
    assert (door.calls, result.totals, result.stopped) == ([], None, True)


@pytest.mark.parametrize(("content", "error"), [(b"no table\n", NotOnlineRetail), (None, FileDamaged)])
def test_a_file_that_cannot_be_read_sends_nothing(tmp_path, content, error):
    """A wrong or cut file ends the import before the first request."""
    import gzip

    from tests.workers.intake.csv_files import csv_bytes

    path = tmp_path / "orders.csv.gz"
    cut = gzip.compress(csv_bytes(*many(4_000)))
    path.write_bytes(cut[: len(cut) // 2] if content is None else content)
    door = FakeDoor()
    with pytest.raises(error):
        run(path, door)
    assert door.calls == []


def test_an_unwritable_report_is_known_before_anything_is_sent(tmp_path):
    """Not after an hour of importing."""
    from workers.intake.online_retail.report import ReportFailed

    door = FakeDoor()
    with pytest.raises(ReportFailed):
        run(write_csv(tmp_path, *many()), door, report=tmp_path / "no" / "such" / "folder.jsonl")
    assert door.calls == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"limit": -1},
        {"concurrency": 0},
        {"concurrency": 10_000},
        {"attempts_max": 0},
        {"backoff_s": 0},
        {"stop_grace_s": -1},
    ],
)
def test_settings_that_cannot_work_are_refused(wrong):
    """At once and by name."""
    with pytest.raises(ValueError, match=next(iter(wrong))):
        ImportSettings(**wrong)


def test_cancellations_of_whole_orders_are_told_from_refunds(tmp_path):
    """Every fourth sale is cancelled, every other second one refunded twice."""
    door = FakeDoor()
    run(write_csv(tmp_path, *many(8)), door)
    assert {key: type(one) is CancelOrder for key, one in door.instructions.items()} == {
        "online-retail:C2000:1000": True,
        "online-retail:C2002:1002": False,
        "online-retail:C3002:1002": False,
        "online-retail:C2004:1004": True,
        "online-retail:C2006:1006": False,
        "online-retail:C3006:1006": False,
    }
