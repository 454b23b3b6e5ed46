"""Stripe as a payment gateway: one PaymentIntent for each attempt, made and written down before it is confirmed.

    create (no money) ── keep its id ──> confirm (the money) ──> captures | cancel, refunds

Only `confirm` moves money, and only on the intent that stands in the `IntentBook`. An intent succeeds at most once, so no time-out,
forgotten idempotency key, second worker or redrive two weeks later charges twice; and `find` asks for that intent by its id, which
Stripe answers consistently. Searching by metadata would not do: what was just made may be missing for up to an hour.
Sources: docs.stripe.com/payments/paymentintents/lifecycle, docs.stripe.com/api/payment_intents/search.
"""

from collections.abc import Callable
from typing import Any, Final

import stripe

from orderstore.domain.money import Money
from workers.payment.gateway import (
    ActionRequired,
    Answer,
    Authorized,
    Declined,
    GatewayPending,
    GatewayRefused,
    GatewayTimeout,
    PaymentGateway,
    Taken,
)
from workers.payment.stripe_amounts import NotChargeable, minor_units, stripe_amount
from workers.payment.stripe_answers import amount_in, reference_in, understood
from workers.payment.stripe_calls import ATTEMPT, ORDER, REFUND, called, nothing, once
from workers.payment.stripe_captures import StripeCaptures
from workers.payment.stripe_charges import EXPAND, held_until
from workers.payment.stripe_declines import declined
from workers.payment.stripe_http import metadata_of
from workers.payment.stripe_intents import IntentBook
from workers.payment.stripe_refunds import StripeRefunds

__all__ = ("ATTEMPT", "ORDER", "PENDING_MAX_S", "REFUND", "StripeGateway", "metadata_of")

PENDING_MAX_S: Final = 3_600.0
"""How long an intent may wait for a customer who is not asked to act, before it is cancelled and counts as a soft decline."""
# docs.stripe.com/error-codes; nothing is made then.
_NO_SUCH_AMOUNT: Final = ("amount_too_small", "amount_too_large")
_NOT_IN_TIME: Final = "authentication_not_completed"


