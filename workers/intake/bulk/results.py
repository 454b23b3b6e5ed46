"""What is written about a file at its end: `….report.json` with the figures, `….rejected.ndjson` with each line that was refused.

Nothing of a line is repeated: its number, where it begins, and the reasons. Everything follows from the table and from what each range
wrote, so that whoever dies while writing writes the same again.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import anyio
import orjson

from orderstore.codec import timestamp_of
from orderstore.objects import KEY_BYTES_MAX, ObjectStore
from orderstore.refusals import Refusal
from workers.intake.bulk.files import PREFIX, FileName
from workers.intake.bulk.lines import Line
from workers.intake.bulk.records import FileRecord, RangeRecord, Tally
from workers.intake.reports import FINISHED, Report, report_id
from workers.intake.wording import document_of

REPORTS: Final = "reports/"
WORK: Final = "work/"
REASONS_PER_LINE: Final = 10
FIRST_REJECTED: Final = 20
REJECTED_BYTES_MAX: Final = 16 * 1024 * 1024
"""Of the file of refused lines; what is beyond is counted, and can be sent again by the lines that are missing."""
_OBJECTS_AT_ONCE: Final = 128
_LINES_AT_ONCE: Final = 40_000
"""The largest file has eight thousand ranges, which are read within one message's time; and a range may hold a hundred thousand lines."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """A line that was refused."""

    line: Line
    refusal: Refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What is told about a file that came to its end."""

    record: FileRecord
    tally: Tally
    report_key: str
    rejected_key: str | None

    def report(self) -> Report:
        """The event on the bus."""
        file = self.record.file
        detail = {
            "reportId": report_id(f"intake-file:{file.id}", FINISHED),
            **_what(self.record, self.tally),
            "reportKey": self.report_key,
            "rejectedKey": self.rejected_key,
        }
        return Report(FINISHED, detail)


class Results:
    """Writes into the bucket of the files."""

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects

    async def keep(self, file_id: str, part: str, rejected: Sequence[Rejected]) -> str:
        """Store what was refused in a range, and return the object's key; empty for none."""
        if not rejected:
            return ""
        lines = sorted(rejected, key=lambda one: one.line.ordinal)
        content = b"".join(orjson.dumps(_of_range(one)) + b"\n" for one in lines)
        key = f"{WORK}{file_id}/{part}-{hashlib.sha256(content).hexdigest()[:16]}.ndjson"
        await self._objects.put_new(key, content)
        return key

    async def write(self, record: FileRecord, leaves: Sequence[RangeRecord], tally: Tally) -> Summary:
        """Write what there is to be told. Repeating it changes nothing."""
        rejected, omitted = await self._rejected(leaves)
        base = results_key(record.file)
        rejected_key = None
        if rejected:
            rejected_key = f"{base}.rejected.ndjson"
            await self._objects.put_new(rejected_key, b"".join(rejected))
        summary = Summary(record=record, tally=tally, report_key=f"{base}.report.json", rejected_key=rejected_key)
        document = {
            **_what(record, tally),
            "beganAt": _moment(record.began_at_ms),
            "endedAt": _moment(record.ended_at_ms),
            "rejectedKey": rejected_key,
            "rejectedOmitted": omitted,
            "firstRejected": [orjson.loads(line) for line in rejected[:FIRST_REJECTED]],
        }
        await self._objects.put_new(summary.report_key, orjson.dumps(document, option=orjson.OPT_INDENT_2))
        return summary

    async def read(self, file: FileName) -> dict[str, Any] | None:
        """The report about a file; None while there is none."""
        content = await self._objects.get(f"{results_key(file)}.report.json")
        return None if content is None else orjson.loads(content)

    async def _rejected(self, leaves: Sequence[RangeRecord]) -> tuple[list[bytes], int]:
        """The refused lines with their numbers in the file, as many as there is room for, and how many there was none for."""
        found: list[bytes] = []
        size, before, omitted = 0, 0, 0
        for some in _together(leaves):
            contents = await self._contents(some) if size < REJECTED_BYTES_MAX else [None] * len(some)
            for leaf, content in zip(some, contents, strict=True):
                told_of = 0
                for line in (content or b"").splitlines(keepends=False):
                    entry = orjson.loads(line)
                    numbered = orjson.dumps({"line": before + entry.pop("ordinal") + 1, **entry}) + b"\n"
                    if size + len(numbered) > REJECTED_BYTES_MAX:
                        size = REJECTED_BYTES_MAX
                        break
                    found.append(numbered)
                    size += len(numbered)
                    told_of += 1
                omitted += leaf.tally.rejected - told_of
                before += leaf.tally.lines
        return found, omitted

    async def _contents(self, leaves: Sequence[RangeRecord]) -> list[bytes | None]:
        contents: list[bytes | None] = [None] * len(leaves)
        failures: list[Exception] = []

        async def fetch(position: int, key: str) -> None:
            try:
                contents[position] = await self._objects.get(key)
            except Exception as error:  # noqa: BLE001 - raised below: out of a task group it would come as a group of errors
                failures.append(error)

        async with anyio.create_task_group() as group:
            for position, leaf in enumerate(leaves):
                if leaf.rejects:
                    group.start_soon(fetch, position, leaf.rejects, name=f"fetch {leaf.rejects}")
        if failures:
            raise failures[0]
        return contents


def _together(leaves: Sequence[RangeRecord]) -> Iterator[list[RangeRecord]]:
    """The ranges in their order, so many at a time that reading what was refused in them is neither slow nor large."""
    some: list[RangeRecord] = []
    objects = lines = 0
    for leaf in leaves:
        if objects and (objects == _OBJECTS_AT_ONCE or lines + leaf.tally.rejected > _LINES_AT_ONCE):
            yield some
            some, objects, lines = [], 0, 0
        some.append(leaf)
        objects += bool(leaf.rejects)
        lines += leaf.tally.rejected
    if some:
        yield some


def results_key(file: FileName) -> str:
    """How the keys of a file's results begin: by its own name and version, so that another version's stand beside them."""
    version = file.version or file.etag.strip('"')
    key = f"{REPORTS}{file.key.removeprefix(PREFIX)}@{version}"
    longest = KEY_BYTES_MAX - len(".rejected.ndjson")
    return key if len(key.encode()) <= longest else f"{REPORTS}{file.id}"


def _what(record: FileRecord, tally: Tally) -> dict[str, Any]:
    file = record.file
    return {
        "file": file.id,
        "bucket": file.bucket,
        "key": file.key,
        "version": file.version,
        "state": record.state,
        "why": record.why or None,
        "bytes": record.size,
        "lines": tally.lines,
        "blank": tally.blank,
        "accepted": tally.accepted,
        "rejected": tally.rejected,
    }


def _of_range(rejected: Rejected) -> dict[str, Any]:
    line = rejected.line
    return {"ordinal": line.ordinal, "byte": line.start, **document_of(rejected.refusal, reasons_max=REASONS_PER_LINE)}


def _moment(at_ms: int) -> str | None:
    return timestamp_of(at_ms) if at_ms else None
