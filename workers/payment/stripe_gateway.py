"""Stripe as a payment gateway: one PaymentIntent for each attempt, made and written down before it is confirmed.

    create (no money) ── keep its id ──> confirm (the money) ──> capture | cancel, refunds

Only `confirm` moves money, and only on the intent that stands in the `IntentBook`. An intent succeeds at most once, so no time-out,
forgotten idempotency key, second worker or redrive two weeks later charges twice; and `find` asks for that intent by its id, which
Stripe answers consistently. Searching by metadata would not do: what was just made may be missing for up to an hour.
Sources: docs.stripe.com/payments/paymentintents/lifecycle, docs.stripe.com/api/payment_intents/search.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

import stripe

from orderstore.domain.money import Money
from workers.payment.gateway import (
    Authorized,
    Declined,
    GatewayPending,
    GatewayRefused,
    GatewayTimeout,
    GatewayUnavailable,
    HoldExpired,
    PaymentGateway,
    Result,
)
from workers.payment.stripe_amounts import NotChargeable, stripe_amount
from workers.payment.stripe_answers import reference_in, understood
from workers.payment.stripe_declines import declined
from workers.payment.stripe_http import ServerFault, metadata_of, raise_translated
from workers.payment.stripe_intents import IntentBook

# The keys of our metadata, by which webhooks and the reconciliation know their own.
ATTEMPT: Final = "orderstore_attempt"
ORDER: Final = "orderstore_order"
REFUND: Final = "orderstore_refund"

PENDING_MAX_S: Final = 3_600.0
"""How long an intent may wait for its customer, who has no way to act yet, before it is cancelled and counts as a soft decline."""
KEYS_MAX: Final = 5
"""Stored 5xx answers of one call that are stepped over, each after asking what became of it."""
REFUND_PAGES_MAX: Final = 20
_PAGE: Final = 100
# docs.stripe.com/error-codes; nothing is made then.
_NO_SUCH_AMOUNT: Final = ("amount_too_small", "amount_too_large")
_NOT_IN_TIME: Final = "authentication_not_completed"
_T = TypeVar("_T")


class StripeGateway(PaymentGateway):
    """`now_ms` is the wall clock in milliseconds since 1970: it is compared with Stripe's own `created`."""

    def __init__(self, client: stripe.StripeClient, book: IntentBook, *, now_ms: Callable[[], int]) -> None:
        self._intents = client.v1.payment_intents
        self._refunds = client.v1.refunds
        self._book = book
        self._now_ms = now_ms

    @understood(writes=True)
    async def authorize(
        self, attempt_key: str, *, amount: Money, order_reference: str, capture: bool, method: str | None
    ) -> Result:
        """See `PaymentGateway.authorize`. An order without a payment method, or with an amount that Stripe does not take, is declined."""
        if method is None:
            return declined("payment_method_missing")
        try:
            wanted = {"amount": stripe_amount(amount), "currency": amount.currency.lower()}
        except NotChargeable:
            return declined("invalid_amount")
        wanted["capture_method"] = "automatic" if capture else "manual"
        try:
            intent = await self._intent(attempt_key, wanted, order_reference)
        except NotChargeable:
            return declined("invalid_amount")
        if any(getattr(intent, name) != value for name, value in wanted.items()):
            raise GatewayRefused("the attempt was begun with another amount, currency or way to capture")
        return await self._result(intent) or await self._confirmed(attempt_key, intent, method)

    @understood(writes=False)
    async def find(self, attempt_key: str) -> Result | None:
        """See `PaymentGateway.find`: nothing stands in the book, or the intent was never confirmed, means that nothing was charged."""
        intent_id = await self._book.find(attempt_key)
        return None if intent_id is None else await self._result(await self._read(intent_id))

    @understood(writes=True)
    async def capture(self, key: str, *, reference: str, amount: Money) -> str:
        """See `PaymentGateway.capture`. Raises HoldExpired."""
        wanted = stripe_amount(amount)

        async def done() -> str | None:
            intent = await self._read(reference)
            if intent.status == "canceled":
                raise HoldExpired(
                    f"the hold ended before it was taken: {intent.cancellation_reason or 'no reason given'}"
                )
            if intent.status == "requires_capture":
                return None
            if intent.status != "succeeded" or intent.amount_received != wanted:
                raise GatewayRefused(f"cannot capture: the intent is {intent.status}, or another amount was taken")
            return _charge_of(intent)

        async def capture(options: Any) -> str:  # noqa: ANN401 - the library's request options
            return _charge_of(await self._intents.capture_async(reference, {"amount_to_capture": wanted}, options))

        return await self._once(key, done, capture, looked=True)

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

        await self._once(key, done, cancel, looked=True)

    @understood(writes=True)
    async def refund(self, key: str, *, reference: str, amount: Money) -> str:
        """See `PaymentGateway.refund`. A refund that Stripe could not deliver in the end is refused: a person must pay it otherwise."""
        try:
            wanted = stripe_amount(amount)
        except NotChargeable as error:
            raise GatewayRefused(f"cannot refund: {error}") from error

        async def done() -> str | None:
            return await self._refunded(key, reference, wanted)

        async def create(options: Any) -> str:  # noqa: ANN401 - the library's request options
            asked: Any = {"payment_intent": reference, "amount": wanted, "metadata": {REFUND: key}}
            return _checked(await self._refunds.create_async(asked, options), wanted)

        return await self._once(key, done, create)

    async def _intent(self, attempt_key: str, wanted: dict[str, Any], order_reference: str) -> stripe.PaymentIntent:
        """The attempt's one intent. One that is made and gets lost on the way was never confirmed: it holds nothing, and is nobody's.

        Raises NotChargeable for an amount that Stripe refuses: less than its minimum of the currency, or more than its maximum.
        """
        kept = await self._book.find(attempt_key)
        if kept is not None:
            return await self._read(kept)
        known = {ATTEMPT: attempt_key, ORDER: order_reference}
        asked: Any = {**wanted, "payment_method_types": ["card"], "metadata": known}

        async def create(options: Any) -> stripe.PaymentIntent:  # noqa: ANN401 - the library's request options
            try:
                return await self._intents.create_async(asked, options)
            except stripe.InvalidRequestError as error:
                if error.param == "amount" or error.code in _NO_SUCH_AMOUNT:
                    raise NotChargeable("Stripe does not take this amount") from error
                raise

        made = await self._once(f"{attempt_key}:create", _nothing, create, looked=True)
        kept = await self._book.keep(attempt_key, reference_in(made.id))
        return made if kept == made.id else await self._read(kept)

    async def _confirmed(self, attempt_key: str, intent: stripe.PaymentIntent, method: str) -> Result:
        async def done() -> Result | None:
            return await self._result(await self._read(intent.id))

        async def confirm(options: Any) -> Result | None:  # noqa: ANN401 - the library's request options
            # Whom nobody can ask for a second factor is not left waiting for one.
            asked: Any = {"payment_method": method, "error_on_requires_action": True}
            try:
                return await self._result(await self._intents.confirm_async(intent.id, asked, options))
            except stripe.CardError as error:
                return declined(error.code, _decline_code(error))
            except stripe.InvalidRequestError as error:
                if error.param == "payment_method":  # no such token, or one that was used up
                    return declined("invalid_account")
                raise

        result = await self._once(f"{attempt_key}:confirm", done, confirm, looked=True)
        if result is None:
            raise GatewayTimeout("the intent was confirmed and does not say so yet")
        return result

    async def _result(self, intent: stripe.PaymentIntent) -> Result | None:
        """What an intent says of its attempt; None while nothing was tried. Raises GatewayPending."""
        match intent.status:
            case "requires_capture" | "succeeded":
                return Authorized(reference_in(intent.id))
            case "requires_payment_method":
                error = intent.last_payment_error
                return None if error is None else declined(error.code, error.decline_code)
            case "requires_confirmation":
                return None
            case "canceled":
                return _cancelled(intent)
            case "requires_action" if self._now_ms() / 1_000 - intent.created > PENDING_MAX_S:
                await self.void(f"{intent.id}:not-in-time", reference=intent.id)
                return declined(_NOT_IN_TIME)
            case "requires_action" | "processing":
                raise GatewayPending(f"the payment is {intent.status}")
            case status:
                raise GatewayRefused(f"this build does not know an intent that is {status}")

    async def _refunded(self, key: str, reference: str, wanted: int) -> str | None:
        """The refund that was made for `key`, if any: a list by intent, which is consistent, however long ago it was."""
        after: dict[str, str] = {}
        for _ in range(REFUND_PAGES_MAX):
            asked: Any = {"payment_intent": reference, "limit": _PAGE, **after}
            page = await self._call(self._refunds.list_async(asked), writes=False)
            for refund in page.data:
                if metadata_of(refund).get(REFUND) == key:
                    return _checked(refund, wanted)
            if not page.has_more:
                return None
            if after == {"starting_after": page.data[-1].id}:
                raise GatewayUnavailable("Stripe's list does not go on: a page ends where the one before it did")
            after = {"starting_after": page.data[-1].id}
        raise GatewayRefused(f"a payment has more than {REFUND_PAGES_MAX * _PAGE} refunds")

    async def _once(
        self,
        key: str,
        done: Callable[[], Awaitable[_T | None]],
        act: Callable[[Any], Awaitable[_T]],
        *,
        looked: bool = False,
    ) -> _T:
        """Do it under the key unless it is done. `looked`: the intent's own state refuses a second time, so nobody has to look first.

        A 5xx is stored under its key and given again for a day: once we know what became of it, the next key is taken. Where the state
        is not the one that was thought of, somebody else was faster, or it was done long ago, and it is looked at.
        """
        for number in range(1, KEYS_MAX + 1):
            found = None if looked and number == 1 else await done()
            if found is not None:
                return found
            options = {"idempotency_key": key if number == 1 else f"{key}:{number}"}
            try:
                return await self._call(act(options), writes=True)
            except ServerFault as fault:
                if not fault.replayed:
                    raise
            except GatewayRefused:
                found = await done()
                if found is not None:
                    return found
                raise
        raise GatewayTimeout(f"Stripe's stored answers under {KEYS_MAX} keys are all faults")

    async def _read(self, intent_id: str) -> stripe.PaymentIntent:
        return await self._call(self._intents.retrieve_async(intent_id), writes=False)

    async def _call(self, call: Awaitable[_T], *, writes: bool) -> _T:
        try:
            return await call
        except stripe.StripeError as error:
            raise_translated(error, writes=writes)


async def _nothing() -> None:
    """An intent that was made and not kept is not looked for."""


def _cancelled(intent: stripe.PaymentIntent) -> Declined:
    """Nothing is held any more, and nothing was taken: for the order the same as a no."""
    return declined(
        "fraudulent" if intent.cancellation_reason == "fraudulent" else f"canceled_{intent.cancellation_reason}"
    )


def _checked(refund: stripe.Refund, wanted: int) -> str:
    if refund.amount != wanted:
        raise GatewayRefused("the key was used for another refund")
    if refund.status in ("failed", "canceled"):
        raise GatewayRefused(f"the refund {refund.id} is {refund.status}: pay it in another way")
    return reference_in(refund.id)


def _charge_of(intent: stripe.PaymentIntent) -> str:
    charge = intent.latest_charge
    return reference_in(intent.id if charge is None else charge if isinstance(charge, str) else charge.id)


def _decline_code(error: stripe.CardError) -> str | None:
    return None if error.error is None else error.error.decline_code
