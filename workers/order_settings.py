"""What orders go by that are placed from now on, where a request does not say otherwise. Part of `Settings`."""

from dataclasses import dataclass
from typing import Final, Literal

from orderstore.asked_terms import (
    ANSWER_S_MAX,
    ANSWER_S_MIN,
    GRACE_S_MAX,
    PAYMENT_RETRY_S_MAX,
    RESERVATION_S_MAX,
    SHIP_WITHIN_S,
    SHIP_WITHIN_S_MAX,
    USUAL,
    Promises,
)
from orderstore.domain.allowances import DEFAULTS, LONGEST_S, OUTCOMES_LONGEST_S, SHORTEST_S
from orderstore.domain.events import Allowances, Terms
from orderstore.withdrawal import DAYS
from workers.variables import choice, count, setting, switch

RETURN_DAYS_MAX: Final = 3_650
_allowance: Final = count(SHORTEST_S, LONGEST_S)


# Without slots: of several bases of one class, only one can have them.
@dataclass(frozen=True, kw_only=True)
class OrderSettings:
    """One environment variable a field, as in `Settings`. An order keeps the terms that it was placed with."""

    terms_missing_stock: Literal["refuse", "ask", "backorder", "cancel_lines"] = setting(
        choice("refuse", "ask", "backorder", "cancel_lines"),
        "what becomes of an order of which some pieces are not there",
        default=USUAL.missing_stock,
        business=True,
    )
    terms_charge: Literal["per_order", "per_shipment"] = setting(
        choice("per_order", "per_shipment"),
        "whether the money of an order is taken with its first parcel, or that of each parcel when it leaves",
        default=USUAL.charge,
        business=True,
    )
    terms_payment_retry_s: int = setting(
        count(0, PAYMENT_RETRY_S_MAX),
        "how long a customer may try again after a decline that is not final; 0: every decline is",
        default=USUAL.payment_retry_s,
        unit="s",
        business=True,
    )
    terms_reservation_s: int = setting(
        count(0, RESERVATION_S_MAX),
        "how long goods stay set aside for an order that is not paid for; 0: until that is decided",
        default=USUAL.reservation_s,
        unit="s",
        business=True,
    )
    terms_answer_s: int = setting(
        count(ANSWER_S_MIN, ANSWER_S_MAX),
        "how long a customer may take to answer a question",
        default=USUAL.answer_s,
        unit="s",
        business=True,
    )
    terms_review: bool = setting(
        switch, "whether somebody looks at every order before its goods leave", default=USUAL.review, business=True
    )
    terms_grace_s: int = setting(
        count(0, GRACE_S_MAX),
        "how long nobody begins with a new order, so that a cancellation undoes nothing; 0: the work begins at once",
        default=0,
        unit="s",
        business=True,
    )
    terms_ship_within_s: int = setting(
        count(0, SHIP_WITHIN_S_MAX),
        "by when all of a new order is to have left, or its customer is asked whether to wait (16 CFR 435.2: 30 days); 0: never",
        default=SHIP_WITHIN_S,
        unit="s",
        business=True,
    )
    allowed_outcomes_s: int = setting(
        count(SHORTEST_S, OUTCOMES_LONGEST_S),
        "how long payment and stock may take to answer before an order counts as stalled",
        default=DEFAULTS.outcomes_s,
        unit="s",
        business=True,
    )
    allowed_dispatch_s: int = setting(
        _allowance,
        "how long a confirmed order may wait for its dispatch; holds do not count",
        default=DEFAULTS.dispatch_s,
        unit="s",
        business=True,
    )
    allowed_delivery_s: int = setting(
        _allowance, "how long a parcel may be on its way", default=DEFAULTS.delivery_s, unit="s", business=True
    )
    allowed_undo_s: int = setting(
        _allowance,
        "how long a cancellation may take until everything is given back",
        default=DEFAULTS.undo_s,
        unit="s",
        business=True,
    )
    allowed_refund_s: int = setting(
        _allowance,
        "how long a refund may take once it was asked for",
        default=DEFAULTS.refund_s,
        unit="s",
        business=True,
    )
    return_days: int = setting(
        count(0, RETURN_DAYS_MAX),
        "how long after its delivery an order may come back without a person deciding on it; 0: a person always does",
        default=DAYS,
        unit="days",
        business=True,
    )

    delay_consent_s: int = setting(
        count(0, LONGEST_S),
        "how far a carrier may move the day that a parcel leaves before the customer is asked (16 CFR 435.2: 30 days)",
        default=30 * 86_400,
        unit="s",
        business=True,
    )

    @property
    def terms(self) -> Terms:
        """The rules of an order whose request asks for none."""
        return Terms(
            missing_stock=self.terms_missing_stock,
            charge=self.terms_charge,
            payment_retry_s=self.terms_payment_retry_s,
            reservation_s=self.terms_reservation_s,
            answer_s=self.terms_answer_s,
            review=self.terms_review,
        )

    @property
    def promises(self) -> Promises:
        """What an order is promised whose request says nothing of it."""
        return Promises(grace_s=self.terms_grace_s, ship_within_s=self.terms_ship_within_s)

    @property
    def allowances(self) -> Allowances:
        """How long each stage of an order that is placed now may take."""
        return Allowances(
            outcomes_s=self.allowed_outcomes_s,
            dispatch_s=self.allowed_dispatch_s,
            delivery_s=self.allowed_delivery_s,
            undo_s=self.allowed_undo_s,
            refund_s=self.allowed_refund_s,
        )
