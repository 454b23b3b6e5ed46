"""Publishes the log's events to the topic, from the stream, after the fact: at least once, with ids that are the same each time.
Also of a commit with internal events only the topic hears that there is one (`announcements.py`).

Nothing is marked as published: the stream's checkpoint is the mark. So an event may be published twice (a crash, a time-out, a back-fill)
and never not at all. Events of one order leave in their order, which is all that a standard topic lets anybody do for it.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Final
from zlib import crc32

import anyio

from orderstore.contract import PublicEvent
from orderstore.store.port import Commit, EventStore
from orderstore.store.trouble import Backoff
from projections.announcements import announcements
from projections.batches import for_each_batch, run_all
from projections.commits import BODY_BYTES_AT_ONCE, commits_of
from projections.observe import Observer, SilentObserver
from projections.publisher import (
    BATCH_BYTES_MAX,
    ENTRIES_MAX,
    Publisher,
    PublishRefused,
    PublishUnavailable,
    event_bytes,
)
from projections.stream.source import Record

CALLS_AT_ONCE: Final = 4
ORDERS_AT_ONCE: Final = 50


@dataclass(frozen=True, slots=True)
class _Outgoing:
    event: PublicEvent
    recorded_at_ms: int


class Relay:
    """The subscriber that publishes. `now_ms` is the wall clock in milliseconds since 1970; `random` spreads the sleeps between tries."""

    def __init__(
        self,
        store: EventStore,
        publisher: Publisher,
        *,
        now_ms: Callable[[], int],
        random: Random,
        observer: Observer | None = None,
        backoff: Backoff | None = None,
    ) -> None:
        self._store = store
        self._publisher = publisher
        self._now_ms = now_ms
        self._random = random
        self._observer = observer or SilentObserver()
        self._backoff = backoff or Backoff()

    async def apply(self, records: Sequence[Record]) -> None:
        """See `Subscriber`: every published event of these records is with the topic when it returns.

        Raises StoreError, CodecError, PublishError; what was published by then stays so, and is published again.
        """
        found = commits_of(self._store, records, observer=self._observer, subscription="relay")
        async with aclosing(found) as batches_of_commits:
            async for commits in batches_of_commits:
                await self._publish(commits)

    async def backfill(self, since_ms: int) -> None:
        """See `Subscriber`: publishes every event of the commits recorded since then, also those that were published before."""
        await for_each_batch(
            self._store.streams(recorded_since_ms=since_ms),
            partial(self._catch_up, since_ms),
            batch_size=ORDERS_AT_ONCE,
        )

    async def _catch_up(self, since_ms: int, streams: Sequence[str]) -> None:
        commits: list[Commit] = []
        published = 0
        for stream in streams:
            history = await self._store.read(stream)
            commits += [commit for commit in history if commit.recorded_at_ms >= since_ms]
            if sum(len(commit.body) for commit in commits) >= BODY_BYTES_AT_ONCE:
                await self._publish(commits)
                published, commits = published + len(commits), []
        await self._publish(commits)
        self._observer.backfill_progress(subscription="relay", orders=len(streams), commits=published + len(commits))

    async def _publish(self, commits: Iterable[Commit]) -> None:
        outgoing = [_Outgoing(event, commit.recorded_at_ms) for commit in commits for event in announcements(commit)]
        await run_all([partial(self._send_all, lane) for lane in lanes(outgoing)], at_once=CALLS_AT_ONCE)

    async def _send_all(self, lane: Sequence[_Outgoing]) -> None:
        for batch in batches(lane):
            await self._send(batch)
            lag_ms = max(0, self._now_ms() - min(outgoing.recorded_at_ms for outgoing in batch))
            self._observer.published(events=len(batch), lag_ms=lag_ms)

    async def _send(self, batch: Sequence[_Outgoing]) -> None:
        waiting = [outgoing.event for outgoing in batch]
        for failures in range(1, self._backoff.tries_max + 1):
            try:
                failed = await self._publisher.publish(waiting)
            except PublishUnavailable as error:
                self._observer.publish_failed(events=len(waiting), code="unavailable")
                if failures == self._backoff.tries_max:
                    raise PublishUnavailable(f"{len(waiting)} events failed {failures} times in a row") from error
            else:
                if not failed:
                    return
                self._observer.publish_failed(events=len(failed), code=failed[0].code)
                refused = [entry for entry in failed if entry.sender_fault]
                if refused:
                    names = ", ".join(waiting[entry.position].event_id for entry in refused)
                    raise PublishRefused(f"the topic refused {names}: {refused[0].code}")
                waiting = [waiting[entry.position] for entry in failed]
            await anyio.sleep(self._backoff.sleep_s(failures, self._random))
        raise PublishUnavailable(f"{len(waiting)} events failed {self._backoff.tries_max} times in a row")


def lanes(outgoing: Sequence[_Outgoing]) -> list[list[_Outgoing]]:
    """Events by order in lanes that may run side by side; few events share one lane, so that batches are full."""
    count = max(1, min(CALLS_AT_ONCE, math.ceil(len(outgoing) / ENTRIES_MAX)))
    split: list[list[_Outgoing]] = [[] for _ in range(count)]
    for entry in outgoing:
        split[crc32(entry.event.order_id.encode()) % count].append(entry)
    return [lane for lane in split if lane]


def batches(lane: Sequence[_Outgoing]) -> list[list[_Outgoing]]:
    """A lane, in its order, in batches within both of the topic's limits. Raises PublishRefused for an event past them alone."""
    cut: list[list[_Outgoing]] = []
    bytes_left = 0
    for outgoing in lane:
        size = event_bytes(outgoing.event)
        if size > BATCH_BYTES_MAX:
            raise PublishRefused(f"{outgoing.event.event_id} has {size} bytes, more than {BATCH_BYTES_MAX}")
        if not cut or len(cut[-1]) >= ENTRIES_MAX or size > bytes_left:
            cut.append([])
            bytes_left = BATCH_BYTES_MAX
        cut[-1].append(outgoing)
        bytes_left -= size
    return cut
