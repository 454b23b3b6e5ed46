"""Stripe's webhooks: the signature is checked, and the order that is meant gets its first message once more.

So a webhook decides nothing: the payment worker reads the order and asks Stripe. The API needs no right to act on payments, only to send
to the payment queue. A dispute does not carry our metadata and so names no order, nor does a refund that came back from its bank: the
payment worker is told which payment it is about.
"""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

import stripe

from orderstore.domain import next_steps
from orderstore.domain.rejections import UnknownOrder
from orderstore.orders import Orders
from workers.payment.hints import HintNotTaken, Send, hint_body, notice_body
from workers.payment.stripe_answers import reference_in
from workers.payment.stripe_gateway import ORDER
from workers.payment.stripe_http import metadata_of

__all__ = ("BadSignature", "HintNotTaken", "StripeHooks")

TOLERANCE_S: Final = 300
"""How old a signature may be. Source: docs.stripe.com/webhooks, "Preventing replay attacks"."""
SECRETS_MAX: Final = 5
NO_OUTCOME_YET: Final = frozenset(
    ["payment_intent.created", "payment_intent.processing", "payment_intent.requires_action"]
)
"""Sent while our own request is under way, and nothing to act on: a second worker would only meet the first one at Stripe."""

NO_ORDER_NAMED: Final = ("charge.dispute.", "refund.failed")
"""How the types of events begin whose object does not carry our metadata, but names its payment."""


class BadSignature(ValueError):
    """Not signed by Stripe, or too long ago. Nothing was done."""


class StripeHooks:
    """Implements `projections.http.services.PaymentHooks`. `secrets` are several while one is being rotated."""

    def __init__(self, orders: Orders, *, secrets: Sequence[str], send: Send) -> None:
        """Raises ValueError without a secret: an open door is no door."""
        if not secrets or not all(secrets) or len(secrets) > SECRETS_MAX:
            raise ValueError(f"1 to {SECRETS_MAX} signing secrets, none of them empty")
        self._orders = orders
        self._secrets = tuple(secrets)
        self._send = send

    async def take(self, body: bytes, signature: str | None) -> bool:
        """See `PaymentHooks.take`. What is meant for nobody here is ignored: others may use the account too."""
        event = self._checked(body, signature)
        payment = _payment_in(event)
        if payment is not None:
            await self._send(notice_body(payment))
            return True
        order_id = _order_of(event)
        if order_id is None:
            return False
        try:
            history = await self._orders.load(order_id)
        except UnknownOrder:
            return False
        if next_steps.payment_step(history.state) is None:
            return False
        await self._send(hint_body(history))
        return True

    def _checked(self, body: bytes, signature: str | None) -> stripe.Event:
        for secret in self._secrets:
            try:
                event: stripe.Event = stripe.Webhook.construct_event(body, signature, secret, TOLERANCE_S)
            except stripe.SignatureVerificationError:
                continue
            except (ValueError, TypeError, AttributeError, RecursionError):
                break
            return event
        raise BadSignature("no known secret made this signature, or it is no event")


def _payment_in(event: stripe.Event) -> str | None:
    """The payment that a dispute or a refund is about; None for events of other kinds, and for what is no payment of ours to begin with."""
    try:
        if not event.type.startswith(NO_ORDER_NAMED):
            return None
        return reference_in(event.data.object["payment_intent"])
    except (KeyError, ValueError, AttributeError, TypeError):
        return None


def _order_of(event: stripe.Event) -> str | None:
    """The order that the event's object was made for; None for what is not ours, or tells of no outcome."""
    try:
        if event.type in NO_OUTCOME_YET:
            return None
        return str(UUID(metadata_of(event.data.object)[ORDER]))
    except (KeyError, ValueError, AttributeError, TypeError):
        return None
