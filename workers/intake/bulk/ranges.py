"""One range of a file: cut into pieces while it is too long, else worked through, line by line, each through the door.

Work ends after a part of the handler's deadline, wherever it is: what is left becomes a range of its own. So a slow database, or lines that
cost much, make more ranges, and no message is ever too large to be handled.
"""

from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

import anyio
from anyio.abc import TaskGroup

from orderstore.codec import CodecError
from orderstore.privacy.keys import PrivacyError
from orderstore.recorded import Actor
from orderstore.refusals import Refusal, RequestRefused, parsed
from orderstore.requests import BODY_BYTES_MAX
from orderstore.store.errors import CorruptCommit, StreamTooLong
from workers.envelope import MalformedMessage
from workers.intake.bulk.ending import Ending
from workers.intake.bulk.files import FileError, FileGone, Files
from workers.intake.bulk.lines import Line, cuts, lines_of, reads_from
from workers.intake.bulk.messages import RangeMessage
from workers.intake.bulk.packing import open_file
from workers.intake.bulk.records import FileRecord, RangeRecord, Records, Tally
from workers.intake.bulk.results import Rejected, Results
from workers.intake.observe import IntakeObserver
from workers.intake.placing import Origin, Placing

Send = Callable[[str], Awaitable[object]]
"""Puts a message into the intake's own queue. Raises QueueError."""

CHANNEL: Final = "files"
ACTOR: Final = Actor("service", "intake:files")
OWN_KEYS: Final = "intake:files:key:"
PACKED_RANGES_MAX: Final = 32
"""Every range of a packed file unpacks what lies before it: fewer and longer ones unpack less."""
_TOO_LONG: Final = Refusal("body_too_large", f"a line has at most {BODY_BYTES_MAX} bytes")
# Of one order or one customer, and lasting: the other lines of the range must not wait for it.
_LASTING: Final = (PrivacyError, CodecError, CorruptCommit, StreamTooLong)
_NOT_NOW: Final = Refusal("internal", "it could not be placed for a reason on our side; it may be sent again")


@dataclass(frozen=True, slots=True, kw_only=True)
class RangeSettings:
    """`work_s`: no line is begun after so long; below the handler's deadline by what a line may take."""

    work_s: float
    range_bytes: int = 256 * 1024
    lines_at_once: int = 4


class RangeHandler:
    """Handles range messages. The same range may be handled any number of times, also at once."""

    def __init__(
        self,
        placing: Placing,
        *,
        files: Files,
        records: Records,
        results: Results,
        ending: Ending,
        send: Send,
        settings: RangeSettings,
        observer: IntakeObserver,
    ) -> None:
        self._placing = placing
        self._files = files
        self._records = records
        self._results = results
        self._ending = ending
        self._send = send
        self._settings = settings
        self._observer = observer

    async def handle(self, message: RangeMessage) -> None:
        """Done when it returns. Raises MalformedMessage, StoreError, TableError, QueueError, ReportError."""
        record = await self._records.file(message.file_id)
        found = await self._records.range(message.file_id, message.part)
        if record is None or found is None:
            raise MalformedMessage("no such range of a file")
        if record.state != "running":
            return
        if found.state == "todo":
            try:
                found = await self._begin(record, found)
            except FileError as error:
                await self._ending.stop(record, "file_gone" if isinstance(error, FileGone) else "file_unreadable")
                return
        if found.state == "split" and not found.are_pieces_sent:
            await self._send_pieces(record, found)
        root = await self._records.climb(record.file.id, found) if found.state == "done" else None
        if root is not None and root.state == "done":
            await self._ending.finish(record, root)

    async def _begin(self, record: FileRecord, found: RangeRecord) -> RangeRecord:
        """Cut it or work it through; the range as it stands then."""
        longest = self._settings.range_bytes
        if record.packing != "none":
            longest = max(longest, -(-record.size // PACKED_RANGES_MAX))
        if found.end - found.start > longest:
            await self._records.cut(record.file.id, found, cuts(found.start, found.end, range_bytes=longest))
        else:
            await self._work_through(record, found)
        after = await self._records.range(record.file.id, found.part)
        assert after is not None, "a range that was put down is there"
        return after

    async def _send_pieces(self, record: FileRecord, found: RangeRecord) -> None:
        for start, end in found.pieces:
            await self._send(RangeMessage(record.file.id, start, end).body())
        await self._records.sent(record.file.id, found)

    async def _work_through(self, record: FileRecord, found: RangeRecord) -> None:
        work = _Work(self._placing, record, lines_at_once=self._settings.lines_at_once)
        until = anyio.current_time() + self._settings.work_s
        reading = open_file(self._files, record.file, record.packing, at=reads_from(found.start))
        stopped_at = None
        lines = lines_of(reading, start=found.start, end=found.end, line_bytes_max=BODY_BYTES_MAX)
        async with aclosing(lines), anyio.create_task_group() as group:
            try:
                async for line in lines:
                    if work.failure is not None or (work.begun and anyio.current_time() >= until):
                        stopped_at = line.start
                        break
                    await work.begin(line, group)
            except Exception as error:  # noqa: BLE001 - raised below, when the lines under way have ended
                work.failure = work.failure or error
        if work.failure is not None:
            raise work.failure
        file_id, tally = record.file.id, work.tally
        rejects = await self._results.keep(file_id, found.part, work.rejected)
        if stopped_at is None:
            counted = await self._records.done(file_id, found, tally, rejects=rejects)
        else:
            counted = await self._records.done_up_to(file_id, found, stopped_at, tally, rejects=rejects)
        if counted:
            self._observer.lines(result="accepted", count=tally.accepted)
            self._observer.lines(result="rejected", count=tally.rejected)


class _Work:
    """The lines of a range, some at once, and what became of them."""

    def __init__(self, placing: Placing, record: FileRecord, *, lines_at_once: int) -> None:
        self._placing = placing
        self._file_id = record.file.id
        self._free = anyio.Semaphore(lines_at_once)
        self._blank = 0
        self._accepted = 0
        self.begun = 0
        self.rejected: list[Rejected] = []
        self.failure: Exception | None = None
        """Trouble with a line that is worth another try: of the whole range, for its lines are placed once however often they are tried."""

    @property
    def tally(self) -> Tally:
        return Tally(lines=self.begun, blank=self._blank, accepted=self._accepted, rejected=len(self.rejected))

    async def begin(self, line: Line, group: TaskGroup) -> None:
        """Start with a line, as soon as there is room for it."""
        self.begun += 1
        if line.is_blank:
            self._blank += 1
            return
        await self._free.acquire()
        group.start_soon(self._place, line, name=f"line at {line.start}")

    async def _place(self, line: Line) -> None:
        try:
            refusal = await self._refusal(line)
        except Exception as error:  # noqa: BLE001 - told to whoever waits for the lines; in a task group it would end in a group of errors
            self.failure = self.failure or error
        else:
            if refusal is None:
                self._accepted += 1
            else:
                self.rejected.append(Rejected(line, refusal))
        finally:
            self._free.release()

    async def _refusal(self, line: Line) -> Refusal | None:
        if line.content is None:
            return _TOO_LONG
        try:
            asked = parsed(line.content)
        except RequestRefused as error:
            return error.refusal
        place = f"intake:file:{self._file_id}:{line.start}"
        origin = Origin(actor=ACTOR, channel=CHANNEL, scope=OWN_KEYS, place_key=place)
        try:
            outcome = await self._placing.place(asked, origin)
        except _LASTING:
            return _NOT_NOW
        return outcome if isinstance(outcome, Refusal) else None
