"""Turns an outcome into the queue's own means: delete, give back after a while, dead-letter, or keep and call again."""

import math
import random
from collections.abc import Callable

import anyio

from workers.runtime.acks import Acks, Returns
from workers.runtime.backoff import full_jitter_s
from workers.runtime.held import Held, Holdings
from workers.runtime.observe import (
    CallFailed,
    Deferred,
    DuplicateDropped,
    GivenBack,
    Handled,
    Poisoned,
    QueueObserver,
    Retried,
    VisibilityLost,
)
from workers.runtime.outcome import Defer, Done, Outcome, Poison, Retry
from workers.runtime.queue import VISIBILITY_S_MAX, Queue, QueueError, RequestRefused
from workers.runtime.settings import ConsumeSettings

DEAD_LETTER_RETRY_BASE_S = 0.5


class Settler:
    """Ends the handling of held messages."""

    def __init__(
        self,
        queue: Queue,
        holdings: Holdings,
        settings: ConsumeSettings,
        *,
        acks: Acks,
        returns: Returns,
        observer: QueueObserver,
        source: random.Random,
        now_ms: Callable[[], int],
    ) -> None:
        self._queue = queue
        self._holdings = holdings
        self._settings = settings
        self._acks = acks
        self._returns = returns
        self._observer = observer
        self._source = source
        self._now_ms = now_ms
        self.given_back = 0

    def age_s(self, held: Held) -> float:
        """Since the message was sent, by the wall clock; never below 0 when the clocks disagree."""
        return max(0, self._now_ms() - held.message.sent_at_ms) / 1000

    async def settle(self, held: Held, outcome: Outcome, *, started_at: float, error: Exception | None) -> float | None:
        """Settle it; the seconds to wait when the message is kept and its handler is to be called again, else None."""
        now = anyio.current_time()
        if not held.is_ours(now):
            # The deletion would answer success whatever happened, so this clock decides: the message is someone else's now.
            self.lost(held, held.lost or "visibility timeout", handled=isinstance(outcome, Done))
            return None
        match outcome:
            case Done():
                self._observer.done(self._handled(held, started_at, now))
                self._acks.add(held)
            case Retry(reason=reason, after_s=after_s):
                self._retry(held, reason, after_s, started_at=started_at, error=error)
            case Poison(reason=reason):
                await self._poison(held, reason, started_at=started_at, error=error)
            case Defer(after_s=after_s):
                return self._defer(held, after_s, started_at=started_at)
        return None

    def lost(self, held: Held, reason: str, *, handled: bool = False) -> None:
        """Forget it without acknowledging it."""
        if handled:
            self._acks.remember(held.message.id)
        self._holdings.drop(held)
        self._observer.visibility_lost(
            VisibilityLost(queue=self._queue.name, message_id=held.message.id, reason=reason, handled=handled)
        )

    def drop_duplicate(self, held: Held) -> None:
        """Delete a redelivery of a message that was settled before."""
        self._holdings.add(held)
        self._acks.add(held)
        self._observer.duplicate_dropped(
            DuplicateDropped(queue=self._queue.name, message_id=held.message.id, cause="settled")
        )

    def give_back(self, held: Held, reason: str, after_s: float = 0) -> None:
        """Make it visible again without a verdict."""
        self.given_back += 1
        self._returns.add(held, math.ceil(after_s))
        self._observer.given_back(GivenBack(queue=self._queue.name, message_id=held.message.id, reason=reason))

    def _handled(self, held: Held, started_at: float, now: float | None = None) -> Handled:
        return Handled(
            queue=self._queue.name,
            message_id=held.message.id,
            receive_count=held.message.receive_count,
            duration_s=(anyio.current_time() if now is None else now) - started_at,
            age_s=self.age_s(held),
        )

    def _retry(
        self, held: Held, reason: str, after_s: float | None, *, started_at: float, error: Exception | None
    ) -> None:
        if after_s is None:
            after_s = full_jitter_s(
                attempt=held.message.receive_count,
                base_s=self._settings.retry_base_s,
                cap_s=self._settings.retry_cap_s,
                source=self._source,
            )
        seconds = min(max(math.ceil(after_s), 0), VISIBILITY_S_MAX)
        work = self._handled(held, started_at)
        self._observer.retried(Retried(work=work, reason=reason, after_s=seconds, error=error))
        self._returns.add(held, seconds)

    async def _poison(self, held: Held, reason: str, *, started_at: float, error: Exception | None) -> None:
        if not await self._dead_letter(held, reason):
            # The queue's own redrive policy is the way that is left.
            self._retry(held, f"dead-lettering failed: {reason}", None, started_at=started_at, error=error)
            return
        self._observer.poisoned(Poisoned(work=self._handled(held, started_at), reason=reason, error=error))
        if held.is_ours():
            self._acks.add(held)
        else:
            self.lost(held, held.lost or "visibility timeout", handled=True)

    async def _dead_letter(self, held: Held, reason: str) -> bool:
        attempt = 0
        with anyio.move_on_after(self._settings.call_timeout_s):
            while True:
                attempt += 1
                try:
                    await self._queue.dead_letter(held.message, reason)
                except RequestRefused:
                    return False
                except QueueError as failure:
                    detail = CallFailed(
                        queue=self._queue.name, count=1, reason=f"dead letter: {type(failure).__name__}"
                    )
                    self._observer.ack_failed(detail)
                else:
                    return True
                await anyio.sleep(
                    full_jitter_s(
                        attempt=attempt,
                        base_s=DEAD_LETTER_RETRY_BASE_S,
                        cap_s=self._settings.call_timeout_s,
                        source=self._source,
                    )
                )
        return False

    def _defer(self, held: Held, after_s: float, *, started_at: float) -> float | None:
        after_s = max(0.0, after_s)
        wake_at = anyio.current_time() + after_s
        hold_until = held.received_at + self._settings.defer_hold_s_max
        fits = wake_at + self._settings.handler_deadline_s <= hold_until
        self._observer.deferred(Deferred(work=self._handled(held, started_at), after_s=after_s, held=fits))
        if fits:
            held.hold_until = max(held.hold_until, hold_until)
            return after_s
        self._returns.add(held, min(math.ceil(after_s), VISIBILITY_S_MAX))
        return None
