"""Sends events to the topic until each is there or is given up: entry by entry, a few calls side by side, order by order."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final

import anyio

from orderstore.store.trouble import Backoff
from projections.batches import run_all
from projections.observe import Observer
from projections.publishing.publisher import (
    BATCH_BYTES_MAX,
    ENTRIES_MAX,
    Failed,
    Publisher,
    PublishRefused,
    PublishUnavailable,
    event_bytes,
)
from projections.publishing.send_queue import Outbox, Outgoing

CALLS_AT_ONCE: Final = 4


class Sender:
    """`now_ms` is the wall clock in milliseconds since 1970; `random` spreads the pauses between tries, `backoff` bounds them."""

    def __init__(
        self, publisher: Publisher, *, now_ms: Callable[[], int], random: Random, observer: Observer, backoff: Backoff
    ) -> None:
        self._publisher = publisher
        self._now_ms = now_ms
        self._random = random
        self._observer = observer
        self._backoff = backoff

    async def send(self, outgoing: Sequence[Outgoing], *, sent: Callable[[Outgoing], None] = lambda _: None) -> None:
        """Return when all of it is with the topic; `sent` is told of each that is.

        Of one order, nothing is handed over before what is in front of it is there.

        What the topic refuses for good, or fails too often, ends its own order here and no other: it is raised once the others are done.

        Raises PublishRefused, naming the orders at which it lies, or at once and without any when the topic takes nothing of anybody;
        PublishUnavailable.
        """
        sending = _Sending(Outbox(outgoing), sent)
        workers = min(CALLS_AT_ONCE, math.ceil(sending.outbox.orders / ENTRIES_MAX))
        await run_all([lambda: self._work(sending)] * workers, at_once=CALLS_AT_ONCE)
        if sending.refused:
            raise PublishRefused(
                "the topic refused " + ", ".join(f"{event} ({code})" for event, code in sending.refused.values()),
                streams=sending.refused,
            )
        if sending.failing:
            raise PublishUnavailable(f"{len(sending.failing)} events failed {self._backoff.tries_max} times in a row")

    async def _work(self, sending: "_Sending") -> None:
        outbox = sending.outbox
        in_a_row = 0  # calls of this worker of which nothing is known
        while not outbox.empty:
            now_s = anyio.current_time()
            batch = outbox.take(now_s)
            if not batch:
                await sending.moved(outbox.wait_s(now_s))
                continue
            if (size := event_bytes(batch[0].event)) > BATCH_BYTES_MAX:  # the outbox gives such an event alone
                sending.refuse(batch[0], f"{size} bytes, more than {BATCH_BYTES_MAX}")
                sending.move()
                continue
            try:
                answer = await self._publisher.publish([one.event for one in batch])
            except PublishUnavailable as error:
                in_a_row += 1
                self._observer.publish_failed(events=len(batch), code="unavailable")
                if in_a_row >= self._backoff.tries_max:  # the topic is away: nobody's turn would go better
                    raise PublishUnavailable(f"the topic failed {in_a_row} times in a row") from error
                for one in batch:
                    self._again(sending, one)
                sending.move()
                await anyio.sleep(self._backoff.sleep_s(in_a_row, self._random))
            else:
                in_a_row = 0
                self._settle(sending, batch, answer)
                sending.move()

    def _settle(self, sending: "_Sending", batch: Sequence[Outgoing], answer: Iterable[Failed]) -> None:
        failed = {entry.position: entry for entry in answer}
        sent = [one for position, one in enumerate(batch) if position not in failed]
        for one in sent:
            sending.outbox.sent(one)
            sending.sent(one)
        for position, entry in failed.items():
            self._observer.publish_failed(events=1, code=entry.code)
            if entry.sender_fault:
                sending.refuse(batch[position], entry.code)
            else:
                self._again(sending, batch[position])
        if sent:
            lag_ms = max(0, self._now_ms() - min(one.recorded_at_ms for one in sent))
            self._observer.published(events=len(sent), lag_ms=lag_ms)

    def _again(self, sending: "_Sending", one: Outgoing) -> None:
        failures = sending.outbox.failed(one)
        if failures >= self._backoff.tries_max:
            sending.give_up(one)
        else:
            pause_s = self._backoff.sleep_s(failures, self._random)
            sending.outbox.again(one, not_before_s=anyio.current_time() + pause_s)


@dataclass(slots=True)
class _Sending:
    """One call of `Sender.send`: what is left, and what went wrong with which order."""

    outbox: Outbox
    sent: Callable[[Outgoing], None]
    refused: dict[str, tuple[str, str]] = field(default_factory=dict)  # stream: event, code
    failing: list[str] = field(default_factory=list)
    _moved: anyio.Event = field(default_factory=anyio.Event)

    def refuse(self, one: Outgoing, code: str) -> None:
        self.refused[one.stream] = (one.event.event_id, code)
        self.outbox.withdraw(one)

    def give_up(self, one: Outgoing) -> None:
        self.failing.append(one.stream)
        self.outbox.withdraw(one)

    def move(self) -> None:
        """Wake those who wait for something to take."""
        self._moved.set()
        self._moved = anyio.Event()

    async def moved(self, timeout_s: float) -> None:
        with anyio.move_on_after(timeout_s):
            await self._moved.wait()
