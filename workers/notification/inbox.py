"""The channel `inbox`: a note in the customer's inbox, which the API shows and pushes to whoever is connected.

It is kept, so it holds nothing that the order's events do not say themselves: its texts are rendered without the customer's name.
"""

from typing import Final

from workers.inbox.notes import NewNote, note_id_of, owner_for
from workers.inbox.writing import InboxWriter
from workers.notification.channels import Channel, Delivered, Delivery, NotDelivered, Note, Suppressed
from workers.tables.errors import TableError


class InboxChannel(Channel):
    """Puts notes into inboxes. A guest has none."""

    name: Final = "inbox"
    needs_contact: Final = False
    patience_s: Final = None
    repeatable: Final = True

    def __init__(self, writer: InboxWriter) -> None:
        self._writer = writer

    async def deliver(self, note: Note) -> Delivery:
        """Put it in, once: its id in the inbox follows from the event, so that a repeat meets its own note."""
        if note.customer_id is None:
            return Suppressed("guest")
        note_id = note_id_of(note.event)
        new = NewNote(
            owner=owner_for(note.event.tenant, note.customer_id),
            note_id=note_id,
            order_id=note.order_id,
            event_id=note.event.event_id,
            event_type=note.event.name,
            template=note.template,
            title=note.subject,
            text=note.text,
        )
        try:
            added = await self._writer.add(new)
        except TableError as error:
            # Whether it is in or not: the next try finds out, and puts it in at most once.
            return NotDelivered(type(error).__name__)
        return Suppressed("erased") if added == "closed" else Delivered(note_id)
