"""Taking a parked order up again, in the process of whoever asks for it: from the failed commit on, or from the one behind it.

The row's version fences it against the workers. The row is released on the version that was read before the log was: a commit that a
worker held back meanwhile has moved the version on, the release fails, and what has come since is made up for first.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from orderstore.store.errors import CorruptCommit
from projections.stream.parking import (
    Cause,
    Decision,
    Keys,
    Parked,
    ParkedChanged,
    ParkingLot,
    State,
    decided,
    failed_again,
)
from projections.stream.quarantine.rules import Judge
from projections.stream.source import Record
from projections.stream.subscriber import KeyedSubscriber

ROUNDS_MAX: Final = 20
CHANGES_MAX: Final = 50  # a row that changes under a write so often belongs to somebody who does nothing else


class LogItems(Protocol):
    """The log as it lies in the table, whether it can be read as commits or not. Raises StoreError."""

    async def head(self, stream: str) -> int:
        """The number of the stream's last item, consistently; 0 when there is none."""
        ...

    async def item(self, stream: str, number: int) -> Mapping[str, Any] | None:
        """One item, consistently, as the low-level client gives it; None when it is not there."""
        ...


@dataclass(frozen=True, slots=True)
class Released:
    """The order goes on. `through`: the last commit that was made up for here; `rounds`: how often more had come meanwhile, and 1."""

    through: int
    rounds: int


@dataclass(frozen=True, slots=True)
class StillParked:
    """It failed again; the row says where and why now. `row.first` is the commit at fault if `located`."""

    row: Parked
    located: bool


@dataclass(frozen=True, slots=True)
class GrownTooFast:
    """More came in every round: nothing is lost, and the order is parked still."""

    rounds: int


@dataclass(frozen=True, slots=True)
class TakenByOthers:
    """Somebody else released the order meanwhile, or it was released and parked anew (`row`)."""

    row: Parked | None


Outcome = Released | StillParked | GrownTooFast | TakenByOthers


class NotLocated(Exception):
    """It is not known which commit fails: a back-fill parked the order. A retry finds out."""


def number_of(keys: Keys) -> int:
    """The commit that an item's keys name."""
    return int(keys["commit"]["N"])


def keys_of(stream: str, number: int) -> Keys:
    """The keys of a commit's item."""
    return {"stream": {"S": stream}, "commit": {"N": str(number)}}


