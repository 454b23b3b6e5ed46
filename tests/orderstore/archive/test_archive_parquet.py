"""The archive as a dataset: every event once, whatever dies, and the questions of the documentation have right answers."""

import json
import pickle
import re
import subprocess
import sys
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from orderstore.archive import dataset as datasets
from orderstore.archive.dataset import AnalysisMissing, Dataset, DatasetRefused, load_arrow
from orderstore.archive.errors import ArchiveDamaged
from orderstore.archive.parquet import Exported, export
from orderstore.archive.rows import COLUMNS, UnreadableBody, month_of, rows_of
from orderstore.codec import decode
from orderstore.store.chain import seal
from tests.builders import CAPTURED, PAID_AT_ONCE, order_created
from tests.orderstore.archive.archives import World
from tests.projections.histories import (
    PAID_FIRST,
    commits_for,
    groups_of,
    happy_commits,
    issue_pending_refund,
    order_number,
)
from tests.virtual_time import run_virtual

ROOT = Path(__file__).parents[3]
DAY_MS = 86_400_000
START_MS = 1_780_000_000_000  # 2026-05-28
HAPPY = 12


async def _world() -> World:
    """Twelve happy orders, three days apart, one refunded order that was paid at once, each archived in a manifest of its own."""
    world = World()
    archiver = world.archiver()
    refunded = [*PAID_FIRST, issue_pending_refund]
    histories = [happy_commits(order_number(index), start_ms=START_MS + 3 * index * DAY_MS) for index in range(HAPPY)]
    order_id = order_number(99)
    histories.append(commits_for(groups_of(refunded, order_id=order_id), order_id=order_id, start_ms=START_MS))
    for history in histories:
        for commit in history:
            await world.log.append(commit)
        await archiver.archive({history[0].stream: None})
    return world


async def _events(world: World) -> set[str]:
    return {
        recorded.event_id
        for commits in (await world.history()).values()
        for commit in commits
        for recorded in decode(commit)
    }


def rows(directory: Path, *columns: str) -> list[tuple[Any, ...]]:
    """Of every file, finished or not; all columns when none is named."""
    import pyarrow.dataset  # takes half a second

    files_there = sorted(map(str, files(directory)))
    found = pyarrow.dataset.dataset(files_there, format="parquet", partitioning="hive").to_table(list(columns) or None)
    return list(zip(*(column.to_pylist() for column in found.columns), strict=True))


ASKING = """
import pickle, sys, duckdb
with duckdb.connect() as connection:
    answers = [connection.sql(query).fetchall() for query in sys.argv[1:]]
sys.stdout.buffer.write(pickle.dumps(answers))
"""


def asked_of_duckdb(directory: Path, *queries: str) -> list[list[tuple[Any, ...]]]:
    """The answers of a process of its own, in the directory: DuckDB counts what is left of it when its process ends, and complains."""
    asking = subprocess.run(
        [sys.executable, "-c", ASKING, *queries], cwd=directory, capture_output=True, check=False, timeout=60
    )
    assert (asking.returncode, asking.stderr) == (0, b"")
    answers: list[list[tuple[Any, ...]]] = pickle.loads(asking.stdout)
    return answers


def files(directory: Path) -> list[Path]:
    return list(directory.glob("*/*.parquet"))


def test_every_event_is_a_row_once(tmp_path: Path) -> None:
    """As it was stored: ids, data, times; partitioned by month."""

    async def scenario() -> None:
        world = await _world()
        report = await export(world.objects, tmp_path / "events")
        columns = ("event_id", "data", "recorded_month", "recorded_at", "order_id", "commit")
        found = rows(tmp_path / "events", *columns)
        assert {row[0] for row in found} == await _events(world)
        assert len(found) == report.events == len(await _events(world))
        assert {row[2] for row in found} == {"2026-05", "2026-06"}
        assert all(f"{row[3]:%Y-%m}" == row[2] for row in found)
        assert report.through == await world.manifests()
        query = f"SELECT {', '.join(columns)} FROM read_parquet('events/*/*.parquet', hive_partitioning = true)"
        assert sorted(asked_of_duckdb(tmp_path, query)[0]) == sorted(found)

    run_virtual(scenario)


