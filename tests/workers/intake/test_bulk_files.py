"""Files of order requests: each line one order or one reason, each counted once, whatever dies, repeats or is slow on the way."""

import gzip
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orderstore.privacy.keys import KeyUnusable
from orderstore.store.errors import Throttled
from orderstore.store.port import Commit
from tests.moments import moments
from tests.virtual_time import run_virtual
from tests.workers.intake.intake_world import BUCKET, RANGES, TEA, IntakeWorld, created, line
from tests.workers.world import Crash, Faults
from workers.classify import is_outage
from workers.envelope import MalformedMessage
from workers.intake.bulk import results as results_module
from workers.intake.bulk.files import FILE_BYTES_MAX, FileName
from workers.intake.bulk.messages import RangeMessage
from workers.intake.bulk.ranges import RangeSettings
from workers.intake.reports import FINISHED

BAD = b'{"items": [], "currency": "EUR"}'
MIXED = b"\n".join([line(1), b"", BAD, line(2), b"not json", b"\xff", line(3), b"  ", BAD, line(4)])


def figures(report: dict[str, Any]) -> tuple[str, int, int, int, int]:
    return (report["state"], report["lines"], report["blank"], report["accepted"], report["rejected"])


def test_each_line_is_an_order_or_has_a_reason() -> None:
    """The figures, the refused lines by their numbers, and one event on the bus: nothing else is told of a file."""  # B02, B03, B05

    async def scenario() -> None:
        world = IntakeWorld()
        file = await world.upload(MIXED)
        await world.drain()
        report = await world.report_of(file)

        assert figures(report) == ("finished", 10, 2, 4, 4)
        assert await world.orders_placed() == 4
        rejected = await world.rejected_of(file)
        assert [(it["line"], it["code"]) for it in rejected] == [
            (3, "invalid"),
            (5, "not_json"),
            (6, "not_json"),
            (9, "invalid"),
        ]
        assert rejected[0]["errors"] == [
            {"pointer": "/items", "detail": "its length is at least 1", "code": "too_short"}
        ]
        assert [MIXED[it["byte"] :].split(b"\n")[0] for it in rejected] == [BAD, b"not json", b"\xff", BAD]
        assert report["firstRejected"] == rejected
        assert report["beganAt"][-1] == report["endedAt"][-1] == "Z", "as everywhere else"
        (told,) = world.reports.sent
        assert (told.detail_type, told.detail["reportKey"], told.detail["accepted"]) == (
            FINISHED,
            "reports/monday.ndjson@v1.report.json",
            4,
        )
        assert world.facts.counts == {
            ("lines", "accepted"): 4,
            ("lines", "rejected"): 4,
            ("file", "finished"): 1,
        }

    run_virtual(scenario)


@settings(deadline=None)
@given(
    lines=st.lists(
        st.sampled_from([b"", b" ", BAD, b"x", b"\xff", *(line(number) for number in range(5))]), max_size=12
    ),
    range_bytes=st.integers(30, 400),
    copies=st.integers(1, 2),
    packed=st.booleans(),
)
def test_every_line_counts_once_however_the_file_is_cut(
    lines: list[bytes], range_bytes: int, copies: int, packed: bool
) -> None:
    """Ranges of any size, messages delivered once or twice, packed or not."""

    async def scenario() -> None:
        world = IntakeWorld(ranges=replace(RANGES, range_bytes=range_bytes))
        content = b"\n".join(lines)
        name = "a.ndjson.gz" if packed else "a.ndjson"
        file = await world.upload(gzip.compress(content) if packed else content, name=name)
        await world.drain(copies=copies)

        count = len(content.split(b"\n")) - (not content.split(b"\n")[-1])
        blank = sum(not text.strip() for text in content.split(b"\n")[:count])
        good = sum(text.startswith(b'{"items": [{') for text in lines)
        assert figures(await world.report_of(file)) == ("finished", count, blank, good, count - blank - good)
        assert await world.orders_placed() == good
        wrong = [
            number for number, text in enumerate(lines, 1) if text.strip() and not text.startswith(b'{"items": [{')
        ]
        assert [it["line"] for it in await world.rejected_of(file)] == wrong
        assert [report.detail_type for report in world.told()] == [FINISHED]

    run_virtual(scenario)


