"""The effect of a subscription that falls apart into keys: it notices what is lost, and what is applied before its turn."""

from collections.abc import AsyncIterator, Mapping, Sequence
from random import Random
from typing import Any

import anyio

from projections.stream.parking import Cause, Decision, LotUnavailable, Parked, Standing
from projections.stream.parking.memory import MemoryParkingLot
from projections.stream.quarantine.observe import SilentParkingObserver
from projections.stream.quarantine.rules import WAIT, Verdict
from projections.stream.source import Record

BY_ANN = Decision(what="retry", actor="ann", reason="the table was mended", at_ms=1)


class Poison(Exception):
    """This record cannot be applied."""


class NewerPoison(Poison):
    """The same, for the next minutes at least."""


class Down(Exception):
    """The table cannot be reached."""


PATIENCE_S = 300.0


def judge(error: Exception) -> Verdict:
    """Poison is at fault, what is down is not."""
    if isinstance(error, Poison):
        patience_s = PATIENCE_S if isinstance(error, NewerPoison) else 0.0
        return Verdict(cause=Cause(type(error).__name__, "said so"), patience_s=patience_s)
    return WAIT


def keys_of(key: str, number: int) -> dict[str, Any]:
    return {"stream": {"S": key}, "commit": {"N": str(number)}}


def record(key: str, number: int) -> Record:
    keys = keys_of(key, number)
    return Record(
        sequence_number=f"{key}-{number:06}", event_name="INSERT", keys=keys, image=keys, created_at_ms=number
    )


def key_of(record: Record) -> str:
    return str(record.keys["stream"]["S"])


class Ledger:
    """A `KeyedSubscriber`, and the log beneath it. Each call applies what it can, key by key, and then says what it could not."""

    def __init__(self, *, random: Random | None = None, down: float = 0.0, pause_s: float = 0.0) -> None:
        self.random = random or Random(1)
        self.down = down  # the share of calls that fail, some of them after their effect
        self.pause_s = pause_s
        self.log: dict[str, int] = {}  # the last number of each key
        self.poison: dict[tuple[str, int], type[Poison]] = {}
        self.applied: dict[str, list[int]] = {}
        self.too_early: list[str] = []
        self.calls: list[int] = []  # how many records, or keys, each call carried

    def append(self, key: str, count: int = 1) -> list[Record]:
        first = self.log.get(key, 0) + 1
        self.log[key] = first + count - 1
        return [record(key, number) for number in range(first, first + count)]

    def mend(self, key: str) -> None:
        self.poison = {place: error for place, error in self.poison.items() if place[0] != key}

    def missing(self) -> list[str]:
        return [
            f"{key} {number}"
            for key, last in self.log.items()
            for number in range(1, last + 1)
            if number not in self.applied.get(key, ())
        ]

    async def apply(self, records: Sequence[Record]) -> None:
        await self._carry_out([(key_of(record), int(record.keys["commit"]["N"])) for record in records], len(records))

    async def keys(self, since_ms: int) -> AsyncIterator[str]:
        for key in tuple(self.log):
            await anyio.sleep(self.pause_s)
            yield key

    async def repair(self, keys: Sequence[str], *, since_ms: int) -> None:
        places = [(key, number) for key in keys for number in range(1, self.log[key] + 1)]
        await self._carry_out(places, len(keys))

    async def resume(self, key: str, *, first: Mapping[str, Any], last: Mapping[str, Any] | None = None) -> None:
        end = self.log[key] if last is None else int(last["commit"]["N"])
        numbers = range(int(first["commit"]["N"]), end + 1)
        await self._carry_out([(key, number) for number in numbers], 1)

    async def head(self, stream: str) -> int:
        await anyio.sleep(self.pause_s)
        return self.log.get(stream, 0)

    async def item(self, stream: str, number: int) -> Mapping[str, Any] | None:
        return keys_of(stream, number) if number <= self.log.get(stream, 0) else None

    async def _carry_out(self, places: Sequence[tuple[str, int]], carried: int) -> None:
        self.calls.append(carried)
        fails = self.random.random() < self.down
        if fails and self.random.random() < 0.5:
            raise Down
        failed: dict[str, type[Poison]] = {}
        for key, number in places:
            if self.pause_s:
                await anyio.sleep(self.random.uniform(0, self.pause_s))
            if key in failed:
                continue
            if (key, number) in self.poison:
                failed[key] = self.poison[key, number]
                continue
            done = self.applied.setdefault(key, [])
            if number > 1 and number - 1 not in done:
                self.too_early.append(f"{key} {number}")
            done.append(number)
        if fails:
            raise Down
        for error in failed.values():
            raise error


class FaultyLot(MemoryParkingLot):
    """The lot of a bad day: calls take their time, and some fail, before or after their effect."""

    def __init__(self, random: Random, *, trouble: float, pause_s: float) -> None:
        super().__init__()
        self.random = random
        self.trouble = trouble
        self.pause_s = pause_s

    async def _around(self, call: Any) -> Any:
        await anyio.sleep(self.random.uniform(0, self.pause_s))
        fails = self.random.random() < self.trouble
        if fails and self.random.random() < 0.5:
            raise LotUnavailable("out of reach")
        answer = await call
        await anyio.sleep(self.random.uniform(0, self.pause_s))
        if fails:
            raise LotUnavailable("the answer was lost")
        return answer

    async def park(self, row: Parked) -> bool:
        return await self._carried(super().park(row))

    async def standings(self, subscription: str) -> Mapping[str, Standing]:
        return await self._carried(super().standings(subscription))

    async def hold(self, subscription: str, key: str, **options: Any) -> bool:
        return await self._carried(super().hold(subscription, key, **options))

    async def owe(self, subscription: str, key: str, since_ms: int) -> bool:
        return await self._carried(super().owe(subscription, key, since_ms))

    async def replace(self, current: Parked, updated: Parked) -> None:
        await self._carried(super().replace(current, updated))

    async def release(self, current: Parked) -> None:
        await self._carried(super().release(current))

    async def _carried(self, call: Any) -> Any:
        try:
            return await self._around(call)
        finally:
            call.close()


class ParkingWatch(SilentParkingObserver):
    """Keeps what the quarantine reports."""

    def __init__(self) -> None:
        self.parkings: list[tuple[str, str]] = []
        self.refused: list[str] = []
        self.stood: list[tuple[int, int, int]] = []
        self.unavailable = 0

    def parked(self, *, key: str, error: str, message: str) -> None:
        self.parkings.append((key, error))

    def parking_refused(self, *, key: str, error: str, message: str) -> None:
        self.refused.append(key)

    def standing(self, *, parked: int, skipped: int, oldest_age_ms: int) -> None:
        self.stood.append((parked, skipped, oldest_age_ms))

    def lot_unavailable(self, *, error: Exception) -> None:
        self.unavailable += 1
