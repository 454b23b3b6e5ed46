"""The end of a file that cannot be gone on with, and of one with very many ranges: it comes whatever dies, and within a handler's time."""

from dataclasses import replace

import anyio
import pytest

from orderstore.objects import MemoryObjectStore
from tests.virtual_time import run_virtual
from tests.workers.intake.intake_world import RANGES, IntakeWorld, line
from tests.workers.world import Crash, Faults
from workers.intake.bulk.files import FILE_BYTES_MAX, FileName
from workers.intake.bulk.records import FileRecord, RangeRecord, Tally
from workers.intake.bulk.results import REJECTED_BYTES_MAX, Results

CONTENT = b"\n".join(line(number) for number in range(6))
DEADLINE_S = 15.0


async def vanished(faults: Faults) -> tuple[IntakeWorld, FileName]:
    """A file that is gone when the first of its lines are to be read."""
    world = IntakeWorld(ranges=replace(RANGES, range_bytes=400), faults=faults)
    file = await world.upload(CONTENT)
    for _ in range(2):  # S3's message, and the whole: it is cut
        (message,) = await world.queue.receive(max_messages=1, wait_s=0, visibility_timeout_s=600)
        await world.handler(message)
        await world.queue.delete([message])
    del world.files.contents[file.key, file.version]
    return world, file


def test_whoever_dies_while_a_file_is_stopped_does_it_again() -> None:
    """Before and after each call: the stop is written and told, once for whoever drops repeats, and the table says so."""  # B09, D11

    async def whole() -> tuple[int, int]:
        faults = Faults()
        world, _ = await vanished(faults)
        before = faults.calls
        await world.drain()
        return before, faults.calls

    async def scenario(at: int, after: bool) -> None:
        faults = Faults(at=at, after=after)
        world, file = await vanished(faults)
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
        report = await world.report_of(file)
        assert (report["state"], report["why"], report["accepted"]) == ("stopped", "file_gone", 0)
        assert [told.detail["state"] for told in world.told()] == ["stopped"]
        record = await world.records.file(file.id)
        assert record is not None
        assert (record.state, record.why) == ("stopped", "file_gone")

    before, calls = run_virtual(whole)
    assert calls - before > 5
    for at in range(before + 1, calls + 1):
        for after in (False, True):
            run_virtual(scenario, at, after)


class Slow(MemoryObjectStore):
    """A bucket that takes its time for each call; how many are asked at once is counted, and how much of what they gave is held."""

    def __init__(self, *, takes_s: float) -> None:
        super().__init__()
        self.takes_s = takes_s
        self.most_at_once = self._now = 0

    async def get(self, key: str) -> bytes | None:
        self._now += 1
        self.most_at_once = max(self.most_at_once, self._now)
        await anyio.sleep(self.takes_s)
        self._now -= 1
        return await super().get(key)


def leaf(number: int, *, rejected: int) -> RangeRecord:
    return RangeRecord(
        start=number * 10,
        end=number * 10 + 10,
        state="done",
        parent="",
        cuts=(),
        pieces_left=0,
        are_pieces_sent=True,
        tally=Tally(lines=rejected, rejected=rejected),
        rejects=f"work/f/{number}",
        done_at_ms=1,
    )


RECORD = FileRecord(
    file=FileName(bucket="b", key="intake/huge.ndjson", version="v", etag="e"),
    size=FILE_BYTES_MAX,
    packing="none",
    state="finished",
    why="",
    began_at_ms=1,
    ended_at_ms=2,
)


@pytest.mark.thorough
def test_the_largest_file_comes_to_its_end_within_a_handler_s_time() -> None:
    """Two gibibytes are some eight thousand ranges; a refused line in each is as many objects to read, before the message may be done."""

    async def scenario() -> None:
        objects = Slow(takes_s=0.1)
        leaves = [leaf(number, rejected=1) for number in range(FILE_BYTES_MAX // (256 * 1024))]
        for one in leaves:
            await objects.put_new(one.rejects, b'{"ordinal":0,"byte":0,"code":"invalid","detail":"no"}\n')
        begun = anyio.current_time()
        await Results(objects).write(RECORD, leaves, Tally(lines=len(leaves), rejected=len(leaves)))
        took_s = anyio.current_time() - begun
        assert took_s < DEADLINE_S * 0.6, f"{took_s} s"

    run_virtual(scenario)


@pytest.mark.thorough
def test_ranges_with_nothing_but_refused_lines_are_not_all_in_memory_at_once() -> None:
    """Each may hold a hundred thousand: a few are read at a time, and none beyond the bound of the report."""

    async def scenario() -> None:
        objects = Slow(takes_s=0.01)
        refused = b'{"ordinal":0,"byte":0,"code":"invalid","detail":"it is none"}\n' * 30_000
        leaves = [leaf(number, rejected=30_000) for number in range(60)]
        for one in leaves:
            await objects.put_new(one.rejects, refused)
        summary = await Results(objects).write(RECORD, leaves, Tally(lines=1_800_000, rejected=1_800_000))
        assert objects.most_at_once <= 2
        assert summary.rejected_key is not None
        written = await MemoryObjectStore.get(objects, summary.rejected_key) or b""
        assert REJECTED_BYTES_MAX * 0.99 < len(written) <= REJECTED_BYTES_MAX

    run_virtual(scenario)
