"""From the stream's records to the log's commits."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Final

from orderstore.store.errors import CorruptCommit
from orderstore.store.port import Commit, EventStore
from projections.observe import Observer, Subscription
from projections.stream.source import Record

# A page of the stream has at most 1 MB, but a record may be compressed, or only name an object: a thousand of these fill any memory.
BODY_BYTES_AT_ONCE: Final = 8 * 1024 * 1024


def order_of_record(record: Record) -> str:
    """The stream (the order) whose commit the record tells of: records of one order are applied in order, those of others beside them."""
    return str(record.keys["stream"]["S"])


async def commits_of(
    store: EventStore, records: Sequence[Record], *, observer: Observer, subscription: Subscription
) -> AsyncGenerator[tuple[Commit, ...], None]:
    """The commits in the records, in their order; bodies that lie elsewhere are fetched. Raises StoreError.

    They come in batches that end with the commit that brings a batch to BODY_BYTES_AT_ONCE; an ordinary page is one batch.
    An image that is not as it was written is replaced by the table's commit, if that is good: a fault that was put right there holds
    nobody for ever. It is reported.
    A removed item is no commit: the log is append-only, so that is somebody's hand. It is reported; the verifier says what is missing.
    """
    removed = sum(1 for record in records if record.image is None)
    if removed:
        observer.removed(subscription=subscription, records=removed)
    batch: list[Commit] = []
    body_bytes = 0
    for record in records:
        if record.image is None:
            continue
        try:
            commit = await store.from_image(record.image)
        except CorruptCommit as corrupt:
            commit = await _in_the_table(store, record, corrupt)
            observer.image_replaced(subscription=subscription, stream=commit.stream, commit=commit.number)
        batch.append(commit)
        body_bytes += len(commit.body)
        if body_bytes >= BODY_BYTES_AT_ONCE:
            yield tuple(batch)
            batch, body_bytes = [], 0
    if batch:
        yield tuple(batch)


async def _in_the_table(store: EventStore, record: Record, corrupt: CorruptCommit) -> Commit:
    """The record's commit as a consistent read has it now. Raises `corrupt` when it is not there, StoreError."""
    number = int(record.keys["commit"]["N"])
    async with aclosing(store.pages(order_of_record(record), after=number - 1, first_commits_max=1)) as pages:
        async for page in pages:
            if page.commits:
                return page.commits[0]
            break
    raise corrupt
