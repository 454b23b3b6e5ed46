"""The end of a file: its results are written, then it is told on the bus, and only then the table says so.

Whoever dies in between does it again.
"""

from dataclasses import replace

from workers.intake.bulk.records import FileRecord, RangeRecord, Records, total
from workers.intake.bulk.results import Results
from workers.intake.observe import IntakeObserver
from workers.intake.reports import Reports


class Ending:
    """Brings files to their end."""

    def __init__(self, records: Records, *, results: Results, reports: Reports, observer: IntakeObserver) -> None:
        self._records = records
        self._results = results
        self._reports = reports
        self._observer = observer

    async def finish(self, record: FileRecord, root: RangeRecord) -> None:
        """Every range is done: write and tell what came of it. Raises StoreError, TableError, ReportError."""
        leaves = await self._records.leaves(record.file.id, record.size)
        finished = replace(record, state="finished", ended_at_ms=root.done_at_ms)
        summary = await self._results.write(finished, leaves, root.tally)
        await self._reports.send([summary.report()])
        await self._records.end(record.file.id, "finished")
        self._observer.file(result="finished")

    async def stop(self, record: FileRecord, why: str) -> None:
        """It cannot be gone on with: what was placed until now stays placed. Raises StoreError, TableError, ReportError."""
        now = await self._records.file(record.file.id)
        if now is None or now.state != "running":
            return  # another range came upon it first, and has told
        await self.tell(self._records.stopping(record, why=why))
        await self._records.end(record.file.id, "stopped", why=why)

    async def tell(self, record: FileRecord) -> None:
        """Write and tell what is known of a file that was refused or stopped: of a stopped one, the lines that were done by then."""
        leaves: list[RangeRecord] = []
        if record.state == "stopped":
            leaves = [leaf for leaf in await self._records.leaves(record.file.id, record.size) if leaf.state == "done"]
        summary = await self._results.write(record, leaves, total(leaves))
        await self._reports.send([summary.report()])
        self._observer.file(result=record.state)
