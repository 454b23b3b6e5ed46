"""What decides whether a key is parked: the judge's verdict on an error, the bounds, and how often a key has failed so far."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from projections.stream.parking import Cause


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What an error says of the records that were being applied."""

    cause: Cause | None  # None: it does not lie at the records, they wait for as long as it takes
    tries_min: int = 3  # a key is parked after so many failures in a row …
    patience_s: float = 0.0  # … the first of them so long ago
    keys: frozenset[str] = frozenset()  # where the error itself names the keys at which it lies


WAIT: Final = Verdict(cause=None)
Judge = Callable[[Exception], Verdict]


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantineSettings:
    """Defaults suit orders. Raises `ValueError` when two numbers contradict each other."""

    known_kept_s: float = 2.0  # a worker applies nothing on a list of parked keys that is older …
    settle_s: float = 4.0  # … so after so long nobody applies anything without knowing of a key that was parked
    retry_initial_s: float = 0.2  # pauses between the tries of one key
    retry_max_s: float = 2.0
    call_budget_s: float = 30.0  # then a call raises, to come again: the reader ends calls that last too long
    parked_max: int = 100  # the brake: with so many keys parked at once, no more are …
    parkings_max: int = 20  # … nor after so many within the window: something is broken, not an order
    window_s: float = 600.0
    remembered_max: int = 20_000  # records that are durable although their call failed
    suspects_max: int = 1_000
    repair_keys: int = 50  # keys of one batch of a back-fill
    repairs_at_once: int = 4
    repair_again_s: float = 15.0  # how often a back-fill tries what it is patient with

    def __post_init__(self) -> None:
        """Refuse what would let a record pass its parked key, or bound nothing."""
        if self.settle_s < self.known_kept_s:
            raise ValueError("settle_s must not lie below known_kept_s, or a worker may not know yet of a parked key")
        positive = (self.retry_initial_s, self.retry_max_s, self.call_budget_s, self.window_s, self.repair_again_s)
        bounds = (self.parked_max, self.parkings_max, self.remembered_max, self.suspects_max)
        if min(positive) <= 0 or self.known_kept_s < 0:
            raise ValueError("times must be positive")
        if min(*bounds, self.repair_keys, self.repairs_at_once) < 1:
            raise ValueError("bounds must be at least 1")


@dataclass(frozen=True, slots=True)
class Suspicion:
    """Failures of one key in a row, at one place of its history."""

    place: str
    since_s: float
    failures: int


class Suspects:
    """Keys that failed and are not parked yet. Forgetting one, or a new process, only means that it is tried for longer."""

    def __init__(self, *, keys_max: int) -> None:
        self._keys_max = keys_max
        self._of: OrderedDict[str, Suspicion] = OrderedDict()

    def __len__(self) -> int:
        """How many there are."""
        return len(self._of)

    def __contains__(self, key: str) -> bool:
        """Whether the key failed when it was tried last."""
        return key in self._of

    def failed(self, key: str, place: str, now_s: float) -> Suspicion:
        """Note a failure; another place than the last begins anew."""
        before = self._of.pop(key, None)
        if before is None or before.place != place:
            before = Suspicion(place, now_s, 0)
        now = self._of[key] = Suspicion(place, before.since_s, before.failures + 1)
        if len(self._of) > self._keys_max:
            self._of.popitem(last=False)
        return now

    def clear(self, key: str) -> None:
        """It went well, or it is parked."""
        self._of.pop(key, None)


def is_settled(suspicion: Suspicion, verdict: Verdict, now_s: float) -> bool:
    """Whether it failed often and long enough to be parked."""
    return suspicion.failures >= verdict.tries_min and now_s - suspicion.since_s >= verdict.patience_s