def test_a_process_may_die_at_any_call() -> None:
    """Before and after each call to log, table, bucket, bus and queue: the message comes again, and the end is the same."""  # B09, D11
    content = b"\n".join([line(1), BAD, line(2)])
    ranges = replace(RANGES, range_bytes=150)

    async def whole() -> int:
        faults = Faults()
        world = IntakeWorld(ranges=ranges, faults=faults)
        await world.upload(content)
        await world.drain()
        return faults.calls

    async def scenario(at: int, after: bool) -> None:
        faults = Faults(at=at, after=after)
        world = IntakeWorld(ranges=ranges, faults=faults)
        file = await world.upload(content)
        died = 0
        while messages := await world.queue.receive(max_messages=1, wait_s=0, visibility_timeout_s=60):
            try:
                await world.handler(messages[0])
            except Crash:
                died += 1
                faults.armed = False
                await world.queue.change_visibility([(messages[0], 0)])
            else:
                await world.queue.delete(messages)

        assert died == 1
        assert figures(await world.report_of(file)) == ("finished", 3, 0, 2, 1)
        assert await world.orders_placed() == 2
        assert len(world.told()) == 1
        record = await world.records.file(file.id)
        assert record is not None
        assert record.state == "finished"

    calls = run_virtual(whole)
    assert calls > 20
    for at in moments(calls):
        for after in (False, True):
            run_virtual(scenario, at, after)


@pytest.mark.thorough
def test_many_workers_at_once_count_each_line_once() -> None:
    """Twenty handlers, every message twice, ranges of a line or two: what meets at a parent is summed up once."""  # B07

    async def scenario() -> None:
        world = IntakeWorld()
        content = b"\n".join(BAD if number % 3 == 0 else line(number) for number in range(300))
        file = await world.upload(content)
        await world.queue.send(created(file))
        async with world.working(concurrency=20, initial_credits=20):
            await anyio.sleep(60)

        assert figures(await world.report_of(file)) == ("finished", 300, 0, 200, 100)
        assert await world.orders_placed() == 200
        assert (await world.queue.depths()).dead_letters == 0
        assert world.facts.counts["lines", "accepted"] == 200

    run_virtual(scenario)


def test_a_slow_door_makes_more_ranges_and_no_late_message() -> None:
    """A second for each line, two at once, two and a half seconds of work: what is left becomes a range of its own, again and again."""

    async def scenario() -> None:
        world = IntakeWorld(ranges=RangeSettings(work_s=2.5, range_bytes=1_000_000, lines_at_once=2))
        append, longest = world.store.append, 0.0

        async def slow(commit: Commit) -> None:
            await anyio.sleep(1)
            await append(commit)

        world.store.append = slow  # type: ignore[method-assign]  # the log is slow in this world
        file = await world.upload(b"\n".join([*(line(number) for number in range(20)), BAD]))
        while messages := await world.queue.receive(max_messages=1, wait_s=0, visibility_timeout_s=600):
            began = anyio.current_time()
            await world.handler(messages[0])
            longest = max(longest, anyio.current_time() - began)
            await world.queue.delete(messages)

        assert longest <= 4
        assert figures(await world.report_of(file)) == ("finished", 21, 0, 20, 1)
        assert [it["line"] for it in await world.rejected_of(file)] == [21]

    run_virtual(scenario)


