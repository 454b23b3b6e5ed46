"""The parked keys as one worker knows them: never older than a bound when something is applied on their strength."""

import math
from collections.abc import Callable, Mapping
from typing import Final

import anyio
from anyio.abc import TaskStatus

from projections.stream.parking import LotUnavailable, ParkingLot, Standing
from projections.stream.quarantine.observe import ParkingObserver

WATCH_EVERY_S: Final = 15.0


class ParkedKeys:
    """Every parked key of one subscription, read consistently, at most `kept_s` ago by this process's monotonic clock.

    No clock is compared with another. Whoever parks a key waits for longer than `kept_s` before a checkpoint passes the record (see
    `quarantine.py`): so a worker that is given a later record has asked after the key was parked.
    """

    def __init__(
        self,
        lot: ParkingLot,
        subscription: str,
        *,
        kept_s: float,
        now_ms: Callable[[], int],
        observer: ParkingObserver,
    ) -> None:
        self._lot = lot
        self._subscription = subscription
        self._kept_s = kept_s
        self._now_ms = now_ms
        self._observer = observer
        self._keys: dict[str, Standing] = {}
        self._since: dict[str, tuple[Standing, float]] = {}  # when this process first knew of a parking
        self._read_at_s = -math.inf
        self._lock = anyio.Lock()

    async def now(self) -> Mapping[str, Standing]:
        """The parked keys. However many ask at once, one read serves them. Raises LotUnavailable."""
        if anyio.current_time() - self._read_at_s <= self._kept_s:
            return self._keys
        async with self._lock:
            asked_at_s = anyio.current_time()
            if asked_at_s - self._read_at_s > self._kept_s:
                await self._read(asked_at_s)
            return self._keys

    async def watch(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Report what is parked, also while there is nothing to apply, until cancelled."""
        task_status.started()
        while True:
            try:
                async with self._lock:
                    await self._read(anyio.current_time())
            except LotUnavailable as error:
                self._observer.lot_unavailable(error=error)
            await anyio.sleep(WATCH_EVERY_S)

    def add(self, key: str, standing: Standing) -> None:
        """This worker parked a key, or found it parked. A read that began before does not know of it, and is old before that matters."""
        self._keys[key] = standing
        self._note(key, standing)

    def drop(self, key: str) -> None:
        """This worker found the key released. A read that began before may bring it back: the next record finds out again."""
        self._keys.pop(key, None)
        self._since.pop(key, None)

    def since_s(self, key: str) -> float:
        """When this process first knew that the key is parked: the parking itself lies before that. Now, if it does not know."""
        known = self._since.get(key)
        return anyio.current_time() if known is None else known[1]

    def _note(self, key: str, standing: Standing) -> None:
        known = self._since.get(key)
        if known is None or known[0].parked_at_ms != standing.parked_at_ms:  # released and parked again meanwhile
            self._since[key] = (standing, anyio.current_time())

    async def _read(self, asked_at_s: float) -> None:
        self._keys = dict(await self._lot.standings(self._subscription))
        self._since = {key: known for key, known in self._since.items() if key in self._keys}
        for key, standing in self._keys.items():
            self._note(key, standing)
        self._read_at_s = asked_at_s
        parked = [standing.parked_at_ms for standing in self._keys.values() if standing.state == "parked"]
        self._observer.standing(
            parked=len(parked),
            skipped=len(self._keys) - len(parked),
            oldest_age_ms=max(0, self._now_ms() - min(parked)) if parked else 0,
        )
