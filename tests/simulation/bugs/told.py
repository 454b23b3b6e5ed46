"""Bugs in what others are told: notifications, inboxes, webhooks, the archive and its snapshots."""

from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any, Final
from unittest.mock import patch

from orderstore.domain.state import NotPlaced
from orderstore.history import Standing
from orderstore.objects import MemoryObjectStore
from orderstore.snapshots import standing as snapshots
from orderstore.snapshots.shelf import SnapshotShelf
from orderstore.snapshots.snapshot import Snapshot, snapshot_of
from orderstore.store.port import EventStore
from tests.simulation.bugs.bug import Bug, another
from workers.inbox import notes, writing
from workers.notification import inbox
from workers.notification.records import TableNotifications
from workers.tables.port import Change
from workers.webhooks import attempting


def _claim_without_a_condition() -> AbstractContextManager[Any]:
    """Whoever wants to send, sends."""

    real = TableNotifications.put

    async def claim(self: TableNotifications, record: Any) -> Any:
        return replace(record, state="sending", claimed_at_ms=self._now_ms())

    async def put(self: TableNotifications, record: Any) -> None:
        await real(self, record)  # and whoever was first is not looked at

    return patch.multiple(TableNotifications, claim=claim, put=put)


def _note_under_another_id() -> AbstractContextManager[Any]:
    """A note that is put in again is another one."""
    real = notes.note_id_of
    return patch.object(inbox, "note_id_of", lambda event: f"{real(event)}-{another()}")


def _numbers_without_a_condition() -> AbstractContextManager[Any]:
    """Of two notes that come into an inbox at once both get the next number."""

    def move(owner: str, number: int) -> Change:
        return Change(key=writing._head(owner), assign={"last_number": number, "closed": False})

    return patch.object(writing, "_move", move)


def _any_answer_is_good() -> AbstractContextManager[Any]:
    """An endpoint that answers with an error has taken the event in."""
    return patch.object(attempting, "_is_ok", lambda answer: answer is not None)


def _webhook_is_tried_once() -> AbstractContextManager[Any]:
    return patch.object(attempting, "delay_s", lambda *arguments, **named: None)


def _lost_race_counts_as_won() -> AbstractContextManager[Any]:
    """Who finds an object of that name there already is told that it is the own one."""
    real = MemoryObjectStore.put_new

    async def put_new(self: MemoryObjectStore, key: str, content: bytes) -> bool:
        await real(self, key, content)
        return True

    return patch.object(MemoryObjectStore, "put_new", put_new)


def _snapshot_lacks_a_commit() -> AbstractContextManager[Any]:
    """A snapshot names a commit that is not in it."""

    async def take(store: EventStore, shelf: SnapshotShelf, stream: str) -> Snapshot | None:
        commits = await store.read(stream)
        before = Standing(stream=stream).then(*commits[:-1])
        if isinstance(before.state, NotPlaced):
            return None
        snapshot = replace(snapshot_of(Standing(stream=stream).then(*commits)), state=before.state)
        return snapshot if await shelf.put(snapshot) else None

    return patch.object(snapshots, "take_snapshot", take)


BUGS: Final = (
    Bug("a note is put into the inbox again", _note_under_another_id),
    Bug("numbers of an inbox without their condition", _numbers_without_a_condition),
    Bug("any answer to a webhook is good", _any_answer_is_good),
    Bug("a webhook is tried once", _webhook_is_tried_once),
    Bug("a lost race for an archive's object counts as won", _lost_race_counts_as_won),
    Bug("a snapshot lacks a commit", _snapshot_lacks_a_commit),
    Bug("a mail is sent without a claim", _claim_without_a_condition),
)