class Unparking:
    """Retries and skips for one subscription. `judge` tells what may be the order's fault from what is not."""

    def __init__(self, lot: ParkingLot, subscriber: KeyedSubscriber, items: LogItems, *, judge: Judge) -> None:
        self._lot = lot
        self._subscriber = subscriber
        self._items = items
        self._judge = judge

    async def retry(self, row: Parked, decision: Decision) -> Outcome:
        """Take the order up from the first commit that is owed. Raises LotUnavailable, and what is not the order's fault: then it stays
        parked."""
        noted = await self._noted(row, decision)
        if noted is None:
            return TakenByOthers(await self._lot.get(row.subscription, row.key))
        return await self._bring_up(noted)

    async def pass_over(self, row: Parked, decision: Decision) -> Outcome:
        """Leave the failing commit out for ever, and go on around it: whatever comes of this, no later retry of this parking takes it in.
        What came after it, and was written before it, is still owed. Raises as `retry`, and NotLocated."""
        if row.failed is None:
            raise NotLocated(row.key)
        noted = await self._noted(row, decision, passed=number_of(row.failed))
        if noted is None:
            return TakenByOthers(await self._lot.get(row.subscription, row.key))
        return await self._bring_up(noted)

    async def set_aside(self, row: Parked, decision: Decision) -> Parked | None:
        """Leave the order as it stands until somebody retries it; None when it is not parked any more. Raises LotUnavailable."""
        return await self._noted(row, decision, state="skipped")

    async def _noted(
        self, row: Parked, decision: Decision, *, state: State = "parked", passed: int | None = None
    ) -> Parked | None:
        return await self._changed(row, lambda now: decided(now, decision, state=state, passed=passed))

    async def _changed(self, row: Parked, change: Callable[[Parked], Parked]) -> Parked | None:
        """Change the row as it stands now, whatever a worker has added to it; None when this parking is over."""
        for _ in range(CHANGES_MAX):
            updated = change(row)
            try:
                await self._lot.replace(row, updated)
            except ParkedChanged as changed:
                if changed.winner is None or changed.winner.episode != row.episode:
                    return None
                row = changed.winner
            else:
                return updated
        raise ParkedChanged(row.key, row)

    async def _bring_up(self, row: Parked) -> Outcome:
        first = begun = _first_owed(row)
        for round_number in range(1, ROUNDS_MAX + 1):
            head = await self._items.head(row.key)
            look_from = 1 if row.owed_since_ms is not None else first or 1
            try:
                if first is not None:
                    await self._go_on(row, first, head, new=round_number == 1)
                if row.owed_since_ms is not None:
                    await self._make_up(row, row.owed_since_ms, head)
            except Exception as error:
                cause = self._judge(error).cause
                if cause is None:
                    raise
                began = 1 if row.owed_since_ms is not None else begun or 1
                return await self._failed(row, range(look_from, head + 1), cause, began=began)
            try:
                await self._lot.release(row)
            except ParkedChanged as changed:
                if changed.winner is None or changed.winner.episode != row.episode:
                    return TakenByOthers(changed.winner)
                row, first = changed.winner, head + 1
                owed = _first_owed(row)
                if owed is not None and (
                    begun is None or owed < begun
                ):  # held meanwhile, and written before what was taken in
                    first = begun = owed
            else:
                return Released(head, round_number)
        return GrownTooFast(ROUNDS_MAX)

    async def _go_on(self, row: Parked, first: int, head: int, *, new: bool) -> None:
        """From `first` to the log's end. In the first round also where nothing seems to be there: that the failed commit is gone is for the
        subscriber to say."""
        if row.passed:
            await self._around(row, first, head)
            return
        if new or first <= head:
            await self._subscriber.resume(row.key, first=keys_of(row.key, first))
        failed = None if row.failed is None else number_of(row.failed)
        if new and failed is not None and failed > max(first, head):
            await self._subscriber.resume(row.key, first=keys_of(row.key, failed))

    async def _make_up(self, row: Parked, since_ms: int, head: int) -> None:
        """What back-fills left out. One that would meet a commit that is passed over goes around it, through the whole log."""
        if row.passed:
            await self._around(row, 1, head)
        else:
            await self._subscriber.repair([row.key], since_ms=since_ms)

    async def _around(self, row: Parked, first: int, head: int) -> None:
        """The stretches between the commits that are passed over; nothing of those is even read."""
        for passed in row.passed:
            if first < passed <= head:
                await self._subscriber.resume(row.key, first=keys_of(row.key, first), last=keys_of(row.key, passed - 1))
            first = max(first, passed + 1)
        if first <= head:
            await self._subscriber.resume(row.key, first=keys_of(row.key, first))

    async def _failed(self, row: Parked, numbers: Sequence[int], cause: Cause, *, began: int) -> Outcome:
        """Find the commit at fault by applying one after the other, and write down what was found."""
        located: int | None = None
        for number in numbers:
            if number in row.passed:
                continue
            try:
                await self._apply(row, number)
            except Exception as error:
                cause_here = self._judge(error).cause
                if cause_here is None:
                    raise
                cause, located = cause_here, number
                break
        at = None if located is None else keys_of(row.key, located)

        def again(now: Parked) -> Parked:
            failed = failed_again(now, cause, first=at)
            earlier = _first_owed(now)  # held meanwhile, and written before what was taken in
            return failed if earlier is None or earlier >= began else replace(failed, first=now.first)

        changed = await self._changed(row, again)
        return TakenByOthers(None) if changed is None else StillParked(changed, located is not None)

    async def _apply(self, row: Parked, number: int) -> None:
        """One commit, as the stream would bring it. A missing one fails: what follows must not pass it."""
        keys = keys_of(row.key, number)
        item = await self._items.item(row.key, number)
        if item is None:
            raise CorruptCommit(row.key, number, "it is missing")
        if row.passed:
            # As the stream would bring it, the one in front of it would be missed, and looked for in the log.
            await self._subscriber.resume(row.key, first=keys, last=keys)
            return
        record = Record(sequence_number="", event_name="INSERT", keys=keys, image=item, created_at_ms=0)
        await self._subscriber.apply([record])


def _first_owed(row: Parked) -> int | None:
    return None if row.first is None else number_of(row.first)