def test_rows_say_what_the_events_say() -> None:
    """The envelope in columns, the data as JSON, what is asked for most on its own."""
    [created, *_] = happy_commits(start_ms=START_MS)

    [row] = rows_of(created)

    [recorded] = decode(created)
    assert set(row) == {name for name, _ in COLUMNS}
    assert row["event_id"] == recorded.event_id
    assert (row["event_type"], row["event_version"]) == ("OrderCreated", recorded.event_version)
    assert (row["tenant"], row["order_id"], row["version"]) == ("main", recorded.order_id, 1)
    assert row["occurred_at"] == datetime(2026, 3, 1, 12)  # noqa: DTZ001 - the column bears no zone, and is in UTC
    assert (row["currency"], row["amount_minor"], row["customer_id"]) == ("USD", 90_000, "customer-1")
    assert json.loads(row["data"])["order_id"] == order_created().order_id
    assert month_of(created) == "2026-05"


def test_a_body_that_is_none_is_told() -> None:
    """With its commit; nothing is left out in silence."""
    for body in (b"noise", b"{}", b"[]", b'{"events":1}'):
        commit = seal(stream="main/order-1", number=1, recorded_at_ms=1, body=body, previous=None)
        with pytest.raises(UnreadableBody, match="commit 1 of main/order-1"):
            list(rows_of(commit))


@pytest.mark.thorough
def test_run_again_it_adds_what_is_new(tmp_path: Path) -> None:
    """Nothing when there is nothing; the new manifests, in a part of their own, when there are some."""

    async def scenario() -> None:
        world = await _world()
        await export(world.objects, tmp_path)
        again = await export(world.objects, tmp_path)
        assert (again.events, again.parts, again.manifests) == (0, 0, 0)

        for commit in happy_commits(order_number(500)):
            await world.log.append(commit)
        await world.archiver().archive({commit.stream: None})
        more = await export(world.objects, tmp_path)
        assert (more.parts, more.commits) == (1, len(happy_commits()))
        assert sorted(row[0] for row in rows(tmp_path, "event_id")) == sorted(await _events(world))

    run_virtual(scenario)


def test_since_a_manifest(tmp_path: Path) -> None:
    """Earlier ones are left out; and what is there already is not written again."""

    async def scenario() -> None:
        world = await _world()
        last = await world.manifests()
        report = await export(world.objects, tmp_path, since_manifest=last)
        assert report.manifests == 1
        assert {row[0] for row in rows(tmp_path, "order_id")} == {order_number(99)}
        assert (await export(world.objects, tmp_path, since_manifest=1)).manifests == 0

    run_virtual(scenario)


@pytest.mark.thorough
def test_many_small_parts_are_the_same_dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts and row groups are bounded; whatever the bounds, the rows are the same."""
    monkeypatch.setattr(datasets, "EVENTS_PER_PART", 20)
    monkeypatch.setattr(datasets, "ROWS_BUFFERED_MAX", 3)

    import pyarrow.parquet  # takes half a second

    async def scenario() -> None:
        world = await _world()
        report = await export(world.objects, tmp_path)
        assert report.parts > 3
        assert sorted(row[0] for row in rows(tmp_path, "event_id")) == sorted(await _events(world))
        assert max(pyarrow.parquet.ParquetFile(path).num_row_groups for path in files(tmp_path)) > 1

    run_virtual(scenario)


class Died(Exception):
    """The process died here."""


@pytest.mark.thorough
@pytest.mark.parametrize("step", ["write_table", "rename", "marker"])
def test_a_run_that_dies_leaves_no_half_of_a_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """While rows are written, between two files, before the part is noted: the next run has every event once."""
    monkeypatch.setattr(datasets, "EVENTS_PER_PART", 40)
    monkeypatch.setattr(datasets, "ROWS_BUFFERED_MAX", 10)

    async def scenario() -> None:
        world = await _world()
        for dies_at in range(1, 6):
            directory = tmp_path / f"{step}-{dies_at}"
            with monkeypatch.context() as patch:
                _die_at(patch, step, dies_at)
                try:
                    await export(world.objects, directory)
                except Died:
                    died = True
                else:
                    died = False
            assert died or dies_at > 2, "the scene is too small"
            if files(directory):
                rows(directory)  # whatever is there can be read
            await export(world.objects, directory)
            assert sorted(row[0] for row in rows(directory, "event_id")) == sorted(await _events(world))
            assert not list(directory.glob("_unfinished/*"))

    run_virtual(scenario)


def test_what_a_dead_run_has_left_is_removed_when_the_archive_has_grown_since(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next part then has another name, and would stand beside a file of the dead one with the same events."""

    async def scenario() -> None:
        world = await _world()
        with monkeypatch.context() as patch:
            _die_at(patch, "rename", 2)
            with pytest.raises(Died):
                await export(world.objects, tmp_path)
        assert len(files(tmp_path)) == 1
        for commit in happy_commits(order_number(500)):
            await world.log.append(commit)
        await world.archiver().archive({commit.stream: None})
        await export(world.objects, tmp_path)
        assert sorted(row[0] for row in rows(tmp_path, "event_id")) == sorted(await _events(world))

    run_virtual(scenario)


