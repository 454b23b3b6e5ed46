"""Money that Stripe holds, taken: all of it at once, or parcel by parcel where the card lets that be ("multicapture").

An intent keeps `requires_capture` until its last capture (`final_capture`), and sums up what was taken in `amount_received`: so a capture
that was asked for before is known by what the intent had received before it, however long ago its key was forgotten.
Sources: docs.stripe.com/payments/multicapture, docs.stripe.com/api/payment_intents/capture.
"""

from typing import Any

import stripe

from orderstore.domain.money import Money
from workers.payment.gateway import GatewayRefused, HoldExpired, TakenOnce
from workers.payment.stripe_amounts import stripe_amount
from workers.payment.stripe_answers import amount_in
from workers.payment.stripe_calls import called, once
from workers.payment.stripe_charges import EXPAND, charge_of, may_be_taken_in_parts


class StripeCaptures:
    """The captures of intents."""

    def __init__(self, client: stripe.StripeClient) -> None:
        self._intents = client.v1.payment_intents

    async def take(self, key: str, *, reference: str, amount: Money, before_minor: int, final: bool) -> str:
        """See `PaymentGateway.capture`."""
        wanted = stripe_amount(amount)
        before = stripe_amount(Money(before_minor, amount.currency))
        in_parts = before > 0 or not final

        async def done() -> str | None:
            intent = await called(self._intents.retrieve_async(reference, EXPAND), writes=False)
            return _taken(intent, wanted, before=before, final=final)

        async def capture(options: Any) -> str:  # noqa: ANN401 - the library's request options
            asked: Any = {"amount_to_capture": wanted, **({} if final else {"final_capture": False})}
            return charge_of(await self._intents.capture_async(reference, asked, options))

        # What is taken at once ends what is held: the intent itself refuses a second time.
        return await once(key, done, capture, looked=not in_parts)


def _taken(intent: stripe.PaymentIntent, wanted: int, *, before: int, final: bool) -> str | None:
    """The capture, if it was made; None if it may be. Raises HoldExpired, TakenOnce, GatewayRefused."""
    received = amount_in(intent.amount_received)
    match intent.status:
        case "canceled":
            raise HoldExpired(f"the hold ended before it was taken: {intent.cancellation_reason or 'no reason given'}")
        case "succeeded" if received == before + wanted:
            return charge_of(intent)
        case "succeeded" if before > 0 and received == before:
            raise HoldExpired("the hold ended after a part of it was taken")
        case "requires_capture" if received == before:
            if not final and not may_be_taken_in_parts(intent):
                raise TakenOnce("Stripe does not let this payment be taken in parts")
            return None
        case "requires_capture" if received == before + wanted and not final:
            return charge_of(intent)
        case status:
            raise GatewayRefused(
                f"cannot capture: the intent is {status}, and another amount was taken than we know of"
            )
