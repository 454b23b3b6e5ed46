"""How Stripe is asked to do something once: under an idempotency key, and after a look at what has become of it."""

from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

import stripe

from workers.payment.gateway import GatewayRefused, GatewayTimeout
from workers.payment.stripe_http import ServerFault, raise_translated

# The keys of our metadata, by which webhooks and the reconciliation know their own.
ATTEMPT: Final = "orderstore_attempt"
ORDER: Final = "orderstore_order"
REFUND: Final = "orderstore_refund"

KEYS_MAX: Final = 5
"""Stored 5xx answers of one call that are stepped over, each after asking what became of it."""
PAGE: Final = 100
_T = TypeVar("_T")


async def called(call: Awaitable[_T], *, writes: bool) -> _T:
    """Its answer. Raises GatewayError."""
    try:
        return await call
    except stripe.StripeError as error:
        raise_translated(error, writes=writes)


async def once(
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
            return await called(act(options), writes=True)
        except ServerFault as fault:
            if not fault.replayed:
                raise
        except GatewayRefused:
            found = await done()
            if found is not None:
                return found
            raise
    raise GatewayTimeout(f"Stripe's stored answers under {KEYS_MAX} keys are all faults")


async def nothing() -> None:
    """Nothing is looked for."""
