"""A subscription that goes on when one key cannot: the key is parked with its cause, its later records wait, all others are applied.

An error that may lie at the records is narrowed down to the keys that fail alone; each of those is tried a number of times, record by
record, and then parked from the record that failed. What lies elsewhere (throttling, permissions, contention) is raised, so that the
reader tries for ever, and so is everything once too many keys are parked: then it is the deployment that is broken, not an order.

That no later record of a parked key is applied before the key is released rests on three things:

1. A record is applied only on a list of parked keys that was read, consistently, at most `known_kept_s` before.
2. Who parks a key, or holds a record of it, returns only once it has known of that for longer (`settle_s`); the checkpoint passes the
   record after that. So whoever is given a later record, in another worker or a child shard, after whatever change of hands, has read the
   list after the key was parked.
3. A record is held by a conditional write on the key's row. If the row is gone the key was released before, by somebody who has applied
   all that was held: the record is applied now. If it is there, the write has moved the row's version on, and a release that began
   before fails and looks again.

    QuarantineError
    ├── NotParkedYet      keys failed, and not often or long enough: the same records are to come again
    └── ParkingStopped    too many keys are parked, or were parked lately
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from random import Random
from typing import Final

import anyio

from projections.stream.parking import ParkingLot
from projections.stream.quarantine.bisection import keys_at_fault
from projections.stream.quarantine.known_keys import ParkedKeys
from projections.stream.quarantine.observe import ParkingObserver, SilentParkingObserver
from projections.stream.quarantine.rules import Judge, QuarantineSettings, Verdict
from projections.stream.quarantine.trial import Failed, Trial
from projections.stream.quarantine.walk import Walk
from projections.stream.quarantine.writes import NotParkedYet, ParkingStopped, ParkingWrites, QuarantineError
from projections.stream.source import Record
from projections.stream.subscriber import KeyedSubscriber

__all__ = ["NotParkedYet", "ParkingStopped", "Quarantine", "QuarantineError"]

AT_ONCE: Final = 0.0  # nobody has to wait before the checkpoint passes what was simply applied


class Quarantine:
    """The `Subscriber` around a `KeyedSubscriber`. `key_of` is the reader's `lane_of`; `now_ms` the wall clock in milliseconds.

    `judge` says of an error whether it may be the records' own fault; see `rules.py`.
    """

    def __init__(
        self,
        subscriber: KeyedSubscriber,
        *,
        subscription: str,
        lot: ParkingLot,
        key_of: Callable[[Record], str],
        judge: Judge,
        now_ms: Callable[[], int],
        random: Random,
        settings: QuarantineSettings | None = None,
        observer: ParkingObserver | None = None,
    ) -> None:
        self._subscriber = subscriber
        self._key_of = key_of
        self._judge = judge
        self._settings = settings = settings or QuarantineSettings()
        self._observer = observer = observer or SilentParkingObserver()
        self._known = ParkedKeys(lot, subscription, kept_s=settings.known_kept_s, now_ms=now_ms, observer=observer)
        self._writes = ParkingWrites(
            lot,
            subscription,
            known=self._known,
            settings=settings,
            now_ms=now_ms,
            random=random,
            observer=observer,
        )
        # One memory for the stream's records and one for the back-fills: a key that fails at both is parked by whoever is through first.
        self._trial = Trial(judge=judge, settings=settings, random=random, observer=observer)
        self._repairs = Trial(judge=judge, settings=settings, random=random, observer=observer)
        # Records that are durable although their call failed, each with the time before which no checkpoint may pass it.
        self._settled: OrderedDict[tuple[str, str], float] = OrderedDict()

    # -- the stream's records

    async def apply(self, records: Sequence[Record]) -> None:
        """See `Subscriber`. Raises QuarantineError, LotUnavailable, and what the judge does not lay at the records."""
        known = await self._known.now()
        verdict: Verdict | None = None
        if not known and not self._settled and not self._trial.suspects(map(self._key_of, records)):
            verdict = await self._at_once(records)
            if verdict is None:
                return
        done: dict[tuple[str, str], float] = {}
        waiting = records
        if self._settled:
            done = {name: self._settled[name] for name in map(self._name, records) if name in self._settled}
            waiting = [record for record in records if self._name(record) not in done]
        try:
            if known:
                waiting = await self._hold(waiting, known, done)
            await self._apply(waiting, done, failed_together=verdict)
            await anyio.sleep_until(max(done.values(), default=AT_ONCE))
        except BaseException:  # whatever ends the call, what it has made durable need not be done again
            self._remember(done)
            raise
        if self._settled:
            for record in records:
                self._settled.pop(self._name(record), None)

    async def _at_once(self, records: Sequence[Record]) -> Verdict | None:
        """The ordinary case, in which nothing is parked and nothing fails. A verdict when something failed that may lie at the records."""
        try:
            await self._subscriber.apply(records)
        except Exception as error:
            verdict = self._judge(error)
            if verdict.cause is None:
                raise
            return verdict
        return None

    async def _hold(
        self, records: Sequence[Record], known: Iterable[str], done: dict[tuple[str, str], float]
    ) -> Sequence[Record]:
        """Note the records of parked keys on their keys' rows; what is left to apply."""
        parked: dict[str, list[Record]] = {key: [] for key in known}
        for record in records:
            if (key := self._key_of(record)) in parked:
                parked[key].append(record)
        for key, held in parked.items():
            not_before_s = await self._writes.hold(key, held) if held else None
            if not_before_s is not None:
                done.update((self._name(record), not_before_s) for record in held)
        return [record for record in records if self._name(record) not in done]

    async def _apply(
        self, records: Sequence[Record], done: dict[tuple[str, str], float], *, failed_together: Verdict | None
    ) -> None:
        """Apply what can be, park what cannot. What is durable goes into `done`."""
        if not records:
            return
        by_key: dict[str, list[Record]] = {}
        for record in records:
            by_key.setdefault(self._key_of(record), []).append(record)

        async def attempt(keys: Sequence[str]) -> None:
            chosen = set(keys)
            part = [record for record in records if self._key_of(record) in chosen]
            await self._subscriber.apply(part)
            done.update((self._name(record), AT_ONCE) for record in part)

        deadline_s = anyio.current_time() + self._settings.call_budget_s
        suspects = self._trial.suspects(by_key)
        at_fault = await keys_at_fault(
            tuple(by_key), attempt, self._judge, suspects=suspects, failed_together=failed_together
        )
        waiting: Failed | None = None
        for key in at_fault:
            failed = await self._narrowed(key, by_key[key], done, deadline_s)
            if failed is not None and failed.settled:
                not_before_s = await self._writes.park(failed)
                self._trial.clear(key)
                done.update((self._name(record), not_before_s) for record in failed.records)
            else:
                waiting = failed or waiting
        if waiting is not None:
            raise _not_yet(waiting) from waiting.error

    async def _narrowed(
        self, key: str, records: Sequence[Record], done: dict[tuple[str, str], float], deadline_s: float
    ) -> Failed | None:
        """Apply a key's records one by one, up to the first that fails for good."""
        for position, record in enumerate(records):
            failed = await self._trial.of(
                key,
                record.sequence_number,
                partial(self._subscriber.apply, [record]),
                records=records[position:],
                deadline_s=deadline_s,
            )
            if failed is not None:
                return failed
            done[self._name(record)] = AT_ONCE
        return None

    # -- the table

    async def backfill(self, since_ms: int) -> None:
        """See `Subscriber`: repairs every key, parks those that cannot be, and notes on the rows of parked keys that they were left out.

        Raises as `apply`, but no QuarantineError: what may not be parked yet is waited for.
        """
        walk = Walk(
            self._subscriber,
            since_ms=since_ms,
            known=self._known,
            writes=self._writes,
            trial=self._repairs,
            judge=self._judge,
            settings=self._settings,
        )
        await walk.run()

    # -- what is durable already

    def _name(self, record: Record) -> tuple[str, str]:
        return self._key_of(record), record.sequence_number

    def _remember(self, done: dict[tuple[str, str], float]) -> None:
        self._settled.update(done)
        while len(self._settled) > self._settings.remembered_max:
            self._settled.popitem(last=False)


def _not_yet(failed: Failed) -> NotParkedYet:
    return NotParkedYet(
        f"{failed.key} failed {failed.suspicion.failures} times ({failed.cause.error}); it is tried again"
    )
