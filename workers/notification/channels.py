"""A channel: one way of telling somebody of an event. The handler asks each channel of an event on its own.

Each (event, channel) has a record `<eventId>:<channel>` of its own (`records.py`). The handler claims the record, calls `deliver` once, and
writes down what came of it; so a channel needs no state for "once", and one that fails is tried again without the others. A channel that is
`repeatable` is called without a claim: its own write is its "once".

    deliver ──> Delivered       record `sent`
            ──> Refused         record `failed`: it will never be taken
            ──> Suppressed      record `suppressed`: there is nobody to tell, or they said that they want no more
            ──> NotDelivered    surely not told: the claim is given back, tried again (a 429, a refused connection)
            ──> Uncertain       told, or not: the claim stays, another try only when it has run out (time-out, 5xx after the request)

A channel raises nothing for troubles that it knows of: it answers. What it raises counts as `Uncertain`, and is told to the loop.
No channel ever appends to the order's log (D10).
"""

from dataclasses import dataclass, field
from typing import Protocol

from orderstore.recorded import Recorded

# The texts of an answer are written into the record and into logs: a code or a few words of ours, never an address, never what a service
# quotes of the request.


@dataclass(frozen=True, slots=True)
class Delivered:
    """Handed over; `reference` is the service's own id of it."""

    reference: str


@dataclass(frozen=True, slots=True)
class Refused:
    """Trying again does not help; `reason` is a short code."""

    reason: str


@dataclass(frozen=True, slots=True)
class Suppressed:
    """Nobody to tell: no address, opted out, on the suppression list; `reason` is a short code."""

    reason: str


@dataclass(frozen=True, slots=True)
class NotDelivered:
    """Surely not told. `retry_after_s`: how long the service asked to be left alone, if it did."""

    reason: str
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Uncertain:
    """Nobody knows whether it was told."""

    reason: str


Delivery = Delivered | Refused | Suppressed | NotDelivered | Uncertain


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """Whom to write to. Lives in memory only, and shows in no log or trace."""

    email: str | None = field(default=None, repr=False)
    name: str | None = field(default=None, repr=False)
    phone: str | None = field(default=None, repr=False)
    """E.164: `+` and up to 15 digits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """What is to be told, to whom. `text` (and `subject`, and `html` where the channel has such a template) are rendered for this channel.

    `notification_id` is `<eventId>:<channel>`, the same at every try: a channel that can, gives it to its service as the idempotency key.
    `contact` is None unless the channel `needs_contact`; `customer_id` is None for guests. The tenant is `event.tenant`.
    """

    notification_id: str
    order_id: str
    customer_id: str | None
    event: Recorded
    template: str
    subject: str
    text: str = field(repr=False)
    html: str | None = field(default=None, repr=False)
    contact: Contact | None = None


class Channel(Protocol):
    """One way of telling. `deliver` is called for one note at a time per record, but for many records at once."""

    @property
    def name(self) -> str:
        """The last part of the records' names, and of the templates' (`<event>.v<version>.<name>.txt`): a short lower-case word."""
        ...

    @property
    def needs_contact(self) -> bool:
        """Whether it needs the customer's address or name: only then they are opened, and rendered into the text. A channel that keeps what
        it is given, or shows it to others than the customer, must not."""
        ...

    @property
    def patience_s(self) -> float | None:
        """How long after it was first begun there is still a point in telling; None: always."""
        ...

    @property
    def repeatable(self) -> bool:
        """Whether telling it twice tells once: then no claim guards it, and its record is written when it is over."""
        ...

    async def deliver(self, note: Note) -> Delivery:
        """Tell, within a few seconds: the handler ends what hangs, and counts it as `Uncertain`."""
        ...
