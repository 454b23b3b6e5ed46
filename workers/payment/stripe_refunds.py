"""Money that Stripe gives back, each refund once, however long ago it was asked for.

Sources: docs.stripe.com/api/refunds, docs.stripe.com/refunds (failed refunds).
"""

from typing import Any, Final

import stripe

from orderstore.domain.money import Money
from workers.payment.gateway import REFUSED, GatewayRefused, GatewayUnavailable
from workers.payment.stripe_amounts import NotChargeable, stripe_amount
from workers.payment.stripe_answers import reference_in
from workers.payment.stripe_calls import PAGE, REFUND, called, once
from workers.payment.stripe_declines import WORD
from workers.payment.stripe_http import metadata_of

REFUND_PAGES_MAX: Final = 20
_NOT_GIVEN: Final = ("failed", "canceled", "requires_action")
"""What becomes of a refund that does not reach its card; one that waits for the customer's bank details is ours to settle otherwise."""


class StripeRefunds:
    """The refunds of intents."""

    def __init__(self, client: stripe.StripeClient) -> None:
        self._refunds = client.v1.refunds

    async def give(self, key: str, *, reference: str, amount: Money) -> str:
        """See `PaymentGateway.refund`. A refund that Stripe could not deliver is refused, with the reason that it gives."""
        try:
            wanted = stripe_amount(amount)
        except NotChargeable as error:
            raise GatewayRefused(f"cannot refund: {error}", code="invalid_amount") from error

        async def done() -> str | None:
            return await self._given(key, reference, wanted)

        async def create(options: Any) -> str:  # noqa: ANN401 - the library's request options
            asked: Any = {"payment_intent": reference, "amount": wanted, "metadata": {REFUND: key}}
            return _checked(await self._refunds.create_async(asked, options), wanted)

        return await once(key, done, create)

    async def _given(self, key: str, reference: str, wanted: int) -> str | None:
        """The refund that was made for `key`, if any: a list by intent, which is consistent, however long ago it was."""
        after: dict[str, str] = {}
        for _ in range(REFUND_PAGES_MAX):
            asked: Any = {"payment_intent": reference, "limit": PAGE, **after}
            page = await called(self._refunds.list_async(asked), writes=False)
            for refund in page.data:
                if metadata_of(refund).get(REFUND) == key:
                    return _checked(refund, wanted)
            if not page.has_more:
                return None
            if after == {"starting_after": page.data[-1].id}:
                raise GatewayUnavailable("Stripe's list does not go on: a page ends where the one before it did")
            after = {"starting_after": page.data[-1].id}
        raise GatewayRefused(f"a payment has more than {REFUND_PAGES_MAX * PAGE} refunds")


def _checked(refund: stripe.Refund, wanted: int) -> str:
    if refund.amount != wanted:
        raise GatewayRefused("the key was used for another refund")
    if refund.status in _NOT_GIVEN:
        why = getattr(refund, "failure_reason", None) or refund.status
        code = why if isinstance(why, str) and WORD.fullmatch(why) else REFUSED
        raise GatewayRefused(f"the refund {refund.id} is {refund.status}: pay it in another way", code=code)
    return reference_in(refund.id)
