"""Sends dead letters on: to the worker that they were for, as new messages with the same body and attributes.

For each letter: is it meant, is it a copy, can the worker read it, does its order still want it? Then it goes on record, is sent, and is
deleted, in this order. So a letter is never lost; one who dies between two of these steps leaves a duplicate, which handlers survive, and
never an act without a record.
"""

import random
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Final

import anyio

from orderstore.store.errors import StoreError
from orderstore.store.side_by_side import side_by_side
from workers.dead_letters.errors import NotAllowed
from workers.dead_letters.filters import Filter
from workers.dead_letters.letter import REDRIVE_COUNT, REDRIVEN_FROM, Letter
from workers.dead_letters.look import LETTERS_MAX, RUN_S_MAX, Box, Look, looking
from workers.dead_letters.pacing import BACKLOG_DEFAULT, RATE_DEFAULT, RATE_MAX, Backlog, TokenBucket
from workers.dead_letters.records import Duplicate, Mandate, Records
from workers.dead_letters.standing import Judge
from workers.runtime.backoff import full_jitter_s
from workers.runtime.deadletter import ORIGINAL_ID, packed
from workers.runtime.queue import QueueError, Throttled, Unavailable
from workers.tables.errors import TableError

SENT_MAX: Final = 50_000
SENT_DEFAULT: Final = 1_000
TOLD_MAX: Final = 100
TRIES: Final = 4
RETRY_BASE_S: Final = 0.2
RETRY_CAP_S: Final = 5.0
BAD_BATCHES_MAX: Final = 3

REDRIVEN: Final = "redriven"
DUPLICATE: Final = "duplicate"
MOVED_ON: Final = "moved on"
UNREADABLE: Final = "unreadable"
LEFT: Final = "left"
FAILED: Final = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to send on, and how. `mandate` None is a dry run: nothing is written, sent or deleted."""

    wanted: Filter
    mandate: Mandate | None
    even_if_moved_on: bool = False
    rate_per_s: float = RATE_DEFAULT
    sent_max: int = SENT_DEFAULT
    backlog_max: int = BACKLOG_DEFAULT
    seconds_max: float = RUN_S_MAX

    def __post_init__(self) -> None:
        if not 0 < self.rate_per_s <= RATE_MAX:
            raise NotAllowed(f"a rate is above 0 and at most {RATE_MAX:.0f} a second")
        if not 1 <= self.sent_max <= SENT_MAX:
            raise NotAllowed(f"at most {SENT_MAX:,} letters are sent on in one run, and at least one")
        if not 1 <= self.backlog_max <= LETTERS_MAX:
            raise NotAllowed(f"the backlog's bound is 1 to {LETTERS_MAX:,} messages")
        if not 0 < self.seconds_max <= RUN_S_MAX:
            raise NotAllowed(f"a run takes at most {RUN_S_MAX:.0f} s")


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What became of one letter, and why."""

    letter: str
    event: str | None
    event_type: str | None
    order: str | None
    outcome: str
    why: str


@dataclass(slots=True, kw_only=True)
class Report:
    """What a run did. `counts` by outcome; the first letters of it one by one."""

    queue: str
    dry_run: bool
    counts: Counter[str] = field(default_factory=Counter)
    looked_at: int = 0
    not_meant: int = 0
    stopped: str | None = None
    """Why the run did not look at the whole queue; None when it did."""
    letters: list[Told] = field(default_factory=list)
    letters_omitted: int = 0

    def add(self, told: Told) -> None:
        """Count a letter."""
        self.counts[told.outcome] += 1
        if len(self.letters) < TOLD_MAX:
            self.letters.append(told)
        else:
            self.letters_omitted += 1


class Redriver:
    """Runs plans over one box. Errors of a single letter are in the report; QueueError comes from the looking itself."""

    def __init__(
        self, box: Box, *, judge: Judge, records: Records, now_ms: Callable[[], int], source: random.Random
    ) -> None:
        self._box = box
        self._judge = judge
        self._records = records
        self._now_ms = now_ms
        self._source = source

    async def run(self, plan: Plan, *, progress: Callable[[Report], None] = lambda _report: None) -> Report:
        """Carry the plan out, until all letters were looked at or one of its bounds is reached."""
        report = Report(queue=self._box.name, dry_run=plan.mandate is None)
        backlog = Backlog(self._visible, backlog_max=plan.backlog_max)
        bad_batches = 0
        async with (
            looking(self._box, letters_max=LETTERS_MAX, seconds_max=plan.seconds_max) as look,
            aclosing(look.batches()) as batches,
        ):
            run = _Run(self._box, look, plan, judge=self._judge, records=self._records, source=self._source)
            async for batch in batches:
                now_ms = self._now_ms()
                meant = {letter.id: letter for letter in batch if plan.wanted.admits(letter, now_ms=now_ms)}
                report.looked_at += len(batch)
                report.not_meant += len(batch) - len(meant)
                if meant and not report.dry_run and not await backlog.small(until=look.ends_at):
                    look.stopped = (
                        f"more than {plan.backlog_max:,} messages wait in {self._box.name}: its workers are behind"
                    )
                    break
                found = await run.several(meant)
                for told in found:
                    report.add(told)
                progress(report)
                bad_batches = bad_batches + 1 if any(told.outcome == FAILED for told in found) else 0
                if bad_batches >= BAD_BATCHES_MAX:
                    look.stopped = "too much of it failed"
                    break
                if run.late:
                    look.stopped = "the time for one run was up"
                    break
                if run.left <= 0:
                    look.stopped = f"{plan.sent_max:,} letters were sent on, as many as were asked for"
                    break
                if plan.wanted.message_id is not None and meant:
                    look.stopped = None
                    break
            report.stopped = look.stopped
        return report

    async def _visible(self) -> int:
        return (await self._box.source.depths()).visible


