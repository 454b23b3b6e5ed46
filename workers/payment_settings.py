"""What payments are told from outside: the secrets of the provider, when money is taken, how long a customer has. Part of `Settings`."""

from dataclasses import dataclass
from typing import Literal

from workers.variables import choice, count, secrets, setting, text


@dataclass(frozen=True, kw_only=True)
class PaymentSettings:
    """See `workers.settings.Settings`."""

    stripe_api_key: str | None = setting(
        text, "Stripe's secret key (sk_... or a restricted rk_...), for the payment role", default=None, secret=True
    )
    stripe_webhook_secret: str | None = setting(
        secrets,
        "the signing secret of Stripe's webhook endpoint (whsec_...), for the api role; two with a comma between them while it is rotated",
        default=None,
        secret=True,
    )
    stripe_api_base: str | None = setting(text, "another address than Stripe's, for tests", default=None)
    payment_capture: Literal["on_dispatch", "at_once"] = setting(
        choice("on_dispatch", "at_once"), "when authorised money is taken", default="on_dispatch", business=True
    )
    payment_action_s: int = setting(
        count(0, 604_800),
        "how long a customer may take for what the bank asks (3-D Secure); 0: a card whose bank asks is declined",
        default=86_400,
        unit="s",
        business=True,
    )
