"""Trying one key again before anything is held against it."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from random import Random

import anyio

from projections.stream.pacing import Backoff
from projections.stream.parking import Cause
from projections.stream.quarantine.observe import ParkingObserver
from projections.stream.quarantine.rules import Judge, QuarantineSettings, Suspects, Suspicion, is_settled
from projections.stream.source import Record


@dataclass(frozen=True, slots=True)
class Failed:
    """A key that failed alone: the records that are not applied (none: a back-fill knows of no record), and what is thought of it."""

    key: str
    records: Sequence[Record]
    suspicion: Suspicion
    cause: Cause
    settled: bool  # often and long enough to be parked
    patience_left_s: float
    error: Exception


class Trial:
    """Tries with jittered pauses; what it remembers of a key outlives the call."""

    def __init__(
        self, *, judge: Judge, settings: QuarantineSettings, random: Random, observer: ParkingObserver
    ) -> None:
        self._judge = judge
        self._settings = settings
        self._random = random
        self._observer = observer
        self._suspects = Suspects(keys_max=settings.suspects_max)

    def suspects(self, keys: Iterable[str]) -> frozenset[str]:
        """Those of the keys that failed when they were tried last."""
        return frozenset(key for key in keys if key in self._suspects) if len(self._suspects) else frozenset()

    def clear(self, key: str) -> None:
        """The key is parked: nothing of it is tried any more."""
        self._suspects.clear(key)

    async def of(
        self,
        key: str,
        place: str,
        attempt: Callable[[], Awaitable[None]],
        *,
        records: Sequence[Record],
        deadline_s: float,
    ) -> Failed | None:
        """Try a key at one place of its history, a number of times and at least once; None when it went well.

        Raises at once what the judge does not lay at the key.
        """
        settings = self._settings
        backoff = Backoff(initial_s=settings.retry_initial_s, maximum_s=settings.retry_max_s, random=self._random)
        while True:
            try:
                await attempt()
            except Exception as error:
                verdict = self._judge(error)
                if verdict.cause is None:
                    raise
                now_s = anyio.current_time()
                suspicion = self._suspects.failed(key, place, now_s)
                self._observer.suspected(key=key, error=verdict.cause.error, failures=suspicion.failures)
                pause_s = backoff.next_s()
                if suspicion.failures >= verdict.tries_min or now_s + pause_s > deadline_s:
                    return Failed(
                        key,
                        records,
                        suspicion,
                        verdict.cause,
                        settled=is_settled(suspicion, verdict, now_s),
                        patience_left_s=max(0.0, suspicion.since_s + verdict.patience_s - now_s),
                        error=error,
                    )
            else:
                self._suspects.clear(key)
                return None
            await anyio.sleep(pause_s)