def _die_at(patch: pytest.MonkeyPatch, step: str, number: int) -> None:
    calls = 0

    def counted(real: Any) -> Any:
        def call(*arguments: Any, **named: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == number:
                raise Died
            return real(*arguments, **named)

        return call

    if step == "write_table":
        patch.setattr(Dataset, "table", counted(Dataset.table))
    elif step == "rename":
        patch.setattr(Path, "rename", counted(Path.rename))
    else:
        patch.setattr(Dataset, "commit", counted(Dataset.commit))


def test_another_directory_is_not_touched(tmp_path: Path) -> None:
    """Somebody's files, or another archive's events."""

    async def scenario() -> None:
        world, other = await _world(), World()
        await other.log.append(happy_commits()[0])
        await other.archiver().archive({happy_commits()[0].stream: None})
        (tmp_path / "notes.txt").write_text("mine")
        with pytest.raises(DatasetRefused, match=r"notes\.txt"):
            await export(world.objects, tmp_path)
        await export(other.objects, tmp_path / "other")
        with pytest.raises(DatasetRefused, match="another archive"):
            await export(world.objects, tmp_path / "other")

    run_virtual(scenario)
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["notes.txt"]


def test_a_damaged_archive_gives_no_part(tmp_path: Path) -> None:
    """It is proven on the way: what is wrong is named, and what was not finished is not there."""

    async def scenario() -> None:
        world = await _world()
        key = [key for key in world.objects._contents if key.startswith("archive/segments/")][-1]
        world.objects._contents[key] = b"noise"
        with pytest.raises(ArchiveDamaged, match="altered_segment"):
            await export(world.objects, tmp_path)
        assert files(tmp_path) == []

    run_virtual(scenario)


def test_an_empty_archive_is_an_empty_dataset(tmp_path: Path) -> None:
    """No file, no error."""
    assert run_virtual(export, World().objects, tmp_path) == Exported()


def test_without_pyarrow_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is an extra; nothing that serves orders needs it."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(AnalysisMissing, match=r"orderstore\[analysis\]"):
        load_arrow()


@pytest.mark.thorough
def test_nothing_of_it_is_imported_before_it_is_wanted() -> None:
    """pyarrow takes half a second and 100 MB: the command line starts without it."""
    program = "import sys, workers.cli; workers.cli.build(); sys.exit('pyarrow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False, cwd=ROOT).returncode == 0


def _queries() -> list[str]:
    return re.findall(r"```sql\n(.*?)```", (ROOT / "docs/archive.md").read_text(encoding="utf-8"), flags=re.DOTALL)


@pytest.mark.thorough
def test_the_documented_questions_have_right_answers(tmp_path: Path) -> None:
    """The SQL of docs/archive.md, as it stands there, by DuckDB."""
    run_virtual(_export_into, tmp_path / "events")
    per_day, revenue, spans = asked_of_duckdb(tmp_path, *_queries())

    [day] = per_day
    assert day == (date(2026, 3, 1), "USD", HAPPY + 1, 90_000 * (HAPPY + 1))

    [(currency, captured, refunded, left)] = revenue
    assert (currency, captured) == ("USD", HAPPY * CAPTURED.amount_minor + PAID_AT_ONCE.amount_minor)
    assert refunded > 0
    assert left == captured - refunded

    [(orders, median_s, longest_s)] = spans
    assert (orders, median_s) == (HAPPY, longest_s)
    assert median_s > 0


async def _export_into(directory: Path) -> None:
    await export((await _world()).objects, directory)
