"""Stripe's webhooks: the signature is checked, and the order that is meant gets its first message once more.

So a webhook decides nothing: the payment worker reads the order and asks Stripe. The API needs no right to act on payments, only to send
to the payment queue.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Final
from uuid import UUID

import stripe
from botocore.exceptions import BotoCoreError, ClientError

from orderstore import contract
from orderstore.domain import next_steps
from orderstore.domain.rejections import UnknownOrder
from orderstore.orders import Orders
from workers.payment.stripe_gateway import ORDER
from workers.payment.stripe_http import metadata_of

if TYPE_CHECKING:
    from types_aiobotocore_sqs import SQSClient

TOLERANCE_S: Final = 300
"""How old a signature may be. Source: docs.stripe.com/webhooks, "Preventing replay attacks"."""
SECRETS_MAX: Final = 5
NO_OUTCOME_YET: Final = frozenset(
    ["payment_intent.created", "payment_intent.processing", "payment_intent.requires_action"]
)
"""Sent while our own request is under way, and nothing to act on: a second worker would only meet the first one at Stripe."""

Send = Callable[[str], Awaitable[None]]
"""Puts a body on the payment queue. Raises HintNotTaken."""


class BadSignature(ValueError):
    """Not signed by Stripe, or too long ago. Nothing was done."""


class HintNotTaken(ConnectionError):
    """The hint could not be handed on; Stripe sends it again, for three days."""


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
        order_id = _order_of(self._checked(body, signature))
        if order_id is None:
            return False
        try:
            history = await self._orders.load(order_id)
        except UnknownOrder:
            return False
        if next_steps.payment_step(history.state) is None:
            return False
        first = contract.publish(history.events[0])
        assert first is not None, "an order begins with a published event"
        await self._send(first.body.decode())
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


def queue_sender(client: "SQSClient", queue_name: str) -> Send:
    """Sends to the queue of that name."""

    async def send(body: str) -> None:
        try:
            url = (await client.get_queue_url(QueueName=queue_name))["QueueUrl"]
            await client.send_message(QueueUrl=url, MessageBody=body)
        except (ClientError, BotoCoreError) as error:
            raise HintNotTaken(type(error).__name__) from error

    return send


def _order_of(event: stripe.Event) -> str | None:
    """The order that the event's object was made for; None for what is not ours, or tells of no outcome."""
    try:
        if event.type in NO_OUTCOME_YET:
            return None
        return str(UUID(metadata_of(event.data.object)[ORDER]))
    except (KeyError, ValueError, AttributeError, TypeError):
        return None
