"""The inboxes on a core: for the worker that fills them, the API that shows them, and erasures."""

from workers.core import Core, now_ms
from workers.inbox.dynamo import DynamoInboxTable
from workers.inbox.reading import InboxErasure, Inboxes
from workers.inbox.writing import InboxWriter


def inbox_table(core: Core) -> DynamoInboxTable:
    """The table; deploy/notifications.yaml makes it."""
    return DynamoInboxTable(core.clients.dynamodb, core.settings.table("inbox"), random=core.random)


def inbox_writer(core: Core) -> InboxWriter:
    """What puts notes in."""
    return InboxWriter(inbox_table(core), now_ms=now_ms, random=core.random, kept_days=core.settings.inbox_kept_days)


def inboxes(core: Core) -> Inboxes:
    """What shows them."""
    return Inboxes(inbox_table(core), tenant=core.settings.tenant, now_ms=now_ms)


def inbox_erasure(core: Core) -> InboxErasure:
    """What empties them."""
    return InboxErasure(inbox_table(core), inbox_writer(core), tenant=core.settings.tenant)
