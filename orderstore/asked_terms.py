"""The rules that an order goes by, as a request may ask for them; what it does not ask for is as the deployment has it. Pure."""

from dataclasses import replace
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

USUAL: Final = Terms()
"""What an order goes by that says nothing of it. It is history: another default is a setting, never a change here."""


class AskedTerms(WireRequest):
    """The rules for this order, where they are not to be the deployment's own; times are in seconds. A review can be asked for, and not
    be waived where every order is reviewed."""

    missing_stock: Literal["refuse", "ask", "backorder", "cancel_lines"] | None = None
    charge: Literal["per_order", "per_shipment"] | None = None
    payment_retry_s: Annotated[int | None, Field(strict=True, ge=0, le=PAYMENT_RETRY_S_MAX), Whole] = None
    reservation_s: Annotated[int | None, Field(strict=True, ge=0, le=RESERVATION_S_MAX), Whole] = None
    answer_s: Annotated[int | None, Field(strict=True, ge=ANSWER_S_MIN, le=ANSWER_S_MAX), Whole] = None
    review: Annotated[bool | None, Field(strict=True)] = None


def terms_of(asked: AskedTerms | None, usual: Terms) -> Terms | None:
    """What the order keeps; None where that is what holds for orders that keep none."""
    if asked is None:
        return None if usual == USUAL else usual
    chosen = {name: value for name, value in asked.model_dump().items() if value is not None}
    terms = replace(usual, **{**chosen, "review": usual.review or bool(asked.review)})
    return None if terms == USUAL else terms


def understood_terms(asked: dict[str, Any]) -> dict[str, Any]:
    """What was asked for, without what was not: so two requests that mean the same are the same."""
    return {name: value for name, value in asked.items() if value is not None}
