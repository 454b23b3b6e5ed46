"""From the stream's records to the log's commits."""

from collections.abc import Sequence

from orderstore.store.port import Commit, EventStore
from projections.observe import Observer, Subscription
from projections.stream.source import Record


async def commits_of(
    store: EventStore, records: Sequence[Record], *, observer: Observer, subscription: Subscription
) -> tuple[Commit, ...]:
    """The commits in the records, in their order; bodies that lie elsewhere are fetched. Raises StoreError.

    A removed item is no commit: the log is append-only, so that is somebody's hand. It is reported; the verifier says what is missing.
    """
    removed = sum(1 for record in records if record.image is None)
    if removed:
        observer.removed(subscription=subscription, records=removed)
    return tuple([await store.from_image(record.image) for record in records if record.image is not None])
