"""What people read: templates that ship with the package, named `<event>.v<version>.<channel>.txt`, and `.html` beside a mail's plain text.

A notification keeps the name of its template, so that a resend after a deployment says what the first try said: a text that has been used
is never edited, a new version is put beside it and named in `TEMPLATES`. (Another language would be another name: `template_for` chooses,
the record remembers.) A channel tells of the events that it has a text for. The first line is the subject, a blank line follows; an SMS has
no subject, the whole is its text. HTML is escaped by itself, so that nothing that a customer typed can become markup.

    UnknownTemplate   a record names a template that this build does not ship: a newer build began it
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from types import MappingProxyType
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined, Template, select_autoescape

from orderstore.domain.events import Event, OrderCreated
from orderstore.domain.money import Money

# Event type -> the template that new notifications use.
TEMPLATES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "PaymentCompleted": "payment_completed.v1",
        "PaymentFailed": "payment_failed.v1",
        "InventoryReserved": "inventory_reserved.v1",
        "InventoryFailed": "inventory_failed.v1",
        "ShipmentDispatched": "shipment_dispatched.v1",
        "OrderCancelled": "order_cancelled.v1",
        "OrderRejected": "order_rejected.v1",
        "OrderHeld": "order_held.v1",
        "RefundIssued": "refund_issued.v1",
        "LinesCancelled": "lines_cancelled.v1",
        "OrderActionRequired": "order_action_required.v1",
        "OrderEditApplied": "order_edit_applied.v1",
        "OrderEditDeclined": "order_edit_declined.v1",
        "PaymentDisputed": "payment_disputed.v1",
        "ShipmentFailed": "shipment_failed.v1",
        "ShipmentDelayed": "shipment_delayed.v1",
        "ReturnApproved": "return_approved.v1",
        "ReturnDeclined": "return_declined.v1",
    }
)
# Both chats say the same; what differs is how they want it wrapped.
_TEXTS_OF: Final[Mapping[str, str]] = MappingProxyType({"slack": "chat", "teams": "chat"})
_WITHOUT_SUBJECT: Final = frozenset({"sms"})
SUBJECT_CHARACTERS_MAX: Final = 200
# Written down: a process's locale is no part of a text.
_MONTHS: Final = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip


class UnknownTemplate(LookupError):
    """This build ships no such template for the channel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """A template with one order's values. `html` is None where the channel has no such text."""

    subject: str
    text: str
    html: str | None


def template_for(event_type: str) -> str | None:
    """The template that a new notification of such an event uses; None: nobody is told of it."""
    return TEMPLATES.get(event_type)


class Texts:
    """Renders templates. Reads each file once in a process, when the first is made."""

    def __init__(self) -> None:
        self._templates = _templates()

    def has(self, template: str, channel: str) -> bool:
        """Whether there is such a text for the channel."""
        return f"{_stem(template, channel)}.txt" in self._templates

    def render(self, template: str, channel: str, *, order: OrderCreated, event: Event, name: str | None) -> Rendered:
        """Render for one channel. Raises UnknownTemplate."""

        def money(minor: int) -> str:
            return str(Money(minor, order.currency))

        values = {"order": order, "event": event, "name": name, "money": money, "moment": _moment}
        stem = _stem(template, channel)
        plain = self._templates.get(f"{stem}.txt")
        if plain is None:
            raise UnknownTemplate(f"this build has no text {stem}")
        whole = plain.render(values)
        marked_up = self._templates.get(f"{stem}.html")
        html = None if marked_up is None else marked_up.render(values)
        if channel in _WITHOUT_SUBJECT:
            return Rendered(subject="", text=whole.strip(), html=html)
        subject, _, text = whole.partition("\n")
        return Rendered(subject=" ".join(subject.split())[:SUBJECT_CHARACTERS_MAX], text=text.lstrip("\n"), html=html)


@cache
def _templates() -> Mapping[str, Template]:
    environment = Environment(
        loader=PackageLoader("workers.notification", "templates"),
        autoescape=select_autoescape(("html",)),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
    names = environment.list_templates(extensions=["txt", "html"])
    return MappingProxyType({name: environment.get_template(name) for name in names})


def _moment(at: datetime) -> str:
    """A deadline as people read it: `4 March 2026, 12:00 UTC`. A zone of the customer's nobody knows."""
    at = at.astimezone(UTC)
    return f"{at.day} {_MONTHS[at.month - 1]} {at.year}, {at:%H:%M} UTC"


def _stem(template: str, channel: str) -> str:
    return f"{template}.{_TEXTS_OF.get(channel, channel)}"
