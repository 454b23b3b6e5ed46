"""The query parameters of the reports, with their bounds."""

import re
from datetime import date
from typing import Annotated, Any, Final

from fastapi import Query
from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from orderstore.domain.money import CURRENCIES, is_currency
from projections.answers import business_report
from projections.answers.ports import ExceptionKind
from projections.answers.sales import BUCKETS_MAX, DAYS_MAX
from projections.http.places import PAGE_ITEMS, Asked, Cursor, Limit, contradiction

CURRENCIES_NAMED_MAX: Final = 10
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def _day(text: object) -> date:
    told = str(text)
    try:
        if _DAY.fullmatch(told):
            return date.fromisoformat(told)
    except ValueError:
        pass
    raise PydanticCustomError("not_a_day", "a day of the calendar such as 2026-03-01")


def _currencies(codes: tuple[str, ...]) -> tuple[str, ...]:
    if not all(map(is_currency, codes)):
        raise PydanticCustomError("unknown_currency", "an ISO 4217 code that orders are placed in, such as EUR")
    return codes


def _in_json_schema(**schema: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON Schema
    return schema


Day = Annotated[date, BeforeValidator(_day), Field(json_schema_extra=_in_json_schema(type="string", format="date"))]


class ExceptionsAsked(Asked):
    """`GET /exceptions`."""

    kind: Annotated[
        ExceptionKind,
        Field(
            description="`stalled`: late with its outcomes, its dispatch or its delivery. `compensation_failed`: late with being undone "
            "or with a refund. `held`: somebody stopped it. `cancellation_declined`: too late to be undone, the goods had left. "
            "`review`, `return`: somebody is to look at it, or at what comes back. `payment_unknown`: nobody knows what became of the "
            "payment. `unpaid`: the money is held no longer, and was not taken. `refund_failed`: the provider could not give it back. "
            "`dispute`: the bank takes it back. `shipment_failed`: the carrier will not bring it. `discrepancy`: two places that should "
            "agree do not. `parked`: its events could not be projected or published."
        ),
    ]
    cursor: Cursor = None
    limit: Limit = PAGE_ITEMS


Currencies = Annotated[
    tuple[str, ...],
    Field(
        alias="currency",
        max_length=CURRENCIES_NAMED_MAX,
        description="Only sales in this currency; it may be repeated for several. Without any: in all; a long range has to name them.",
        json_schema_extra=_in_json_schema(items={"type": "string", "pattern": "^[A-Z]{3}$"}),
    ),
    AfterValidator(_currencies),
]


class SalesAsked(Asked):
    """`GET /sales`."""

    from_: Annotated[Day, Field(alias="from", description="The first day (UTC), such as 2026-03-01.")]
    to: Annotated[Day, Field(description=f"The last day (UTC), which is included; at most {DAYS_MAX} days in all.")]
    currencies: Currencies = ()

    def check(self) -> None:
        """Raises Problem: such a range cannot be meant, or is too long."""
        if self.to < self.from_:
            contradiction("the range ends before it begins", "from", "to")
        days = (self.to - self.from_).days + 1
        if days > DAYS_MAX:
            contradiction(f"{days} days; at most {DAYS_MAX} can be asked for at once", "from", "to")
        _bounded(days, self.currencies, "from", "to", "currency")


class BusinessAsked(Asked):
    """`GET /business`."""

    days: Annotated[
        int, Field(ge=1, le=business_report.DAYS_MAX, description="How many days (UTC), of which today is the last.")
    ] = business_report.DAYS_SHOWN
    currencies: Currencies = ()

    def check(self) -> None:
        """Raises Problem: too much at once."""
        _bounded(self.days, self.currencies, "days", "currency")


def _bounded(days: int, currencies: tuple[str, ...], *names: str) -> None:
    if days * (len(set(currencies)) or len(CURRENCIES)) > BUCKETS_MAX:
        contradiction(
            f"{days} days in every currency, or in so many, are too much at once: name the currencies, or a shorter range",
            *names,
        )


ExceptionsQuery = Annotated[ExceptionsAsked, Query()]
SalesQuery = Annotated[SalesAsked, Query()]
BusinessQuery = Annotated[BusinessAsked, Query()]
