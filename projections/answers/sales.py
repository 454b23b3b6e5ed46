"""What was sold day by day: the totals of `projections/views/daily_sales.py`, of one tenant, as people read them.

Totals have names, and no list of the names: so a range of days is asked for in every currency that it may have been sold in. That is why it
is bounded, and why a long range names its currencies.
"""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any, Final

import anyio

from orderstore.domain.money import CURRENCIES, major
from projections.answers.current_generations import CurrentGenerations
from projections.answers.orders import in_our_words
from projections.answers.ports import Document
from projections.view_store import ViewStore
from projections.views import daily_figures, daily_sales

DAYS_MAX: Final = 366
BUCKETS_MAX: Final = 1_464
"""Days times currencies of one question: a year in four of them."""
QUESTIONS_AT_ONCE: Final = 2

Totals = Mapping[str, int]


class TooMuchAsked(ValueError):
    """Days times currencies pass BUCKETS_MAX."""


class SalesQueries:
    """See `projections.answers.ports.SalesReader`. Few questions are answered at once, the others wait: each is thousands of rows."""

    def __init__(self, store: ViewStore, *, tenant: str, generations: CurrentGenerations) -> None:
        self._store = store
        self._tenant = tenant
        self._generations = generations
        self._at_once = anyio.Semaphore(QUESTIONS_AT_ONCE)

    async def sales(self, first: date, last: date, currencies: Sequence[str]) -> Sequence[Document]:
        """Every day and currency with anything in it, by day and currency. Raises ViewsUnavailable."""
        wanted = buckets_of(first, last, currencies)
        async with self._at_once:
            with in_our_words():
                generation = (await self._generations.now())[daily_figures.NAME]
                names = {generation.sum_key(self._tenant, bucket): bucket for bucket in wanted}
                totals = await self._store.totals(list(names))
        found = {names[name]: amounts for name, amounts in totals.items()}
        return [
            {"day": day.isoformat(), "currency": currency, **figures(found[bucket], currency)}
            for bucket, (day, currency) in wanted.items()
            if any(found.get(bucket, {}).values())
        ]


def buckets_of(first: date, last: date, currencies: Sequence[str]) -> dict[str, tuple[date, str]]:
    """The buckets of each day and currency, by day. Raises TooMuchAsked; no currencies are all of them."""
    days = (last - first).days + 1
    named = sorted(set(currencies)) or sorted(CURRENCIES)
    if days * len(named) > BUCKETS_MAX:
        raise TooMuchAsked(f"{days} days in {len(named)} currencies are more than can be added up at once")
    return {
        daily_sales.bucket(day, currency): (day, currency)
        for day in (first + timedelta(days=number) for number in range(days))
        for currency in named
    }


def figures(totals: Totals, currency: str) -> dict[str, Any]:
    """Each kind of figure: how many, and what they came to, in minor units and as text."""
    return {kind: _figure(totals, kind, currency) for kind in daily_sales.KINDS}


def together(items: Sequence[Document]) -> list[dict[str, Any]]:
    """The same figures over all days, by currency."""
    summed: dict[str, dict[str, int]] = {}
    for item in items:
        into = summed.setdefault(item["currency"], {})
        for kind in daily_sales.KINDS:
            for measure, amount in (
                (daily_sales.count_of(kind), item[kind]["count"]),
                (daily_sales.minor_of(kind), item[kind]["amountMinor"]),
            ):
                into[measure] = into.get(measure, 0) + amount
    return [{"currency": currency, **figures(summed[currency], currency)} for currency in sorted(summed)]


def _figure(totals: Totals, kind: str, currency: str) -> dict[str, Any]:
    amount_minor = totals.get(daily_sales.minor_of(kind), 0)
    return {
        "count": totals.get(daily_sales.count_of(kind), 0),
        "amountMinor": amount_minor,
        "amount": major(amount_minor, currency),
    }