class _Run:
    """What one run remembers from letter to letter."""

    def __init__(
        self, box: Box, look: Look, plan: Plan, *, judge: Judge, records: Records, source: random.Random
    ) -> None:
        self._box = box
        self._look = look
        self._plan = plan
        self._judge = judge
        self._records = records
        self._source = source
        self._bucket = TokenBucket(plan.rate_per_s)
        self._sent: dict[str, int] = {}
        """How often each event had been sent on before this run did, by the event."""
        self.left = plan.sent_max
        self.late = False
        """Whether the time is up: at this rate none has its turn before the look ends."""

    async def several(self, letters: Mapping[str, Letter]) -> list[Told]:
        """Do what is to be done with letters that are meant, side by side; they are given by their ids."""

        async def one(name: str) -> Told:
            return await self._told(letters[name])

        return list((await side_by_side(letters, one, name="redrive of")).values())

    async def _told(self, letter: Letter) -> Told:
        try:
            outcome, why = await self._one(letter)
        except (QueueError, StoreError, TableError) as error:
            self._sent.pop(letter.identity, None)
            outcome, why = FAILED, f"{type(error).__name__}: it lies in the dead letters still"
        return Told(
            letter=letter.id,
            event=letter.event_id,
            event_type=letter.event_type,
            order=letter.order_id,
            outcome=outcome,
            why=why,
        )

    async def _one(self, letter: Letter) -> tuple[str, str]:
        if letter.unreadable is not None:
            return UNREADABLE, f"{letter.unreadable}: correct it, purge it, or deploy a build that reads it"
        if letter.identity in self._sent:
            return await self._again_in_this_run(letter)
        earlier = await self._records.earlier(letter)
        if earlier is not None:
            return await self._drop_copy(letter, f"the event was sent on at {earlier.at} by {earlier.actor_id}")
        standing = await self._judge.judge(letter)
        if not standing.wanted and not (self._plan.even_if_moved_on and standing.state is not None):
            return MOVED_ON, standing.words
        if self.left <= 0:
            return LEFT, "as many as were asked for were sent on before it"
        if letter.identity in self._sent:
            return await self._again_in_this_run(letter)
        self._sent[letter.identity] = letter.redrive_count
        self.left -= 1
        mandate = self._plan.mandate
        if mandate is None:
            return REDRIVEN, standing.words
        if not await self._bucket.take(until=self._look.ends_at):
            self._sent.pop(letter.identity, None)
            self.left += 1
            self.late = True
            return LEFT, "the time for one run was up before its turn"
        recorded = await self._records.redrive(letter, mandate, state=standing.state)
        if isinstance(recorded, Duplicate):
            self.left += 1
            return await self._drop_copy(letter, f"somebody else sent the event on at {recorded.of.at}")
        await self._again(lambda: self._send(letter))
        await self._delete(letter)
        return REDRIVEN, standing.words

    async def _again_in_this_run(self, letter: Letter) -> tuple[str, str]:
        """A copy of what was sent on goes; what was sent on and is back already is no copy: it is all that is left of the event."""
        if letter.redrive_count > self._sent[letter.identity]:
            return LEFT, "it was sent on in this run and is back already: look at what stops it"
        return await self._drop_copy(letter, "another letter of the same event was sent on in this run")

    async def _send(self, letter: Letter) -> None:
        attributes = {
            **letter.attributes,
            ORIGINAL_ID: letter.original_id,
            REDRIVEN_FROM: letter.id,
            REDRIVE_COUNT: str(letter.redrive_count + 1),
        }
        await self._box.source.send(letter.message.body, attributes=packed(attributes), group=letter.message.group)

    async def _drop_copy(self, letter: Letter, why: str) -> tuple[str, str]:
        if self._plan.mandate is not None:
            await self._records.duplicate(letter, self._plan.mandate)
            await self._delete(letter)
        return DUPLICATE, why

    async def _delete(self, letter: Letter) -> None:
        """A letter that stays although it was sent on is sent on again one day, as the same redrive: handlers survive it."""

        async def delete() -> None:
            if any(not entry.gone for entry in await self._box.letters.delete([self._look.receipt_of(letter)])):
                raise Unavailable("the letter was not deleted")

        await self._again(delete)
        self._look.gone(letter)

    async def _again(self, call: Callable[[], Awaitable[None]]) -> None:
        for attempt in range(1, TRIES + 1):
            try:
                return await call()
            except (Throttled, Unavailable):
                if attempt == TRIES:
                    raise
            await anyio.sleep(
                full_jitter_s(attempt=attempt, base_s=RETRY_BASE_S, cap_s=RETRY_CAP_S, source=self._source)
            )
        return None
