"""The business at a glance, for one tenant, as JSON values: where its orders stand now, and how the last days went.

The orders that stand somewhere are read from up to 400 days (3,200 read units), so that answer is shared for some seconds; the days that
are reported, and their sales, are read for each question.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from typing import Any, Final

from projections.answers.business import Days, Standing, Took, Totals, cohort, days_up_to, standing, together, took
from projections.answers.current_generations import CurrentGenerations
from projections.answers.orders import in_our_words
from projections.answers.ports import Document, SalesReader
from projections.answers.progress_days import ProgressDays
from projections.answers.sales import together as sales_together
from projections.shared_reads import SharedRead
from projections.view_store import ViewStore
from projections.views import daily_figures, progress

DAYS_MAX: Final = 92
DAYS_SHOWN: Final = 7
STANDING_KEPT_S: Final = 5.0


class BusinessQueries:
    """See `projections.answers.ports.BusinessReader`. `now_ms` is the wall clock: today is today by it, in UTC."""

    def __init__(
        self,
        store: ViewStore,
        sales: SalesReader,
        *,
        tenant: str,
        generations: CurrentGenerations,
        now_ms: Callable[[], int],
    ) -> None:
        self._sales = sales
        self._generations = generations
        self._now_ms = now_ms
        self._days = ProgressDays(store, tenant=tenant)
        self._standing = SharedRead(self._read_standing, kept_s=STANDING_KEPT_S, aged_from="end")

    async def business(self, days: int, currencies: Sequence[str]) -> Document:
        """Today and the days before it, `days` in all. Raises ViewsUnavailable, and TooMuchAsked as `SalesReader.sales` does."""
        today = self._today()
        reported = days_up_to(today, days)
        with in_our_words():
            generation = (await self._generations.now())[daily_figures.NAME]
            found = await self._days.of_days(generation, reported)
            stands = await self._standing.get()
        sold = await self._sales.sales(reported[-1], today, currencies)
        return report(today, reported, found, stands, sold)

    async def _read_standing(self) -> tuple[Standing, ...]:
        today = self._today()
        generation = (await self._generations.now())[daily_figures.NAME]
        return standing(await self._days.look(generation, today), today)

    def _today(self) -> date:
        return datetime.fromtimestamp(self._now_ms() / 1000, tz=UTC).date()


def report(
    today: date,
    reported: Sequence[date],
    days: Days,
    stands: Sequence[Standing],
    sold: Sequence[Document],
) -> dict[str, Any]:
    """The document of the API; `days` are those of `reported` on which anything happened. These names are the API's: they are written down
    here and nowhere derived."""
    return {
        "from": reported[-1].isoformat(),
        "to": today.isoformat(),
        "standing": [
            {
                "status": there.status,
                "orders": there.orders,
                "oldestSince": None if there.oldest is None else there.oldest.isoformat(),
                "ages": [{"age": age, "orders": orders} for age, orders in there.ages.items()],
            }
            for there in stands
        ],
        "days": [{"day": day.isoformat(), **_figures([days[day]])} for day in reported if day in days],
        "together": _figures(list(days.values())),
        "sales": sales_together(sold),
    }


def _figures(of_days: Sequence[Totals]) -> dict[str, Any]:
    summed = together(of_days)
    came = cohort(of_days)
    return {
        "happened": {outcome: summed.get(outcome, 0) for outcome in progress.HAPPENED},
        "ofThosePlaced": {
            "placed": came.placed,
            "completed": came.completed,
            "cancelled": came.cancelled,
            "rejected": came.rejected,
            "open": came.open,
            "successRate": came.success_rate,
        },
        "timeToConfirm": _took(took(of_days, "confirm")),
        "timeToShip": _took(took(of_days, "ship")),
    }


def _took(found: Took) -> dict[str, Any]:
    return {"orders": found.orders, "p50S": _rounded(found.p50_s), "p95S": _rounded(found.p95_s)}


def _rounded(seconds: float | None) -> float | None:
    """To the millisecond: more digits than that are the arithmetic's own."""
    return None if seconds is None else round(seconds, 3)
