"""The mail service as the e-mail channel sees it.

MailError
├── MailRefused        this mail will never be sent: address not accepted, suppressed, content refused
├── MailNotSent        it was surely not sent: throttled, unreachable, paused. Try again.
└── MailUncertain      nobody knows whether it was sent: time-out, connection lost after the request
"""

from dataclasses import dataclass, field
from typing import Protocol


class MailError(Exception):
    """A mail could not be sent. The texts name no address."""


class MailRefused(MailError):
    """Trying again does not help."""


class MailNotSent(MailError):
    """Not sent, and it may be tried again."""


class MailUncertain(MailError):
    """Sent, or not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """One mail: plain text and, if there is one, the same as HTML. `order_id` and `notification_id` travel with it, so that what the
    service tells of it later finds its record, and two copies can be told to be the same."""

    to: str = field(repr=False)
    subject: str
    text: str = field(repr=False)
    html: str | None = field(default=None, repr=False)
    order_id: str
    notification_id: str


class MailSender(Protocol):
    """Sends mail. Raises `MailError`."""

    async def send(self, mail: Mail) -> str:
        """Hand the mail over; returns the service's id of it."""
        ...


class MemoryMailbox(MailSender):
    """Keeps what is sent: for tests."""

    def __init__(self) -> None:
        self.sent: list[Mail] = []

    async def send(self, mail: Mail) -> str:
        """See `MailSender.send`."""
        self.sent.append(mail)
        return f"memory-{len(self.sent)}"
