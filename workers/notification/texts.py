"""What customers read: plain text templates that ship with the package, named `<event>.v<version>.txt`.

A notification keeps the name of its template, so that a resend after a deployment says what the first try said. The first line is the
subject. Plain text only: nothing needs escaping, and nothing that a customer typed can become markup.
"""

from collections.abc import Mapping
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
        "RefundIssued": "refund_issued.v1",
    }
)
SUBJECT_CHARACTERS_MAX: Final = 200


class Texts:
    """Renders templates. Reads each file once, when it is made."""

    def __init__(self) -> None:
        environment = Environment(
            loader=PackageLoader("workers.notification", "templates"),
            autoescape=select_autoescape(("html",)),
            undefined=StrictUndefined,
            keep_trailing_newline=True,
        )
        names = [name for name in environment.list_templates() if name.endswith(".txt")]
        self._templates: dict[str, Template] = {
            name.removesuffix(".txt"): environment.get_template(name) for name in names
        }

    def render(self, template: str, *, order: OrderCreated, event: Event, name: str | None) -> tuple[str, str]:
        """Subject and text. Raises KeyError for a template that this build does not ship."""

        def money(minor: int) -> str:
            return str(Money(minor, order.currency))

        whole = self._templates[template].render(order=order, event=event, name=name, money=money)
        subject, _, text = whole.partition("\n")
        return " ".join(subject.split())[:SUBJECT_CHARACTERS_MAX], text.lstrip("\n")
