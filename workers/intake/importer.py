"""Send a file's orders through a door: bounded, resumable, stoppable.

There is no checkpoint file. Every request carries a key made from the file's own numbers, the door is idempotent, and so the way to resume
an import, after whatever ended it, is to run it again.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from functools import partial
from itertools import groupby
from pathlib import Path
from random import Random
from typing import TypeVar

import anyio
import anyio.from_thread
import anyio.to_thread

from workers.intake.door import Door, DoorBusy, DoorNotYet, DoorRefused, Form, instruction_key, sale_key
from workers.intake.online_retail.feed import StagedFile
from workers.intake.online_retail.model import CancelOrder, Instruction, RefundLines, Reject, RejectReason, Sale
from workers.intake.online_retail.report import ReportWriter
from workers.intake.online_retail.staging import open_staged
from workers.intake.tally import Answer, ImportCounts, ImportHalted, ImportResult, ImportSettings, Phase, Progress

Item = TypeVar("Item")
OnProgress = Callable[[Progress], None]


async def import_orders(
    path: Path,
    *,
    door: Door,
    settings: ImportSettings,
    random: Random,
    on_progress: OnProgress,
    report_path: Path | None = None,
    stop: anyio.Event | None = None,
) -> ImportResult:
    """Read, match and send `path`.

    Setting `stop` (Ctrl-C) starts no further request, waits `stop_grace_s` for those under way, and returns with `stopped` set. The report
    takes its final name only when the import is complete; otherwise what was written stays under `<report_path>.partial`.

    Raises IntakeError before anything is sent (see `online_retail.model`), and ImportHalted when the door stays busy.
    """
    run = _Run(door, settings, random, on_progress, stop or anyio.Event())
    with ExitStack() as stack:
        report = None if report_path is None else stack.enter_context(ReportWriter(report_path))
        staged = await run.read(path)
        if staged is None:
            return run.result(None)
        stack.callback(staged.close)
        run.report_file_rejects(staged, report)
        if not settings.dry_run:
            await run.send(staged)
        result = run.result(staged)
        if run.failure is not None:
            raise ImportHalted(f"the door stayed busy: {run.failure}", result) from run.failure
        if report is not None and not result.stopped:
            report.complete()
        return result


class _StoppedReading(Exception):
    """Leaves the reading thread when the import is told to stop."""


class _Run:
    """One import under way. Everything but `read` happens on the event loop; the index answers in well under a millisecond."""

    def __init__(
        self, door: Door, settings: ImportSettings, random: Random, on_progress: OnProgress, stop: anyio.Event
    ) -> None:
        self._door = door
        self._settings = settings
        self._random = random
        self._on_progress = on_progress
        self._stop = stop
        self._halt = anyio.Event()
        self._report: ReportWriter | None = None
        self._rejects: Counter[RejectReason] = Counter()
        self._refused: set[str] = set()  # bounded by the file's sales
        self._done = 0
        self._cut_short = False
        self.counts = ImportCounts()
        self.failure: DoorBusy | None = None

    async def read(self, path: Path) -> StagedFile | None:
        """Stage the file on a worker thread; None when told to stop meanwhile."""

        def on_read(_rows: int, bytes_read: int, bytes_total: int) -> None:
            anyio.from_thread.check_cancelled()
            if self._stop.is_set():
                raise _StoppedReading
            anyio.from_thread.run_sync(self._tell, Phase.READING, bytes_read, bytes_total)

        try:
            return await anyio.to_thread.run_sync(lambda: open_staged(path, on_read=on_read))
        except _StoppedReading:
            return None

    def report_file_rejects(self, staged: StagedFile, report: ReportWriter | None) -> None:
        self._report = report
        for reject in staged.rejects():
            self._reject(reject)

    async def send(self, staged: StagedFile) -> None:
        """All sales first, then, sale by sale, what takes them back in the order in which it was asked for."""
        limit = self._settings.limit
        async with anyio.create_task_group() as watch:
            watch.start_soon(self._watch_stop, watch.cancel_scope, name="import-stop")
            await self._each(Phase.SALES, staged.sales(limit), self._planned_sales(staged), self._place)
            by_sale = (tuple(group) for _, group in groupby(staged.instructions(limit), key=lambda one: one.sale))
            await self._each(Phase.CANCELLATIONS, by_sale, staged.count_instructions(limit), self._take_back)
            watch.cancel_scope.cancel()

    def result(self, staged: StagedFile | None) -> ImportResult:
        return ImportResult(
            totals=None if staged is None else staged.totals,
            counts=self.counts,
            sales_planned=0 if staged is None else self._planned_sales(staged),
            instructions_planned=0 if staged is None else staged.count_instructions(self._settings.limit),
            rejects=dict(sorted(self._rejects.items())),
            dry_run=self._settings.dry_run,
            stopped=staged is None or (self._cut_short and self.failure is None),
        )

    def _planned_sales(self, staged: StagedFile) -> int:
        limit = self._settings.limit
        return staged.totals.sales if limit is None else min(limit, staged.totals.sales)

    async def _watch_stop(self, everything: anyio.CancelScope) -> None:
        await self._stop.wait()
        self._halt.set()
        await anyio.sleep(self._settings.stop_grace_s)
        everything.cancel()

    async def _each(
        self, phase: Phase, items: Iterator[Item], total: int, handle: Callable[[Item], Awaitable[int]]
    ) -> None:
        """Share `items` between a fixed number of tasks: no more is read from the index than is being sent."""
        self._done = 0

        async def work() -> None:
            while (item := next(items, None)) is not None:
                if self._halted():
                    self._cut_short = True
                    return
                finished = await handle(item)  # awaited apart: `+=` would read the old sum before the await
                self._done += finished
                self._tell(phase, self._done, total)

        self._tell(phase, 0, total)
        async with anyio.create_task_group() as workers:
            for number in range(self._settings.concurrency):
                workers.start_soon(work, name=f"import-{phase}-{number}")

    def _halted(self) -> bool:
        return self._stop.is_set() or self._halt.is_set()

    async def _place(self, sale: Sale) -> int:
        answer = await self._ask("sales", partial(self._place_new, sale), sale.invoice, sale.lines[0].line_number)
        if answer is Answer.REFUSED:
            self._refused.add(sale.invoice)
        elif answer is not None:
            self.counts = self.counts.plus_accepted(sale.total)
        return int(answer is not None)

    async def _place_new(self, sale: Sale) -> tuple[str, bool]:
        return "sales", (await self._door.place(sale, key=sale_key(sale.invoice))).new

    async def _take_back(self, instructions: tuple[Instruction, ...]) -> int:
        for one in instructions:
            if self._halted():
                self._cut_short = True
                break
            if one.sale in self._refused:
                self.counts = self.counts.plus("skipped")
                self._reject(
                    Reject(
                        one.cancellation,
                        one.line_number,
                        RejectReason.SALE_NOT_ACCEPTED,
                        f"sale {one.sale} was refused",
                    )
                )
                continue
            kind = Form.CANCELLED if isinstance(one, CancelOrder) else Form.REFUNDED
            await self._ask(kind, partial(self._request_new, one), one.cancellation, one.line_number)
        return len(instructions)

    async def _request_new(self, one: Instruction) -> tuple[str, bool]:
        key = instruction_key(one)
        match one:
            case CancelOrder():
                asked = await self._door.cancel(one, key=key)
            case RefundLines():
                asked = await self._door.refund(one, key=key)
        return asked.form, asked.new

    async def _ask(
        self, kind: str, call: Callable[[], Awaitable[tuple[str, bool]]], invoice: str, line_number: int
    ) -> Answer | None:
        """One request until it is answered; None when it was given up, because of a stop or because the door stayed busy. `call` says what
        became of it, and whether it is new; `kind` is what it is counted as when it is refused."""
        for attempt in range(1, self._settings.attempts_max + 1):
            try:
                became, new = await call()
                answer = Answer.NEW if new else Answer.ALREADY
            except DoorNotYet as error:
                self._reject(Reject(invoice, line_number, RejectReason.NOT_ARRIVED, str(error)))
                self.counts = self.counts.plus("waiting")
                return Answer.WAITING
            except DoorRefused as error:
                became, answer = kind, Answer.REFUSED
                self._reject(Reject(invoice, line_number, RejectReason.REFUSED, str(error)))
            except DoorBusy as error:
                if attempt == self._settings.attempts_max:
                    self.failure = self.failure or error
                    self._halt.set()
                elif not self._halted():
                    self.counts = self.counts.plus("retries")
                    await self._back_off(attempt, error.retry_after_s)
                if self._halted():
                    self._cut_short = True
                    self.counts = self.counts.plus("unknown")
                    return None
                continue
            except anyio.get_cancelled_exc_class():
                self._cut_short = True
                self.counts = self.counts.plus("unknown")
                raise
            self.counts = self.counts.plus(f"{became}_{answer}")
            return answer
        return None

    async def _back_off(self, attempt: int, retry_after_s: float | None) -> None:
        """Full jitter, or what the door asks for, never longer than the bound; a stop ends the wait."""
        ceiling_s = min(self._settings.backoff_s_max, self._settings.backoff_s * 2 ** (attempt - 1))
        delay_s = (
            self._random.uniform(0, ceiling_s)
            if retry_after_s is None
            else min(retry_after_s, self._settings.backoff_s_max)
        )
        with anyio.move_on_after(delay_s):
            await self._halt.wait()

    def _reject(self, reject: Reject) -> None:
        self._rejects[reject.reason] += 1
        if self._report is not None:
            self._report.write(reject)

    def _tell(self, phase: Phase, done: int, total: int) -> None:
        self._on_progress(Progress(phase=phase, done=done, total=total, counts=self.counts))
