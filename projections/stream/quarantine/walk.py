"""One back-fill of a subscription: a walk over its keys that ends once, whatever some of them cost.

A walk that is given up begins anew, and repairs everything again: so what can be waited for is waited for in here. A key that fails is
tried again every now and then until it goes well or is parked; one that the brake does not let be parked is tried until the brake lets go.
With so many of them that it is no key's fault, the walk stands still until they are fewer.
"""

from collections.abc import Sequence
from functools import partial
from typing import Final

import anyio

from projections.batches import for_each_batch
from projections.stream.quarantine.bisection import keys_at_fault
from projections.stream.quarantine.known_keys import ParkedKeys
from projections.stream.quarantine.rules import Judge, QuarantineSettings
from projections.stream.quarantine.trial import Trial
from projections.stream.quarantine.writes import ParkingWrites, QuarantineError
from projections.stream.subscriber import KeyedSubscriber

REPAIR: Final = "repair"  # the place of a failure of which no record is known


class Walk:
    """Repairs everything recorded at or after `since_ms` once. `trial` remembers the keys that fail: no other may share it but a walk."""

    def __init__(
        self,
        subscriber: KeyedSubscriber,
        *,
        since_ms: int,
        known: ParkedKeys,
        writes: ParkingWrites,
        trial: Trial,
        judge: Judge,
        settings: QuarantineSettings,
    ) -> None:
        self._subscriber = subscriber
        self._since_ms = since_ms
        self._known = known
        self._writes = writes
        self._trial = trial
        self._judge = judge
        self._settings = settings
        self._unsettled: dict[
            str, float
        ] = {}  # keys that failed, each with the seconds after which another try may settle it
        self._not_before_s = (
            0.0  # until then a worker may not know of what was parked here, and nobody may pass the gap
        )
        self._again = anyio.Lock()

    async def run(self) -> None:
        """Return when every key is repaired, or parked and every worker knows. Raises LotUnavailable, and what is not the keys' fault."""
        await for_each_batch(
            self._subscriber.keys(self._since_ms),
            self._visit,
            batch_size=self._settings.repair_keys,
            at_once=self._settings.repairs_at_once,
        )
        await self._settle(down_to=0)
        await anyio.sleep_until(self._not_before_s)

    async def _visit(self, keys: Sequence[str]) -> None:
        await self._settle(down_to=self._settings.parked_max - 1)
        await self._repair(keys)

    async def _settle(self, *, down_to: int) -> None:
        """Try the unsettled keys again, with pauses, until so few are left. One does it for all who wait."""
        settings = self._settings
        while len(self._unsettled) > down_to:
            async with self._again:
                if len(self._unsettled) <= down_to:
                    return
                pause_s = min(settings.repair_again_s, *self._unsettled.values())
                await anyio.sleep(max(settings.retry_max_s, pause_s))
                again = tuple(self._unsettled)
                await self._repair(again, suspects=again)

    async def _repair(self, keys: Sequence[str], *, suspects: Sequence[str] = ()) -> None:
        settings = self._settings
        known = await self._known.now()
        free = [key for key in keys if key not in known or not await self._owed(key)]
        repair = partial(self._subscriber.repair, since_ms=self._since_ms)
        deadline_s = anyio.current_time() + settings.call_budget_s
        braked = False
        for key in await keys_at_fault(free, repair, self._judge, suspects=suspects):
            failed = await self._trial.of(key, REPAIR, partial(repair, [key]), records=(), deadline_s=deadline_s)
            if failed is None:
                self._unsettled.pop(key, None)
            elif not failed.settled:
                self._unsettled[key] = failed.patience_left_s
            elif braked:
                self._unsettled[key] = settings.repair_again_s
            else:
                try:
                    not_before_s = await self._writes.park(failed, since_ms=self._since_ms)
                except QuarantineError:  # too many are parked, or somebody released it in this moment
                    braked = True
                    self._unsettled[key] = settings.repair_again_s
                else:
                    self._done_until(key, not_before_s)

    async def _owed(self, key: str) -> bool:
        """Note on the key's row that it is left out. False when the row is gone: the key is to be repaired."""
        not_before_s = await self._writes.owe(key, self._since_ms)
        if not_before_s is None:
            return False
        self._done_until(key, not_before_s)
        return True

    def _done_until(self, key: str, not_before_s: float) -> None:
        self._trial.clear(key)
        self._unsettled.pop(key, None)
        self._not_before_s = max(self._not_before_s, not_before_s)
