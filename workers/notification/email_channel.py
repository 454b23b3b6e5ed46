"""Mail to the customer, unless their address is on the suppression list."""

from typing import Final, Protocol

from orderstore.privacy.keys import PrivacyError
from orderstore.store.errors import StoreError
from workers.notification.channels import (
    Delivered,
    Delivery,
    NotDelivered,
    Note,
    Refused,
    Suppressed,
    Uncertain,
)
from workers.notification.mail import Mail, MailNotSent, MailRefused, MailSender, MailUncertain
from workers.notification.suppression import Kind, Suppression
from workers.tables.errors import TableError

NO_ADDRESS: Final = "no_address"
UNREADABLE: Final = (TableError, StoreError, PrivacyError)
"""Trouble with the suppression list: whoever cannot read it must not write to anybody."""


class SuppressionList(Protocol):
    """What a channel asks of the list."""

    async def of(self, kind: Kind, address: str) -> Suppression | None:
        """The row that forbids this address."""
        ...


class EmailChannel:
    """See `channels.Channel`."""

    name = "email"
    needs_contact = True
    patience_s: float | None = None
    repeatable = False

    def __init__(self, sender: MailSender, *, suppressions: SuppressionList) -> None:
        self._sender = sender
        self._suppressions = suppressions

    async def deliver(self, note: Note) -> Delivery:
        """See `channels.Channel.deliver`."""
        if note.contact is None or note.contact.email is None:
            return Suppressed(NO_ADDRESS)
        try:
            forbidden = await self._suppressions.of("email", note.contact.email)
        except UNREADABLE as error:
            return NotDelivered(f"suppression list: {type(error).__name__}")
        if forbidden is not None:
            return Suppressed(f"suppression_list:{forbidden.reason}")
        mail = Mail(
            to=note.contact.email,
            subject=note.subject,
            text=note.text,
            html=note.html,
            order_id=note.order_id,
            notification_id=note.notification_id,
        )
        try:
            return Delivered(await self._sender.send(mail))
        except MailRefused as error:
            return Refused(str(error))
        except MailNotSent as error:
            return NotDelivered(str(error))
        except MailUncertain as error:
            return Uncertain(str(error))