@pytest.mark.parametrize("own", [True, False], ids=["own keys", "no keys"])
def test_a_file_that_is_put_again_is_another_file(own: bool) -> None:
    """Lines with keys of their own are the same requests in any file; without one a line's place in this version is its key."""

    async def scenario() -> None:
        world = IntakeWorld()
        keys = [{"idempotencyKey": f"A-{number}"} if own else {} for number in range(3)]
        content = b"\n".join(line(number, **key) for number, key in enumerate(keys))
        first = await world.upload(content)
        second = await world.upload(content, version="v2")
        await world.drain()

        assert figures(await world.report_of(first)) == figures(await world.report_of(second))
        assert await world.orders_placed() == (3 if own else 6)

    run_virtual(scenario)


def test_lines_that_are_the_same_are_several_orders_unless_they_have_one_key() -> None:
    """Nobody guesses whether a customer meant it twice; with one key and two meanings one of them is refused."""

    async def scenario() -> None:
        world = IntakeWorld()
        keyed = line(7, idempotencyKey="A-1")
        content = b"\n".join([line(1), line(1), keyed, keyed, line(8, idempotencyKey="A-1")])
        file = await world.upload(content)
        await world.drain()

        assert await world.orders_placed() == 3
        report = await world.report_of(file)
        assert [it["code"] for it in await world.rejected_of(file)] == ["idempotency_key_reused"] * report["rejected"]
        assert (report["accepted"], report["rejected"]) in ((4, 1), (3, 2))

    run_virtual(scenario)


def test_a_file_that_vanishes_while_it_is_read_is_stopped_and_says_so() -> None:
    """A bucket without versions, and another file in its place: nothing of that is read as if it were this."""

    async def scenario() -> None:
        world = IntakeWorld()
        file = await world.upload(b"\n".join(line(number) for number in range(10)))
        for _ in range(4):
            (message,) = await world.queue.receive(max_messages=1, wait_s=0, visibility_timeout_s=600)
            await world.handler(message)
            await world.queue.delete([message])
        placed = await world.orders_placed()
        del world.files.contents[file.key, file.version]
        await world.drain()
        report = await world.report_of(file)

        assert (report["state"], report["why"]) == ("stopped", "file_gone")
        assert 0 < placed == report["accepted"] == await world.orders_placed()
        assert len(world.told()) == 1

    run_virtual(scenario)


async def _nothing(world: IntakeWorld, content: bytes, **named: Any) -> dict[str, Any]:
    file = await world.upload(content, **named)
    await world.drain()
    assert await world.orders_placed() == 0
    assert len(world.told()) == 1
    return await world.report_of(file)


@pytest.mark.parametrize(
    ("content", "name", "why"),
    [
        (b"a,b\n1,2\n", "monday.csv", "unknown_name"),
        (b"not gzip", "monday.ndjson.gz", "file_unreadable"),
        (gzip.compress(line(1))[:-9], "monday.ndjson.gz", "file_unreadable"),
        (b"", "monday.ndjson.zst", "file_unreadable"),
    ],
    ids=["its name", "not packed", "cut short", "empty"],
)
def test_a_file_that_cannot_be_read_is_refused_whole(content: bytes, name: str, why: str) -> None:
    """Nothing of it is placed: what is wrong shows before the first line is."""

    async def scenario() -> None:
        report = await _nothing(IntakeWorld(), content, name=name)
        assert (report["state"], report["why"]) == ("refused", why)

    run_virtual(scenario)


def test_a_file_beyond_all_bounds_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """By its size, without reading it."""

    async def scenario() -> None:
        world = IntakeWorld()

        async def size(_file: FileName) -> int:
            return FILE_BYTES_MAX + 1

        monkeypatch.setattr(world.files, "size", size)
        report = await _nothing(world, line(1))
        assert (report["state"], report["why"]) == ("refused", "file_too_large")

    run_virtual(scenario)


def test_an_empty_file_is_finished_at_once() -> None:
    """It holds nothing wrong."""

    async def scenario() -> None:
        assert figures(await _nothing(IntakeWorld(), b"")) == ("finished", 0, 0, 0, 0)
        assert figures(await _nothing(IntakeWorld(), b"\n\n")) == ("finished", 2, 2, 0, 0)

    run_virtual(scenario)


