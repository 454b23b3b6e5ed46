"""The parked keys as one worker knows them: never older than a bound when something is applied on their strength."""

from collections.abc import Callable, Mapping
from typing import Final

import anyio
from anyio.abc import TaskStatus

from projections.shared_reads import SharedRead
from projections.stream.parking import LotUnavailable, ParkingLot, Standing
from projections.stream.quarantine.observe import ParkingObserver

WATCH_EVERY_S: Final = 15.0


class ParkedKeys:
    """Every parked key of one subscription, read consistently, at most `kept_s` ago by this process's monotonic clock.

    No clock is compared with another. Whoever parks a key waits for longer than `kept_s` before a checkpoint passes the record (see
    `subscriber.py`): so a worker that is given a later record has asked after the key was parked.
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
        self._now_ms = now_ms
        self._observer = observer
        self._keys: dict[str, Standing] = {}
        self._since: dict[str, tuple[Standing, float]] = {}  # when this process first knew of a parking
        # Aged from before the read: a key may have been parked while its answer was on the way.
        self._shared = SharedRead(self._read, kept_s=kept_s, aged_from="beginning")

    async def now(self) -> Mapping[str, Standing]:
        """The parked keys. However many ask at once, one read serves or fails them. Raises LotUnavailable."""
        return await self._shared.get()

    async def watch(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Report what is parked, also while there is nothing to apply, until cancelled; every WATCH_EVERY_S, or `kept_s` if longer."""
        task_status.started()
        while True:
            try:
                await self.now()
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

    async def _read(self) -> Mapping[str, Standing]:
        self._keys = dict(await self._lot.standings(self._subscription))
        self._since = {key: known for key, known in self._since.items() if key in self._keys}
        for key, standing in self._keys.items():
            self._note(key, standing)
        parked = [standing.parked_at_ms for standing in self._keys.values() if standing.state == "parked"]
        self._observer.standing(
            parked=len(parked),
            skipped=len(self._keys) - len(parked),
            oldest_age_ms=max(0, self._now_ms() - min(parked)) if parked else 0,
        )
        return self._keys
