"""What the totals of `progress` mean: who stands where and since when, how many came to a good end, how long it took. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from projections.views import progress
from projections.views.progress import OPEN, TIMED, OpenStatus

Totals = Mapping[str, int]
Days = Mapping[date, Totals]
"""The totals of each day on which anything happened."""

AGES: Final = (("0d", 0), ("1d", 1), ("2d", 2), ("3d-6d", 3), ("7d-13d", 7), ("14d-29d", 14), ("30d+", 30))
"""How old what stands somewhere is: a name, and from how many days (of the calendar, UTC) on: what came before midnight is 1d."""
DAYS_BACK: Final = 400
"""An order that stands where it stands for longer is counted nowhere; it has been in every list of exceptions for a year."""
QUANTILES: Final = (0.5, 0.95)
NOTHING: Final[Totals] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The orders in one status, and of these how many for how long (`AGES`); `oldest` is the day since which the oldest is there."""

    status: OpenStatus
    orders: int
    ages: Mapping[str, int]
    oldest: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Took:
    """How long it took `orders` of them (s): half at most `p50_s`, all but one in twenty at most `p95_s`; None without any."""

    orders: int
    p50_s: float | None
    p95_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cohort:
    """The orders that came on some days, and what has become of them by now, whenever that was."""

    placed: int
    completed: int
    cancelled: int
    rejected: int

    @property
    def open(self) -> int:
        """Those that have not come to an end."""
        return self.placed - self.completed - self.cancelled - self.rejected

    @property
    def success_rate(self) -> float | None:
        """Completed of placed; None when none came. It grows until the last of them has come to an end."""
        return self.completed / self.placed if self.placed else None


def standing(days: Days, today: date) -> tuple[Standing, ...]:
    """Every open status, also those in which nobody stands."""
    return tuple(_standing(days, today, status) for status in OPEN)


def _standing(days: Days, today: date, status: OpenStatus) -> Standing:
    measure = progress.standing(status)
    there = {day: orders for day, totals in days.items() if (orders := totals.get(measure, 0))}
    ages = {name: 0 for name, _ in AGES}
    for day, orders in there.items():
        ages[age_of((today - day).days)] += orders
    return Standing(status=status, orders=sum(there.values()), ages=ages, oldest=min(there, default=None))


def age_of(days: int) -> str:
    """The name of an age. A day that is still to come, by a clock that is ahead of ours, is today."""
    return next(name for name, at_least in reversed(AGES) if max(0, days) >= at_least)


def cohort(of_days: Iterable[Totals]) -> Cohort:
    """The orders that came on these days."""
    summed = together(of_days)
    return Cohort(
        placed=summed.get("placed", 0),
        completed=summed.get(progress.of_day("completed"), 0),
        cancelled=summed.get(progress.of_day("cancelled"), 0),
        rejected=summed.get(progress.of_day("rejected"), 0),
    )


def took(of_days: Iterable[Totals], timed: str) -> Took:
    """How long those took that were confirmed (`confirm`), or whose first parcel left (`ship`), on these days."""
    bounds = TIMED[timed]
    counts = tuple(up_to for _, up_to in cumulated(together(of_days), timed))
    half, nearly_all = (quantile(share, bounds, counts) for share in QUANTILES)
    return Took(orders=counts[-1], p50_s=half, p95_s=nearly_all)


def cumulated(totals: Totals, timed: str) -> tuple[tuple[str, int], ...]:
    """How many took at most so long, bound by bound, as Prometheus counts: the last is `+Inf`, which is all of them."""
    found, so_far = [], 0
    for bound_s in (*TIMED[timed], None):
        so_far += totals.get(progress.within(timed, bound_s), 0)
        found.append(("+Inf" if bound_s is None else str(bound_s), so_far))
    return tuple(found)


def quantile(share: float, bounds_s: Sequence[int], counts: Sequence[int]) -> float | None:
    """The time that this share of them did not pass, as `histogram_quantile` of Prometheus reckons it: straight lines between the bounds,
    and the last bound for what lies beyond it. `counts` are cumulated, one more than there are bounds."""
    wanted = share * counts[-1]
    if not counts[-1]:
        return None
    below_s, below = 0.0, 0
    for bound_s, up_to in zip(bounds_s, counts, strict=False):
        if up_to >= wanted:
            return below_s + (bound_s - below_s) * (wanted - below) / (up_to - below)
        below_s, below = float(bound_s), up_to
    return float(bounds_s[-1])


def together(of_days: Iterable[Totals]) -> dict[str, int]:
    """The totals of several days as one."""
    summed: dict[str, int] = {}
    for totals in of_days:
        for measure, amount in totals.items():
            summed[measure] = summed.get(measure, 0) + amount
    return summed


def days_up_to(today: date, count: int) -> list[date]:
    """So many days that end with today, the latest first."""
    return [today - timedelta(days=ago) for ago in range(count)]
