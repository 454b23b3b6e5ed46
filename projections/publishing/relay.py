"""Publishes the log's events to the topic, from the stream, after the fact: at least once, with ids that are the same each time.
Also of a commit with internal events only the topic hears that there is one (`announcements.py`).

Nothing is marked as published: the stream's checkpoint is the mark. So an event may be published twice (a crash, a time-out, a back-fill)
and never not at all. Events of one order leave in their order, each once the one before it is with the topic (`sending.py`), also where
the stream brings one commit in front of another (`sequence.py`).
"""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from random import Random
from typing import Any, Final

import anyio

from orderstore.codec import CodecError
from orderstore.store.errors import CorruptCommit
from orderstore.store.port import Commit, EventStore
from orderstore.store.trouble import Backoff
from projections.batches import for_each_batch
from projections.commits import BODY_BYTES_AT_ONCE, commits_of
from projections.observe import Observer, SilentObserver
from projections.publishing.announcements import announcements
from projections.publishing.publisher import Publisher, PublishRefused
from projections.publishing.send_queue import Outgoing
from projections.publishing.sending import Sender
from projections.publishing.sequence import Lately
from projections.stream.source import Record

ORDERS_AT_ONCE: Final = 50


class Relay:
    """The `KeyedSubscriber` that publishes; its keys are the log's streams.

    `now_ms` is the wall clock in milliseconds since 1970; `random` spreads the pauses between tries.
    """

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
        self._observer = observer or SilentObserver()
        self._lately = Lately()
        self._sender = Sender(
            publisher, now_ms=now_ms, random=random, observer=self._observer, backoff=backoff or Backoff()
        )

    async def apply(self, records: Sequence[Record]) -> None:
        """See `KeyedSubscriber`: every published event of these records is with the topic when it returns.

        Raises StoreError, CodecError, PublishError; what was published by then stays so, and is published again. An order that cannot
        be published holds up none of the others of the call.
        """
        found = commits_of(self._store, records, observer=self._observer, subscription="relay")
        async with aclosing(found) as batches_of_commits:
            async for commits in batches_of_commits:
                await self._publish_in_sequence(commits)

    def keys(self, since_ms: int) -> AsyncIterator[str]:
        """See `KeyedSubscriber`: the streams with a commit recorded since then."""
        return self._store.streams(recorded_since_ms=since_ms)

    async def repair(self, keys: Sequence[str], *, since_ms: int) -> None:
        """See `KeyedSubscriber`: publishes every event of these orders' commits recorded since, also those that were published before.

        But for those that this relay published within the last REMEMBERED_S: a back-fill that begins anew does not tell them twice.
        Raises as `apply`.
        """
        published = 0
        async with aclosing(self._recorded(keys, since_ms=since_ms)) as batches_of_commits:
            async for commits in batches_of_commits:
                owed = self._lately.unpublished(commits, anyio.current_time())
                await self._publish(owed)
                published += len(owed)
        self._observer.backfill_progress(subscription="relay", orders=len(keys), commits=published)

    async def resume(self, key: str, *, first: Mapping[str, Any], last: Mapping[str, Any] | None = None) -> None:
        """See `KeyedSubscriber`: publishes, in their order, the order's commits from that one on. Raises as `apply`."""
        after = int(first["commit"]["N"]) - 1
        await self._publish_from_log(key, after=after, through=None if last is None else int(last["commit"]["N"]))

    async def backfill(self, since_ms: int) -> None:
        """See `Subscriber.backfill`: repairs every key."""
        await for_each_batch(
            self.keys(since_ms),
            partial(self.repair, since_ms=since_ms),
            batch_size=ORDERS_AT_ONCE,
        )

    async def _recorded(self, streams: Iterable[str], *, since_ms: int) -> AsyncGenerator[tuple[Commit, ...], None]:
        """The streams' commits recorded since then, each stream's in order; a batch ends with the page that fills it."""
        batch: list[Commit] = []
        body_bytes = 0
        for stream in streams:
            async with aclosing(self._store.pages(stream)) as pages:
                async for page in pages:
                    recent = [commit for commit in page.commits if commit.recorded_at_ms >= since_ms]
                    batch += recent
                    body_bytes += sum(len(commit.body) for commit in recent)
                    if body_bytes >= BODY_BYTES_AT_ONCE:
                        yield tuple(batch)
                        batch, body_bytes = [], 0
        if batch:
            yield tuple(batch)

    async def _publish_in_sequence(self, commits: Sequence[Commit]) -> None:
        """Publish what the stream brought; what it overtook is read from the log first."""
        sequenced = self._lately.sequence(commits, anyio.current_time())
        if sequenced.repeated:
            self._observer.duplicates_dropped(view="relay", commits=sequenced.repeated)
        await self._publish(sequenced.ready)
        for hole in sequenced.holes:
            try:
                await self._publish_from_log(hole.stream, after=hole.after, through=hole.early[0].number - 1)
            except (PublishRefused, CodecError, CorruptCommit) as error:
                # What is missing has a record of its own, which is on its way: the order is to be parked at that one, not at these.
                if isinstance(error, PublishRefused) and not error.streams:
                    raise
                self._lately.forget([hole.stream])
                self._observer.publish_failed(events=hole.missing, code="Overtaken")
            else:
                self._observer.gap_healed(view="relay", missing=hole.missing)
            await self._publish(hole.early)

    async def _publish_from_log(self, stream: str, *, after: int, through: int | None) -> None:
        """Publish the commits behind `after`, up to `through`; what lies behind that may be what cannot be read."""
        commits_max = None if through is None else through - after
        async with aclosing(self._store.pages(stream, after=after, first_commits_max=commits_max)) as pages:
            async for page in pages:
                await self._publish([commit for commit in page.commits if through is None or commit.number <= through])
                if through is not None and (not page.commits or page.commits[-1].number >= through):
                    return

    async def _publish(self, commits: Iterable[Commit]) -> None:
        """Publish what can be, then raise what cannot: an order with bytes that nobody understands stops at those."""
        outgoing: list[Outgoing] = []
        unread: dict[str, CodecError] = {}
        for commit in commits:
            if commit.stream in unread:
                continue
            try:
                events = announcements(commit)
            except CodecError as error:
                unread[commit.stream] = error
                continue
            *others, last = (Outgoing(event, commit.stream, commit.recorded_at_ms) for event in events)
            outgoing += [*others, replace(last, ends_commit=commit.number)]
        self._lately.forget(unread)
        try:
            await self._sender.send(outgoing, sent=self._note)
        except PublishRefused as refused:
            self._lately.forget(refused.streams)
            raise
        if unread:
            raise next(iter(unread.values()))

    def _note(self, outgoing: Outgoing) -> None:
        if outgoing.ends_commit is not None:
            self._lately.note(outgoing.stream, outgoing.ends_commit, anyio.current_time())
