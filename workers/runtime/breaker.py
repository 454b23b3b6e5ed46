"""A handler that waits while what it stands on is down: messages are held, not retried, so that an outage burns no receives.

    closed ── failures in a row ──> open ── one probe after a while ──> closed | open again

A failure that looks like an outage is never taken as the message's own fault at once, not even for the only message there is. It is,
when it has failed for longer than outages last while the same handler did its work for others again and again: then the error goes the
way of every other. Others alone prove little: what is done for them may not need what is down.
"""

import math
import random
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import anyio

from workers.runtime.backoff import full_jitter_s
from workers.runtime.outcome import Defer, Handler, Outcome
from workers.runtime.queue import Message


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerSettings:
    """When to stop trying, and how often to look again. Raises `ValueError` for numbers that make no breaker."""

    failures_to_open: int = 5
    """Outage-like failures in a row, over all messages, until only a probe is let through at a time."""
    probe_initial_s: float = 1.0
    probe_max_s: float = 15.0
    """How long to wait before a probe: doubled up to this, jittered. It bounds how late a recovery is noticed."""
    answer_within_s: float = 13.5
    """A handler that takes longer hangs on something that is down. Below the loop's own deadline, which would burn a receive."""
    own_fault_failures: int = 3
    own_fault_successes: int = 10
    own_fault_after_s: float = 1_800.0
    """A message has failed so often and for so long, while so many others were done: the fault is its own. Anew for each receive."""
    remembered_max: int = 10_000
    """Failing messages that are remembered; beyond them the oldest begins anew."""

    def __post_init__(self) -> None:
        if min(self.failures_to_open, self.own_fault_failures, self.own_fault_successes, self.remembered_max) < 1:
            raise ValueError("the counts of a breaker must be at least 1")
        if not 0 < self.probe_initial_s <= self.probe_max_s or self.answer_within_s <= 0 or self.own_fault_after_s < 0:
            raise ValueError("0 < probe_initial_s <= probe_max_s, answer_within_s > 0, and own_fault_after_s >= 0")


class BreakerObserver(Protocol):
    """Facts, told as they happen: an implementation counts and returns at once."""

    def opened(self, *, error: Exception) -> None:
        """What the handler stands on is down; messages are held from now on. `error` is the last one seen."""

    def closed(self, *, after_s: float) -> None:
        """A probe was answered; it had been open for so long."""

    def held(self) -> None:
        """A message is kept instead of being retried."""

    def own_fault(self, *, error: Exception) -> None:
        """A message goes on failing while others are done: its error is no outage."""


class SilentBreakerObserver:
    """Takes every fact and does nothing with it."""

    def opened(self, *, error: Exception) -> None:
        """See `BreakerObserver`."""

    def closed(self, *, after_s: float) -> None:
        """See `BreakerObserver`."""

    def held(self) -> None:
        """See `BreakerObserver`."""

    def own_fault(self, *, error: Exception) -> None:
        """See `BreakerObserver`."""


@dataclass(slots=True)
class _Failing:
    failures: int
    successes_before: int
    since_s: float


class Guarded:
    """A `Handler` around another. `is_outage` says of an error whether what it came from may just be down; `source` gives the jitter."""

    def __init__(
        self,
        handler: Handler,
        *,
        is_outage: Callable[[Exception], bool],
        source: random.Random,
        settings: BreakerSettings | None = None,
        observer: BreakerObserver | None = None,
    ) -> None:
        self._handler = handler
        self._is_outage = is_outage
        self._source = source
        self._settings = settings or BreakerSettings()
        self._observer: BreakerObserver = observer or SilentBreakerObserver()
        self._failing: OrderedDict[str, _Failing] = OrderedDict()
        self._failures_in_a_row = 0
        self._successes = 0
        self._opened_at_s: float | None = None
        self._probes_failed = 0
        self._probe_at_s = -math.inf
        self._probing = False

    @property
    def is_open(self) -> bool:
        """Whether messages are held without being tried."""
        return self._opened_at_s is not None

    async def __call__(self, message: Message) -> Outcome:
        """Try, or hold. Raises what the handler raises, apart from outages."""
        if not self.is_open:
            return await self._try(message, probe=False)
        now = anyio.current_time()
        if self._probing or now < self._probe_at_s:
            return self._hold(max(self._probe_at_s - now, 0.0) + self._spread_s())
        self._probing = True
        try:
            return await self._try(message, probe=True)
        finally:
            self._probing = False

    async def _try(self, message: Message, *, probe: bool) -> Outcome:
        with anyio.move_on_after(self._settings.answer_within_s) as within:
            try:
                outcome = await self._handler(message)
            except Exception as error:
                if not self._is_outage(error):
                    self._answered(message)
                    raise
                return self._failed(message, error, probe=probe)
            self._answered(message)
            return outcome
        if within.cancelled_caught:
            late = TimeoutError(f"no answer within {self._settings.answer_within_s:g} s")
            return self._failed(message, late, probe=probe)
        raise AssertionError("a scope that was not cancelled ends with its body")

    def _answered(self, message: Message) -> None:
        self._successes += 1
        self._failures_in_a_row = 0
        self._failing.pop(message.id, None)
        if self._opened_at_s is not None:
            self._observer.closed(after_s=anyio.current_time() - self._opened_at_s)
            self._opened_at_s = None
            self._probes_failed = 0

    def _failed(self, message: Message, error: Exception, *, probe: bool) -> Outcome:
        settings = self._settings
        now = anyio.current_time()
        failing = self._failing.setdefault(message.id, _Failing(0, self._successes, now))
        self._failing.move_to_end(message.id)
        if len(self._failing) > settings.remembered_max:
            self._failing.popitem(last=False)
        failing.failures += 1
        others_done = self._successes - failing.successes_before
        long_enough = now - failing.since_s >= settings.own_fault_after_s
        often_enough = failing.failures >= settings.own_fault_failures
        if long_enough and often_enough and others_done >= settings.own_fault_successes:
            del self._failing[message.id]
            self._observer.own_fault(error=error)
            raise error
        self._failures_in_a_row += 1
        if probe:  # the others were under way when it opened
            self._probes_failed += 1
            self._plan_probe()
        elif not self.is_open and self._failures_in_a_row >= settings.failures_to_open:
            self._opened_at_s = anyio.current_time()
            self._observer.opened(error=error)
            self._plan_probe()
        if self._opened_at_s is not None:
            return self._hold(max(self._probe_at_s - anyio.current_time(), 0.0) + self._spread_s())
        return self._hold(self._spread_s(failing.failures))

    def _plan_probe(self) -> None:
        settings = self._settings
        wait_s = min(settings.probe_max_s, settings.probe_initial_s * 2 ** min(self._probes_failed, 30))
        self._probe_at_s = anyio.current_time() + wait_s * self._source.uniform(0.5, 1.0)

    def _hold(self, after_s: float) -> Outcome:
        self._observer.held()
        return Defer(after_s)

    def _spread_s(self, attempt: int = 1) -> float:
        """So that what was held does not all come back at once."""
        return full_jitter_s(
            attempt=attempt,
            base_s=self._settings.probe_initial_s,
            cap_s=self._settings.probe_max_s,
            source=self._source,
        )
