"""SMS to the customer, unless their number is on the suppression list or has opted out.

SmsError
├── SmsOptedOut        who has this number said that they want no more
├── SmsRefused         this message will never be sent: no such number, not allowed
├── SmsNotSent         it was surely not sent: throttled, unreachable. Try again.
└── SmsUncertain       nobody knows whether it was sent
"""

from typing import Protocol

from workers.notification.channels import Delivered, Delivery, NotDelivered, Note, Refused, Suppressed, Uncertain
from workers.notification.email_channel import UNREADABLE, SuppressionList
from workers.notification.sms_text import fitted


class SmsError(Exception):
    """An SMS could not be sent. The texts name no number."""


class SmsOptedOut(SmsError):
    """Nobody may write to this number."""


class SmsRefused(SmsError):
    """Trying again does not help."""


class SmsNotSent(SmsError):
    """Not sent, and it may be tried again."""


class SmsUncertain(SmsError):
    """Sent, or not."""


class SmsSender(Protocol):
    """Sends an SMS. Raises `SmsError`."""

    async def send(self, phone: str, text: str) -> str:
        """Hand the text over for a number in E.164; returns the service's id of it."""
        ...


class SmsChannel:
    """See `channels.Channel`. `parts_max` bounds what one message may cost: a text that is longer is cut."""

    name = "sms"
    needs_contact = True
    repeatable = False
    patience_s: float | None

    def __init__(
        self, sender: SmsSender, *, suppressions: SuppressionList, parts_max: int, patience_s: float | None
    ) -> None:
        self._sender = sender
        self._suppressions = suppressions
        self._parts_max = parts_max
        self.patience_s = patience_s

    async def deliver(self, note: Note) -> Delivery:
        """See `channels.Channel.deliver`."""
        if note.contact is None or note.contact.phone is None:
            return Suppressed("no_number")
        try:
            forbidden = await self._suppressions.of("phone", note.contact.phone)
        except UNREADABLE as error:
            return NotDelivered(f"suppression list: {type(error).__name__}")
        if forbidden is not None:
            return Suppressed(f"suppression_list:{forbidden.reason}")
        try:
            return Delivered(await self._sender.send(note.contact.phone, fitted(note.text, self._parts_max)))
        except SmsOptedOut:
            return Suppressed("opted_out")
        except SmsRefused as error:
            return Refused(str(error))
        except SmsNotSent as error:
            return NotDelivered(str(error))
        except SmsUncertain as error:
            return Uncertain(str(error))
