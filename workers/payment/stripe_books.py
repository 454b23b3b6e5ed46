"""Stripe's own list of payments, for reconciliations: read page by page, consistent, bounded."""

from collections.abc import AsyncIterator
from typing import Any, Final

import stripe

from workers.payment.stripe_amounts import minor_units
from workers.payment.stripe_gateway import ATTEMPT, ORDER
from workers.payment.stripe_http import metadata_of, raise_translated
from workers.reconciliation.payments import BooksTooLong, ProviderBooks, Standing, Theirs

PAGE: Final = 100
PAGES_MAX: Final = 20_000
_STANDINGS: Final[dict[str, Standing]] = {"requires_capture": "held", "succeeded": "taken"}
_NOT_FOUND: Final = 404


class StripeBooks(ProviderBooks):
    """Every PaymentIntent of the account that carries our metadata; others are none of our business."""

    def __init__(self, client: stripe.StripeClient) -> None:
        self._intents = client.v1.payment_intents

    async def payments(self, since_s: int, until_s: int) -> AsyncIterator[Theirs]:
        """See `ProviderBooks.payments`. Source: docs.stripe.com/api/payment_intents/list."""
        after: dict[str, str] = {}
        for _ in range(PAGES_MAX):
            asked: Any = {"created": {"gte": since_s, "lt": until_s}, "limit": PAGE, **after}
            try:
                page = await self._intents.list_async(asked)
            except stripe.StripeError as error:
                raise_translated(error, writes=False)
            for intent in page.data:
                ours = _theirs(intent)
                if ours is not None:
                    yield ours
            if not page.has_more:
                return
            after = {"starting_after": page.data[-1].id}
        raise BooksTooLong(f"more than {PAGES_MAX * PAGE} payments between {since_s} and {until_s}")

    async def payment(self, reference: str) -> Theirs | None:
        """See `ProviderBooks.payment`."""
        try:
            return _theirs(await self._intents.retrieve_async(reference))
        except stripe.InvalidRequestError as error:
            if error.http_status == _NOT_FOUND:
                return None
            raise_translated(error, writes=False)
        except stripe.StripeError as error:
            raise_translated(error, writes=False)


def _theirs(intent: stripe.PaymentIntent) -> Theirs | None:
    known = metadata_of(intent)
    if ATTEMPT not in known or ORDER not in known:
        return None
    standing = _STANDINGS.get(intent.status, "nothing")
    amount = intent.amount_received if standing == "taken" else intent.amount
    return Theirs(
        reference=intent.id,
        attempt_key=known[ATTEMPT],
        order_id=known[ORDER],
        standing=standing,
        amount_minor=minor_units(amount, intent.currency),
        currency=intent.currency.upper(),
    )
