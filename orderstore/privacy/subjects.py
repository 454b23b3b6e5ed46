"""Whose key seals what: the names of keys. A name carries everything that must be known of a key without a look at anything else.

    customer:<customer id>                   operational: contact data and whatever the customer writes; destroyed on request
    guest:<order id>                         the same for an order without a customer
    fiscal:<year>:customer:<customer id>     what the invoices of that year must show by law; destroyed when the law lets it go
    fiscal:<year>:guest:<order id>

No name is another's: a customer's id comes last and may hold anything, what stands before it is ours.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

KeyClass = Literal["operational", "fiscal"]
"""Operational keys are erased on request; fiscal ones must outlive the request until the law lets them go."""

ONE_DAY: Final = timedelta(days=1)
_FISCAL: Final = re.compile(r"fiscal:([0-9]{4}):(?=customer:|guest:)", re.ASCII)


def operational_subject(customer_id: str | None, order_id: str) -> str:
    """Whose key seals the personal data of an order: the customer's, or the order's own for a guest."""
    return f"guest:{order_id}" if customer_id is None else f"customer:{customer_id}"


def fiscal_subject(operational: str, year: int) -> str:
    """Whose key seals what the invoices that are issued to the same person in `year` must show."""
    return f"fiscal:{year:04d}:{operational}"


def key_class_of(subject: str) -> KeyClass:
    """The class of a subject's key."""
    return "operational" if fiscal_year_of(subject) is None else "fiscal"


def fiscal_year_of(subject: str) -> int | None:
    """The year of a fiscal key; None for an operational one."""
    found = _FISCAL.match(subject)
    return None if found is None else int(found[1])


def last_year_kept(fiscal_year: int, retention_years: int) -> int:
    """The year with whose end a fiscal key's time is over: the period runs from the end of the year in which the invoice was issued
    (as § 147 (4) of the German Abgabenordnung counts it)."""
    return fiscal_year + retention_years


def may_expire(subject: str, *, now: datetime, retention_years: int) -> bool:
    """Whether the law lets the subject's fiscal key go; never true of an operational one. It waits a day longer, so that the year is over
    wherever the books are kept."""
    year = fiscal_year_of(subject)
    return year is not None and (now.astimezone(UTC) - ONE_DAY).year > last_year_kept(year, retention_years)