class StripeGateway(PaymentGateway):
    """`now_ms` is the wall clock in milliseconds since 1970: it is compared with Stripe's own `created`. `asks_customer`: whether a
    bank that wants to hear from its customer (3-D Secure) is waited for; if not, its card is declined."""

    def __init__(
        self,
        client: stripe.StripeClient,
        book: IntentBook,
        *,
        now_ms: Callable[[], int],
        asks_customer: bool = False,
    ) -> None:
        self._intents = client.v1.payment_intents
        self._captures = StripeCaptures(client)
        self._refunds = StripeRefunds(client)
        self._book = book
        self._now_ms = now_ms
        self._asks_customer = asks_customer

    @understood(writes=True)
    async def authorize(
        self,
        attempt_key: str,
        *,
        amount: Money,
        order_reference: str,
        capture: bool,
        method: str | None,
        in_parts: bool = False,
    ) -> Answer:
        """See `PaymentGateway.authorize`. An order without a payment method, or with an amount that Stripe does not take, is declined."""
        if method is None:
            return declined("payment_method_missing")
        try:
            wanted = {"amount": stripe_amount(amount), "currency": amount.currency.lower()}
        except NotChargeable:
            return declined("invalid_amount")
        wanted["capture_method"] = "automatic" if capture else "manual"
        try:
            intent = await self._intent(attempt_key, wanted, order_reference, in_parts=in_parts and not capture)
        except NotChargeable:
            return declined("invalid_amount")
        if any(getattr(intent, name) != value for name, value in wanted.items()):
            raise GatewayRefused("the attempt was begun with another amount, currency or way to capture")
        return await self._answer(intent) or await self._confirmed(attempt_key, intent, method)

    @understood(writes=False)
    async def find(self, attempt_key: str) -> Answer | None:
        """See `PaymentGateway.find`: nothing stands in the book, or the intent was never confirmed, means that nothing was charged."""
        intent_id = await self._book.find(attempt_key)
        return None if intent_id is None else await self._answer(await self._read(intent_id))

    @understood(writes=True)
    async def capture(
        self, key: str, *, reference: str, amount: Money, before_minor: int = 0, final: bool = True
    ) -> str:
        """See `PaymentGateway.capture`."""
        return await self._captures.take(
            key, reference=reference, amount=amount, before_minor=before_minor, final=final
        )

    @understood(writes=True)
    async def void(self, key: str, *, reference: str) -> None:
        """See `PaymentGateway.void`."""

        async def done() -> bool | None:
            intent = await self._read(reference)
            if intent.status == "succeeded":
                raise GatewayRefused("cannot void: the money was taken")
            return True if intent.status == "canceled" else None

        async def cancel(options: Any) -> bool:  # noqa: ANN401 - the library's request options
            await self._intents.cancel_async(reference, {"cancellation_reason": "requested_by_customer"}, options)
            return True

        await once(key, done, cancel, looked=True)

    @understood(writes=True)
    async def refund(self, key: str, *, reference: str, amount: Money) -> str:
        """See `PaymentGateway.refund`. A refund that Stripe could not deliver in the end is refused: a person must pay it otherwise."""
        return await self._refunds.give(key, reference=reference, amount=amount)

    @understood(writes=True)
    async def close(self, attempt_key: str) -> Taken | None:
        """See `PaymentGateway.close`: a cancelled intent can never be confirmed. Raises GatewayPending while Stripe processes it."""
        intent_id = await self._book.find(attempt_key)
        if intent_id is None:
            return None
        intent = await self._read(intent_id)
        if intent.status == "processing":
            raise GatewayPending("an earlier attempt is processing")
        if intent.status not in ("succeeded", "canceled"):
            try:
                await self.void(f"{attempt_key}:close", reference=intent_id)
            except GatewayRefused:
                intent = await self._read(intent_id)
                if intent.status != "succeeded":
                    raise
        taken = amount_in(intent.amount_received)
        currency = intent.currency.upper()
        return Taken(reference_in(intent.id), Money(minor_units(taken, currency), currency)) if taken else None

    async def _intent(
        self, attempt_key: str, wanted: dict[str, Any], order_reference: str, *, in_parts: bool
    ) -> stripe.PaymentIntent:
        """The attempt's one intent. One that is made and gets lost on the way was never confirmed: it holds nothing, and is nobody's.

        Raises NotChargeable for an amount that Stripe refuses: less than its minimum of the currency, or more than its maximum.
        """
        kept = await self._book.find(attempt_key)
        if kept is not None:
            return await self._read(kept)
        known = {ATTEMPT: attempt_key, ORDER: order_reference}
        asked: Any = {**wanted, "payment_method_types": ["card"], "metadata": known}
        if in_parts:
            asked["payment_method_options"] = {"card": {"request_multicapture": "if_available"}}

        async def create(options: Any) -> stripe.PaymentIntent:  # noqa: ANN401 - the library's request options
            try:
                return await self._intents.create_async(asked, options)
            except stripe.InvalidRequestError as error:
                if error.param == "amount" or error.code in _NO_SUCH_AMOUNT:
                    raise NotChargeable("Stripe does not take this amount") from error
                raise

        made = await once(f"{attempt_key}:create", nothing, create, looked=True)
        kept = await self._book.keep(attempt_key, reference_in(made.id))
        return made if kept == made.id else await self._read(kept)

    async def _confirmed(self, attempt_key: str, intent: stripe.PaymentIntent, method: str) -> Answer:
        async def done() -> Answer | None:
            return await self._answer(await self._read(intent.id))

        async def confirm(options: Any) -> Answer | None:  # noqa: ANN401 - the library's request options
            # Whom nobody can ask for a second factor is not left waiting for one.
            way = {"use_stripe_sdk": True} if self._asks_customer else {"error_on_requires_action": True}
            asked: Any = {"payment_method": method, **way, **EXPAND}
            try:
                return await self._answer(await self._intents.confirm_async(intent.id, asked, options))
            except stripe.CardError as error:
                return declined(error.code, _decline_code(error))
            except stripe.InvalidRequestError as error:
                if error.param == "payment_method":  # no such token, or one that was used up
                    return declined("invalid_account")
                raise

        answer = await once(f"{attempt_key}:confirm", done, confirm, looked=True)
        if answer is None:
            raise GatewayTimeout("the intent was confirmed and does not say so yet")
        return answer

    async def _answer(self, intent: stripe.PaymentIntent) -> Answer | None:
        """What an intent says of its attempt; None while nothing was tried. Raises GatewayPending."""
        match intent.status:
            case "requires_capture" | "succeeded":
                return Authorized(reference_in(intent.id), held_until(intent))
            case "requires_payment_method":
                error = intent.last_payment_error
                return None if error is None else declined(error.code, error.decline_code)
            case "requires_confirmation":
                return None
            case "canceled":
                return _cancelled(intent)
            case "requires_action" if self._asks_customer:
                return ActionRequired(reference_in(intent.id))
            case "requires_action" if self._now_ms() / 1_000 - intent.created > PENDING_MAX_S:
                await self.void(f"{intent.id}:not-in-time", reference=intent.id)
                return declined(_NOT_IN_TIME)
            case "requires_action" | "processing":
                raise GatewayPending(f"the payment is {intent.status}")
            case status:
                raise GatewayRefused(f"this build does not know an intent that is {status}")

    async def _read(self, intent_id: str) -> stripe.PaymentIntent:
        return await called(self._intents.retrieve_async(intent_id, EXPAND), writes=False)


def _cancelled(intent: stripe.PaymentIntent) -> Declined:
    """Nothing is held any more, and nothing was taken: for the order the same as a no."""
    return declined(
        "fraudulent" if intent.cancellation_reason == "fraudulent" else f"canceled_{intent.cancellation_reason}"
    )


def _decline_code(error: stripe.CardError) -> str | None:
    return None if error.error is None else error.error.decline_code
