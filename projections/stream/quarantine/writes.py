"""What a worker writes into the lot: keys that it parks, records that it holds back, back-fills that it owes."""

from collections.abc import Callable, Iterable, Sequence
from random import Random

import anyio

from projections.stream.parking import Keys, Parked, ParkingLot, Standing, position_of
from projections.stream.quarantine.known_keys import ParkedKeys
from projections.stream.quarantine.observe import ParkingObserver
from projections.stream.quarantine.rules import QuarantineSettings
from projections.stream.quarantine.trial import Failed
from projections.stream.source import Record


class QuarantineError(Exception):
    """Records were not applied, and their keys are not parked."""


class NotParkedYet(QuarantineError):
    """Keys failed, not yet often or long enough to be parked; or a parked one was released in this moment."""


class ParkingStopped(QuarantineError):
    """The brake: too many keys are parked for each to be at fault by itself."""


class ParkingWrites:
    """The writes of one worker of one subscription. Everything raises LotUnavailable.

    What they return is the time (of this process's clock) before which no checkpoint may pass the records: until then a worker may still
    apply on a list of parked keys that lacks the key.
    """

    def __init__(
        self,
        lot: ParkingLot,
        subscription: str,
        *,
        known: ParkedKeys,
        settings: QuarantineSettings,
        now_ms: Callable[[], int],
        random: Random,
        observer: ParkingObserver,
    ) -> None:
        self._lot = lot
        self._subscription = subscription
        self._known = known
        self._settings = settings
        self._now_ms = now_ms
        self._random = random
        self._observer = observer
        self._parking = anyio.Lock()

    async def park(self, failed: Failed, *, since_ms: int | None = None) -> float:
        """Store the row; where somebody has parked the key before, hold the records behind that row.

        `since_ms`: a back-fill since then is owed. Raises ParkingStopped, NotParkedYet.
        """
        async with self._parking:  # one after the other, so that the brake counts right
            known = await self._known.now()
            if failed.key not in known:
                self._brake(failed, known.values())
            row = self._row(failed, since_ms)
            if await self._lot.park(row):
                self._known.add(failed.key, Standing("parked", row.parked_at_ms))
                self._observer.parked(key=failed.key, error=failed.cause.error, message=failed.cause.message)
                return anyio.current_time() + self._settings.settle_s
            self._known.add(failed.key, Standing("parked", row.parked_at_ms))
        if since_ms is None:
            not_before_s = await self.hold(failed.key, failed.records)
        else:
            not_before_s = await self.owe(failed.key, since_ms)
        if not_before_s is None:
            raise NotParkedYet(f"{failed.key} was released in this moment; it is tried again") from failed.error
        return not_before_s

    async def hold(self, key: str, records: Sequence[Record]) -> float | None:
        """Note on the key's row that these records wait. None when the row is gone: the key was released, and they are to be applied."""
        first, last = _ends(records)
        there = await self._lot.hold(self._subscription, key, first=first, last=last, records=len(records))
        return self._not_before_s(key, there=there)

    async def owe(self, key: str, since_ms: int) -> float | None:
        """Note on the key's row that a back-fill since then left it out. None when the row is gone."""
        there = await self._lot.owe(self._subscription, key, since_ms)
        return self._not_before_s(key, there=there)

    def _not_before_s(self, key: str, *, there: bool) -> float | None:
        if there:
            return self._known.since_s(key) + self._settings.settle_s
        self._known.drop(key)
        return None

    def _row(self, failed: Failed, since_ms: int | None) -> Parked:
        records = failed.records
        first, last = _ends(records) if records else (None, None)
        return Parked(
            subscription=self._subscription,
            key=failed.key,
            episode=f"{self._random.getrandbits(64):016x}",
            first=first,
            last=last,
            cause=failed.cause,
            attempts=failed.suspicion.failures,
            parked_at_ms=self._now_ms(),
            held=max(0, len(records) - 1),
            failed=records[0].keys if records else None,
            owed_since_ms=since_ms,
        )

    def _brake(self, failed: Failed, known: Iterable[Standing]) -> None:
        settings = self._settings
        parked = [standing.parked_at_ms for standing in known if standing.state == "parked"]
        recent_ms = self._now_ms() - settings.window_s * 1_000
        recent = sum(1 for at_ms in parked if at_ms > recent_ms)
        if len(parked) < settings.parked_max and recent < settings.parkings_max:
            return
        self._observer.parking_refused(key=failed.key, error=failed.cause.error, message=failed.cause.message)
        raise ParkingStopped(
            f"{failed.key} is not parked ({failed.cause.error}): {len(parked)} keys are, {recent} of them since "
            f"{settings.window_s:g} s: something else than these keys is broken"
        ) from failed.error


def _ends(records: Sequence[Record]) -> tuple[Keys, Keys]:
    """The earliest and the last of a key's records, which may have come in another order: what is earlier is owed as well."""
    keys = sorted((record.keys for record in records), key=position_of)
    return keys[0], keys[-1]
