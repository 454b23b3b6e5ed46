"""Stripe's own list of payments, for reconciliations: read page by page, consistent, bounded."""

from collections.abc import AsyncIterator
from typing import Any, Final

import stripe

from workers.payment.gateway import GatewayUnavailable
from workers.payment.stripe_amounts import minor_units
from workers.payment.stripe_answers import amount_in, reference_in, understood
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
            found, last = await self._page(asked)
            for ours in found:
                yield ours
            if last is None:
                return
            if after == {"starting_after": last}:
                raise GatewayUnavailable("Stripe's list does not go on: a page ends where the one before it did")
            after = {"starting_after": last}
        raise BooksTooLong(f"more than {PAGES_MAX * PAGE} payments between {since_s} and {until_s}")

    @understood(writes=False)
    async def _page(self, asked: Any) -> tuple[list[Theirs], str | None]:  # noqa: ANN401 - the library's parameters
        """Those of a page that are ours, and where the next one begins; None at the end."""
        try:
            page = await self._intents.list_async(asked)
        except stripe.StripeError as error:
            raise_translated(error, writes=False)
        found = [ours for ours in map(_theirs, page.data) if ours is not None]
        return found, reference_in(page.data[-1].id) if page.has_more else None

    @understood(writes=False)
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
    amount = amount_in(intent.amount_received if standing == "taken" else intent.amount)
    return Theirs(
        reference=reference_in(intent.id),
        attempt_key=known[ATTEMPT],
        order_id=known[ORDER],
        standing=standing,
        amount_minor=minor_units(amount, intent.currency),
        currency=intent.currency.upper(),
    )
