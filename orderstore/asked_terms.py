"""The rules that an order goes by, as a request may ask for them; what it does not ask for is as the deployment has it. Pure."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from orderstore.domain.events import Terms
from orderstore.request_fields import Whole
from orderstore.wire import WireRequest

PAYMENT_RETRY_S_MAX: Final = 30 * 86_400
"""Visa counts the tries of one payment over 30 days."""
RESERVATION_S_MAX: Final = 44_640 * 60
"""31 days: as long as commercetools keeps a reservation at most."""
ANSWER_S_MIN: Final = 60
ANSWER_S_MAX: Final = 30 * 86_400
GRACE_S_MAX: Final = 86_400
SHIP_WITHIN_S_MIN: Final = 60
SHIP_WITHIN_S_MAX: Final = 366 * 86_400
SHIP_WITHIN_S: Final = 30 * 86_400
"""16 CFR 435.2(a): what holds where no time was stated."""

_PROMISED: Final = {"grace_s", "ship_within_s"}

USUAL: Final = Terms()
"""What an order goes by that says nothing of it. It is history: another default is a setting, never a change here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Promises:
    """What is promised of an order from the moment on at which it is accepted; it keeps the moments that follow
    (`OrderCreated.grace_until`, `ship_by`). For `grace_s` nobody begins with it (0: the work begins at once); within `ship_within_s` all of
    it is to have left, or the customer is asked whether to wait longer (0: nothing is promised)."""

    grace_s: int = 0
    ship_within_s: int = 0


NOTHING_PROMISED: Final = Promises()


class AskedTerms(WireRequest):
    """The rules for this order, where they are not to be the deployment's own; times are in seconds. A review can be asked for, and not
    be waived where every order is reviewed. `graceS`: for so long nobody begins with the order; `shipWithinS`: by then all of it is to have
    left, or the customer is asked whether to wait longer."""

    missing_stock: Literal["refuse", "ask", "backorder", "cancel_lines"] | None = None
    charge: Literal["per_order", "per_shipment"] | None = None
    payment_retry_s: Annotated[int | None, Field(strict=True, ge=0, le=PAYMENT_RETRY_S_MAX), Whole] = None
    reservation_s: Annotated[int | None, Field(strict=True, ge=0, le=RESERVATION_S_MAX), Whole] = None
    answer_s: Annotated[int | None, Field(strict=True, ge=ANSWER_S_MIN, le=ANSWER_S_MAX), Whole] = None
    review: Annotated[bool | None, Field(strict=True)] = None
    grace_s: Annotated[int | None, Field(strict=True, ge=0, le=GRACE_S_MAX), Whole] = None
    ship_within_s: Annotated[int | None, Field(strict=True, ge=SHIP_WITHIN_S_MIN, le=SHIP_WITHIN_S_MAX), Whole] = None


def terms_of(asked: AskedTerms | None, usual: Terms) -> Terms | None:
    """What the order keeps; None where that is what holds for orders that keep none."""
    if asked is None:
        return None if usual == USUAL else usual
    said = asked.model_dump(exclude=_PROMISED)
    chosen = {name: value for name, value in said.items() if value is not None}
    terms = replace(usual, **{**chosen, "review": usual.review or bool(asked.review)})
    return None if terms == USUAL else terms


def moments_of(asked: AskedTerms | None, usual: Promises, *, now: datetime) -> tuple[datetime | None, datetime | None]:
    """Until when nobody begins with an order that is accepted `now`, and by when it is to have left; None for what is not promised."""
    grace_s = usual.grace_s if asked is None or asked.grace_s is None else asked.grace_s
    ship_within_s = usual.ship_within_s if asked is None or asked.ship_within_s is None else asked.ship_within_s
    return _after(now, grace_s), _after(now, ship_within_s)


def _after(now: datetime, seconds: int) -> datetime | None:
    return now + timedelta(seconds=seconds) if seconds else None


def understood_terms(asked: dict[str, Any]) -> dict[str, Any]:
    """What was asked for, without what was not: so two requests that mean the same are the same."""
    return {name: value for name, value in asked.items() if value is not None}