def test_what_is_no_file_of_orders_is_left_alone() -> None:
    """A folder's marker, a file that was deleted before anybody looked; another bucket's or prefix's object is poison."""

    async def scenario() -> None:
        world = IntakeWorld()
        for file in (
            FileName(bucket=BUCKET, key="intake/folder/", version="v", etag="e"),
            FileName(bucket=BUCKET, key="intake/gone.ndjson", version="v", etag="e"),
        ):
            await world.handle(created(file))
        for file in (
            FileName(bucket="other", key="intake/a.ndjson", version="v", etag="e"),
            FileName(bucket=BUCKET, key="reports/a.report.json", version="v", etag="e"),
        ):
            with pytest.raises(MalformedMessage):
                await world.handle(created(file))
        with pytest.raises(MalformedMessage):
            await world.handle(RangeMessage("no such file", 0, 1).body())

        assert world.reports.sent == []

    run_virtual(scenario)


def test_a_bucket_without_versions_is_read_by_its_entity_tags() -> None:
    """S3 calls its only version "null", which the next file overwrites: the tag tells one from another."""

    async def scenario() -> None:
        world = IntakeWorld()
        file = FileName(bucket=BUCKET, key="intake/a.ndjson", version="", etag="e1")
        world.files.contents[file.key, ""] = line(1)
        await world.handle(created(replace(file, version="null")))
        await world.drain()

        assert (await world.report_of(file))["accepted"] == 1
        assert replace(file, etag="e2").id != file.id

    run_virtual(scenario)


def test_a_line_that_is_too_long_is_refused_and_the_others_are_not() -> None:
    """The API's own bound on a body is a line's."""

    async def scenario() -> None:
        world = IntakeWorld(ranges=replace(RANGES, range_bytes=300_000))
        long = line(2, reference="x" * 1_048_576)
        file = await world.upload(b"\n".join([line(1), long, line(3)]))
        await world.drain()

        assert figures(await world.report_of(file)) == ("finished", 3, 0, 2, 1)
        (rejected,) = await world.rejected_of(file)
        assert (rejected["line"], rejected["code"]) == (2, "body_too_large")

    run_virtual(scenario)


def test_reports_repeat_nothing_of_what_was_sent() -> None:
    """They are read by others than the customer: neither values nor made-up names of fields."""  # D31
    secret = {"customerEmail": "jane(doe@secret.example", "jane.doe@secret.example": 1, "reference": "4111111111111111"}

    async def scenario() -> None:
        world = IntakeWorld()
        await world.upload(json.dumps({**TEA, **secret}).encode())
        await world.drain()
        keys = [key async for key in world.objects.keys("")]
        written = b"".join([await world.objects.get(key) or b"" for key in keys])
        written += json.dumps([dict(report.detail) for report in world.reports.sent]).encode()

        assert b"/customerEmail" in written
        assert not [word for word in (b"jane", b"doe", b"secret", b"4111") if word in written]

    run_virtual(scenario)


def test_trouble_that_passes_is_waited_for() -> None:
    """The log is throttled in the middle of a range: nothing of the range is counted, and later everything is, once."""  # D12

    async def scenario() -> None:
        world = IntakeWorld()
        append, calls = world.store.append, 0

        async def troubled(commit: Commit) -> None:
            nonlocal calls
            calls += 1
            if calls in (3, 4, 5):
                raise Throttled("PutItem", tries=8)
            await append(commit)

        world.store.append = troubled  # type: ignore[method-assign]  # the log is throttled in this world
        file = await world.upload(b"\n".join(line(number) for number in range(8)))
        async with world.working():
            await anyio.sleep(600)

        assert figures(await world.report_of(file)) == ("finished", 8, 0, 8, 0)
        assert await world.orders_placed() == 8
        assert is_outage(Throttled("PutItem", tries=8))

    run_virtual(scenario)


