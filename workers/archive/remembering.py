"""Snapshots of very long orders, taken by who follows the log: after their commits are archived, off every write path."""

from collections.abc import Mapping

from orderstore.archive.writer import Outcome
from orderstore.codec import CodecError
from orderstore.domain.state import ImpossibleTransition
from orderstore.snapshots.shelf import SnapshotShelf, prefix_of
from orderstore.snapshots.standing import keep_up
from orderstore.store.errors import StoreError
from orderstore.store.port import EventStore
from workers.archive.batcher import Archive


def remembering(archive: Archive, store: EventStore, shelf: SnapshotShelf) -> Archive:
    """`archive`, and then a snapshot of each order that has grown far beyond its last one.

    A snapshot that cannot be taken is reported and left for the next time: what was archived stays archived.
    """

    async def archive_and_remember(wanted: Mapping[str, int | None]) -> Outcome:
        outcome = await archive(wanted)
        for stream, number in outcome.through.items():
            try:
                await keep_up(store, shelf, stream, number)
            except (StoreError, CodecError, ImpossibleTransition) as error:
                shelf.observer.ignored(prefix_of(stream), f"none could be taken: {type(error).__name__}")
        return outcome

    return archive_and_remember
