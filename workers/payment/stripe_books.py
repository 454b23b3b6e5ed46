"""Stripe's own list of payments, for reconciliations: read page by page, consistent, bounded."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any, Final

import stripe

from workers.payment.gateway import GatewayUnavailable
from workers.payment.stripe_amounts import minor_units
from workers.payment.stripe_answers import amount_in, reference_in, understood
from workers.payment.stripe_calls import ATTEMPT, ORDER, PAGE, called
from workers.payment.stripe_charges import EXPAND, given_back_of, is_disputed
from workers.payment.stripe_disputes import StripeDisputes
from workers.payment.stripe_http import metadata_of, raise_translated
from workers.reconciliation.books import BooksTooLong, ProviderBooks, Standing, Theirs

PAGES_MAX: Final = 20_000
_NOT_FOUND: Final = 404


class StripeBooks(ProviderBooks):
    """Every PaymentIntent of the account that carries our metadata; others are none of our business."""

    def __init__(self, client: stripe.StripeClient) -> None:
        self._intents = client.v1.payment_intents
        self._refunds = client.v1.refunds
        self._all_disputes = client.v1.disputes
        self._disputes = StripeDisputes(client)

    async def payments(self, since_s: int, until_s: int) -> AsyncIterator[Theirs]:
        """See `ProviderBooks.payments`. Source: docs.stripe.com/api/payment_intents/list."""
        asked: Any = {"created": {"gte": since_s, "lt": until_s}, "expand": ["data.latest_charge"]}
        async with aclosing(self._all(self._intents.list_async, asked)) as intents:
            async for intent in intents:
                theirs = await self._theirs(intent)
                if theirs is not None:
                    yield theirs

    async def touched(self, since_s: int, until_s: int) -> AsyncIterator[str]:
        """See `ProviderBooks.touched`. Sources: docs.stripe.com/api/refunds/list, docs.stripe.com/api/disputes/list."""
        asked: Any = {"created": {"gte": since_s, "lt": until_s}}
        for listed in (self._refunds.list_async, self._all_disputes.list_async):
            async with aclosing(self._all(listed, asked)) as things:
                async for thing in things:
                    reference = await self._intent_of(thing)
                    if reference is not None:
                        yield reference

    async def payment(self, reference: str) -> Theirs | None:
        """See `ProviderBooks.payment`."""
        intent = await self._intent(reference)
        return None if intent is None else await self._theirs(intent)

    async def _all(self, listed: Callable[[Any], Awaitable[Any]], asked: Any) -> AsyncGenerator[Any, None]:  # noqa: ANN401 - the library's
        after: dict[str, str] = {}
        for _ in range(PAGES_MAX):
            found, last = await self._page(listed, {**asked, "limit": PAGE, **after})
            for thing in found:
                yield thing
            if last is None:
                return
            if after == {"starting_after": last}:
                raise GatewayUnavailable("Stripe's list does not go on: a page ends where the one before it did")
            after = {"starting_after": last}
        raise BooksTooLong(
            f"more than {PAGES_MAX * PAGE} between {asked['created']['gte']} and {asked['created']['lt']}"
        )

    @understood(writes=False)
    async def _page(self, listed: Callable[[Any], Awaitable[Any]], asked: Any) -> tuple[list[Any], str | None]:  # noqa: ANN401 - as above
        """What stands on a page, and where the next one begins; None at the end."""
        page = await called(listed(asked), writes=False)
        return list(page.data), reference_in(page.data[-1].id) if page.has_more else None

    @understood(writes=False)
    async def _intent(self, reference: str) -> stripe.PaymentIntent | None:
        try:
            return await self._intents.retrieve_async(reference, EXPAND)
        except stripe.InvalidRequestError as error:
            if error.http_status == _NOT_FOUND:
                return None
            raise_translated(error, writes=False)
        except stripe.StripeError as error:
            raise_translated(error, writes=False)

    @understood(writes=False)
    async def _theirs(self, intent: stripe.PaymentIntent) -> Theirs | None:
        """None for what is not ours. What banks have taken back is asked for where there is a dispute."""
        known = metadata_of(intent)
        if ATTEMPT not in known or ORDER not in known:
            return None
        received = amount_in(intent.amount_received)
        standing: Standing = "nothing"
        if intent.status in ("requires_capture", "succeeded"):
            standing = "taken" if received else "held" if intent.status == "requires_capture" else "nothing"
        disputes = await self._disputes.of(intent.id) if is_disputed(intent) else None
        gone = () if disputes is None else (one.amount_minor for one in disputes.disputes if one.standing != "won")
        return Theirs(
            reference=reference_in(intent.id),
            attempt_key=known[ATTEMPT],
            order_id=known[ORDER],
            standing=standing,
            amount_minor=minor_units(received if standing == "taken" else amount_in(intent.amount), intent.currency),
            currency=intent.currency.upper(),
            refunded_minor=minor_units(given_back_of(intent), intent.currency),
            disputed_minor=sum(gone),
        )

    @understood(writes=False)
    async def _intent_of(self, thing: Any) -> str | None:  # noqa: ANN401 - a refund or a dispute
        intent = thing.payment_intent
        return None if intent is None else reference_in(intent if isinstance(intent, str) else intent.id)
