"""The payment provider as the worker sees it, and what can go wrong with it.

GatewayError
├── GatewayTimeout       the outcome is unknown: the money may have moved. Never a decline.
├── GatewayPending       it has taken the payment and has not decided yet: ask again later. Never a decline.
├── GatewayUnavailable   not reached, or it refused to take work: nothing has happened
└── GatewayRefused       it understood and says no (key reused, wrong state): for a person
    ├── HoldExpired      what was held is no longer held: it was let go before it was taken
    └── TakenOnce        of this payment money is taken once only, and the rest of it is let go with that
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from orderstore.domain.events import DeclineCategory, OrderCreated
from orderstore.domain.money import Money


class GatewayError(Exception):
    """The provider gave no usable answer."""


class GatewayTimeout(GatewayError):
    """No answer in time, or the connection broke after the request was sent."""


class GatewayPending(GatewayError):
    """The provider is at work on the payment, or waits for somebody: there is no outcome yet."""


class GatewayUnavailable(GatewayError):
    """The request was not taken: connection refused, too many requests, our API key not accepted."""


REFUSED: Final = "refused"
"""The code of a refusal for which the provider has no word, or none that may be repeated."""


class GatewayRefused(GatewayError):
    """The provider does not accept the request as such. `code` is its own word, without personal or card data."""

    def __init__(self, text: str, *, code: str = REFUSED) -> None:
        super().__init__(text)
        self.code = code


class HoldExpired(GatewayRefused):
    """The hold ran out, or somebody cancelled it at the provider: there is nothing to take any more."""


class TakenOnce(GatewayRefused):
    """The card or the account does not let money be taken in parts. Nothing was taken."""


@dataclass(frozen=True, slots=True)
class Authorized:
    """The money is held, or has been taken where `capture` was asked for. `capture_before`: until when it is held, where the provider
    says so. `taken`: it has been taken, whatever was asked for."""

    reference: str
    capture_before: datetime | None = None
    taken: bool = False


@dataclass(frozen=True, slots=True)
class ActionRequired:
    """The provider waits for the customer (3-D Secure): no outcome, and never a decline. The shop finds the next step at the provider."""

    reference: str


@dataclass(frozen=True, slots=True)
class Taken:
    """Money that an attempt took."""

    reference: str
    amount: Money


@dataclass(frozen=True, slots=True)
class Declined:
    """The provider's business "no". `code` is its own word, without personal or card data."""

    category: DeclineCategory
    code: str


Result = Authorized | Declined
Answer = Result | ActionRequired


class PaymentGateway(Protocol):
    """One provider. Every method may raise `GatewayError`.

    Keys are idempotency keys: a repeat with the same key has no further effect and answers the same. Providers forget keys
    (Stripe after 24 hours) while a redrive may come two weeks later: an adapter must therefore also find what was done by
    a reference of its own, before it does it again.
    Source: docs.stripe.com/api/idempotent_requests.
    """

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
        """Hold the amount, or take it at once (`capture`), from what the provider's token `method` stands for. `in_parts`: it will be
        taken in several parts, if the provider lets that be."""
        ...

    async def capture(
        self, key: str, *, reference: str, amount: Money, before_minor: int = 0, final: bool = True
    ) -> str:
        """Take so much of what is held under `reference`; returns the provider's reference of the capture. `before_minor` is what was
        taken of it before, by which a repeat is known; `final`: what is left is let go. Raises HoldExpired, TakenOnce.
        """
        ...

    async def void(self, key: str, *, reference: str) -> None:
        """Let go what is held under `reference`."""
        ...

    async def refund(self, key: str, *, reference: str, amount: Money) -> str:
        """Give money back that was taken under `reference`; returns the provider's reference of the refund."""
        ...

    async def find(self, attempt_key: str) -> Answer | None:
        """What became of an attempt; None when the provider has never heard of it."""
        ...

    async def close(self, attempt_key: str) -> Taken | None:
        """End an attempt that another one follows: what it holds is let go, and it never holds or takes anything again. What it took
        stays, and is told."""
        ...


GatewayFor = Callable[[OrderCreated], PaymentGateway]
"""Chooses the gateway for an order. Only the sandbox's looks at the order's test hooks (`sandbox.SandboxPayments`)."""


def always(gateway: PaymentGateway) -> GatewayFor:
    """The same gateway for every order: a real provider never sees an order's test hooks."""
    return lambda _order: gateway