def test_trouble_of_one_line_that_lasts_does_not_hold_the_file_up() -> None:
    """One customer's key cannot be used: that line may be sent again, the others are placed."""

    async def scenario() -> None:
        world = IntakeWorld()
        seal = world.vault.seal

        async def broken(subject: str, purpose: str, plain: bytes) -> Any:
            if "customer-7" in subject:
                raise KeyUnusable(subject, "tampered with")
            return await seal(subject, purpose, plain)

        world.vault.seal = broken  # type: ignore[method-assign]  # one key is tampered with
        content = [line(number, customerId=f"customer-{number}", customerName="Jane") for number in range(6, 9)]
        file = await world.upload(b"\n".join(content))
        await world.drain()

        assert figures(await world.report_of(file)) == ("finished", 3, 0, 2, 1)
        assert [(it["line"], it["code"]) for it in await world.rejected_of(file)] == [(2, "internal")]

    run_virtual(scenario)


def test_refused_lines_beyond_a_bound_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """The file of refused lines ends at its bound; the report says how many it leaves out."""
    monkeypatch.setattr(results_module, "REJECTED_BYTES_MAX", 1_000)

    async def scenario() -> None:
        world = IntakeWorld()
        file = await world.upload(b"\n".join([BAD] * 40))
        await world.drain()
        report, told = await world.report_of(file), await world.rejected_of(file)

        assert figures(report) == ("finished", 40, 0, 0, 40)
        assert [it["line"] for it in told] == list(range(1, len(told) + 1))
        assert 0 < len(told) == 40 - report["rejectedOmitted"]

    run_virtual(scenario)


@pytest.mark.parametrize(
    "key", ["intake/" + "é" * 500 + ".ndjson", "intake/a b+c%20&.ndjson", "intake/2026/11/a.ndjson"], ids=len
)
def test_any_name_that_s3_takes_is_taken(key: str) -> None:
    """Keys stand in S3's events as they are; results of the longest have a name of their own."""

    async def scenario() -> None:
        world = IntakeWorld()
        file = await world.upload(line(1), name=key.removeprefix("intake/"))
        await world.drain()
        assert (await world.report_of(file))["accepted"] == 1

    run_virtual(scenario)


@pytest.mark.thorough
def test_a_huge_file_is_worked_through_in_small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """No read is longer than a block, no step sends more than ten messages, whatever the file's size."""  # B07
    size = 128 * 1024**2

    class Endless:
        """One line without end, of any length, that nobody holds."""

        def __init__(self, note: Callable[[int], None], at: int) -> None:
            self._note = note
            self._at = at

        async def read(self, length: int) -> bytes:
            await anyio.lowlevel.checkpoint()
            self._note(length)
            found = max(0, min(length, size - self._at))
            self._at += found
            return b"a" * found

    async def scenario() -> None:
        world = IntakeWorld(ranges=RangeSettings(work_s=7.5, range_bytes=256 * 1024))
        longest, sent = 0, 0

        def note(length: int) -> None:
            nonlocal longest
            longest = max(longest, length)

        async def long(_file: FileName) -> int:
            return size

        monkeypatch.setattr(world.files, "size", long)
        monkeypatch.setattr(world.files, "open", lambda _file, *, at: Endless(note, at))
        file = await world.upload(b"a")
        while messages := await world.queue.receive(max_messages=1, wait_s=0, visibility_timeout_s=600):
            before = (await world.queue.depths()).visible
            await world.handler(messages[0])
            sent = max(sent, (await world.queue.depths()).visible - before)
            await world.queue.delete(messages)

        assert figures(await world.report_of(file)) == ("finished", 1, 0, 0, 1)
        assert longest <= 256 * 1024
        assert sent <= 10

    run_virtual(scenario)
