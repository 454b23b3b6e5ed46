"""From the stream's records to the log's commits."""

from collections.abc import AsyncGenerator, Sequence
from typing import Final

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
        commit = await store.from_image(record.image)
        batch.append(commit)
        body_bytes += len(commit.body)
        if body_bytes >= BODY_BYTES_AT_ONCE:
            yield tuple(batch)
            batch, body_bytes = [], 0
    if batch:
        yield tuple(batch)
