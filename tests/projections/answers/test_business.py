"""The business's figures: what the totals mean, read with few reads, told once a minute, the same by everybody."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from random import Random

import anyio
import pytest

from orderstore.domain.money import CURRENCIES
from projections.answers.business import AGES, DAYS_BACK, age_of, cohort, cumulated, quantile, standing, took
from projections.answers.business_watch import LOOK_EVERY_S, LOOK_WITHIN_S, BusinessWatch
from projections.answers.ports import EXCEPTION_KINDS, Page
from projections.answers.progress_days import ALL_EVERY_S, RECENT_DAYS
from projections.view_store import Addition, ViewStoreThrottled, Write
from projections.view_store.memory import MemoryViewStore
from projections.views import daily_figures, progress
from projections.views.view import Generation, Generations
from tests.virtual_time import run_virtual

TODAY = date(2026, 3, 10)
NOON_MS = int(datetime(2026, 3, 10, 12, tzinfo=UTC).timestamp() * 1000)
TENANT = "main"


def ago(days: int) -> date:
    return TODAY - timedelta(days=days)


def test_ages_begin_where_they_say() -> None:
    """Each day has one age; tomorrow, by a clock that is ahead, is today."""
    found = {days: age_of(days) for days in (-1, 0, 1, 2, 3, 6, 7, 13, 14, 29, 30, 399)}
    assert list(found.values()) == [
        *("0d", "0d", "1d", "2d", "3d-6d", "3d-6d", "7d-13d", "7d-13d", "14d-29d", "14d-29d", "30d+", "30d+")
    ]


def test_standing_counts_each_status_by_age() -> None:
    """Also the statuses in which nobody is, so that an alarm ends."""
    days = {
        ago(0): {"in_RECEIVED": 3, "placed": 9},
        ago(5): {"in_RECEIVED": 2, "in_CONFIRMED": 0},
        ago(40): {"in_CANCELLING": 1},
    }
    received, confirmed, fulfilment, cancelling = standing(days, TODAY)

    assert (received.status, received.orders, received.oldest) == ("RECEIVED", 5, ago(5))
    assert {age: n for age, n in received.ages.items() if n} == {"0d": 3, "3d-6d": 2}
    assert (confirmed.orders, confirmed.oldest, set(confirmed.ages)) == (0, None, {name for name, _ in AGES})
    assert fulfilment.orders == 0
    assert (cancelling.ages["30d+"], cancelling.oldest) == (1, ago(40))


def test_the_success_of_a_cohort_is_what_became_of_it() -> None:
    """Not what ended on its days; and none placed is no rate."""
    came = cohort(
        [{"placed": 8, "of_completed": 6, "completed": 99}, {"placed": 2, "of_cancelled": 1, "of_rejected": 0}]
    )
    assert (came.placed, came.completed, came.cancelled, came.rejected, came.open) == (10, 6, 1, 0, 3)
    assert came.success_rate == 0.6
    assert cohort([]).success_rate is None


@pytest.mark.parametrize("seed", range(20))
def test_a_quantile_lies_in_the_bucket_that_holds_it(seed: int) -> None:
    """Between the same bounds as the quantile of the times themselves; and never falls when the share grows."""
    random = Random(seed)
    times = sorted(random.expovariate(1 / 90) for _ in range(random.randrange(1, 200)))
    bounds = progress.CONFIRM_S
    counts = [sum(one <= bound for one in times) for bound in bounds] + [len(times)]
    found = [quantile(share / 100, bounds, counts) for share in range(1, 101)]

    assert found == sorted(found)
    for share, estimate in enumerate(found, start=1):
        exact = times[max(0, -(-share * len(times) // 100) - 1)]
        above = next((bound for bound in bounds if exact <= bound), bounds[-1])
        below = max((bound for bound in bounds if bound < exact), default=0)
        assert min(below, bounds[-1]) <= estimate <= above


def test_no_times_have_no_quantile_and_long_ones_the_last_bound() -> None:
    """As Prometheus answers."""
    assert took([], "ship").p50_s is None
    assert took([{"ship_longer": 4}], "ship").p95_s == progress.SHIP_S[-1]
    assert cumulated({"confirm_le_1": 2, "confirm_longer": 1}, "confirm")[-2:] == (("86400", 2), ("+Inf", 3))


class Views(MemoryViewStore):
    """Totals that are set by hand; counts the names asked for, and fails or hangs while it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[int] = []
        self.trouble: str | None = None
        self.added = 0

    async def add(self, view: str, bucket: str, generation: int = 1, **amounts: int) -> None:
        self.added += 1
        addition = Addition(Generation(view, generation).sum_key(TENANT, bucket), amounts)
        write = Write(
            key=f"k{self.added}",
            expected_commit=None,
            commit=1,
            schema=1,
            document=b"{}",
            contribution="x",
            additions=(addition,),
        )
        await self.write([write])

    async def totals(self, sum_keys: Sequence[str]) -> Mapping[str, Mapping[str, int]]:
        self.asked.append(len(sum_keys))
        if self.trouble == "throttled":
            raise ViewStoreThrottled("away")
        if self.trouble == "hanging":
            await anyio.sleep_forever()
        return await super().totals(sum_keys)


class Nobody:
    """Two orders that are held."""

    async def exceptions(self, kind: str, cursor: str | None, limit: int) -> Page:
        assert cursor is None
        assert limit > 1
        return Page([{}, {}] if kind == "held" else [], "more" if kind == "held" else None)


class Told:
    """What was told last."""

    def __init__(self) -> None:
        self.figures: dict[tuple, int] = {}
        self.unseen: list[str] = []

    def standing(self, *, status: str, age: str, orders: int) -> None:
        self.figures["standing", status, age] = orders

    def today(self, *, outcome: str, orders: int) -> None:
        self.figures["today", outcome] = orders

    def took(self, *, stage: str, le: str, orders: int) -> None:
        self.figures["took", stage, le] = orders

    def of_day(self, *, days_ago: int, outcome: str, orders: int) -> None:
        self.figures["of_day", days_ago, outcome] = orders

    def sold(self, *, day: str, currency: str, kind: str, amount_minor: int) -> None:
        self.figures["sold", day, currency, kind] = amount_minor

    def exceptions_open(self, *, kind: str, orders: int) -> None:
        self.figures["exceptions", kind] = orders

    def business_unseen(self, *, error: Exception) -> None:
        self.unseen.append(type(error).__name__)


def watch_of(views: Views, told: Told, now_ms=lambda: NOON_MS) -> BusinessWatch:
    return BusinessWatch(views, Nobody(), tenant=TENANT, now_ms=now_ms, observer=told)


def test_a_look_tells_everything_also_what_is_nothing() -> None:
    """Who stands where, what happened today, what became of the last days' orders, what was sold, who is waited for."""

    async def scenario() -> None:
        views, told = Views(), Told()
        await views.add(
            daily_figures.NAME, str(ago(0)), placed=4, confirmed=3, confirm_le_5=2, confirm_le_60=1, in_RECEIVED=1
        )
        await views.add(daily_figures.NAME, str(ago(20)), placed=2, of_completed=1, in_IN_FULFILMENT=1)
        await views.add(daily_figures.NAME, str(ago(3)), placed=5, of_completed=4, of_cancelled=1)
        await views.add(daily_figures.NAME, f"{ago(1)}/EUR", captured_minor=500, refunded_minor=90)
        await watch_of(views, told).look()

        assert told.figures["standing", "RECEIVED", "0d"] == 1
        assert told.figures["standing", "IN_FULFILMENT", "14d-29d"] == 1
        assert told.figures["standing", "CANCELLING", "0d"] == 0
        assert (told.figures["today", "placed"], told.figures["today", "completed"]) == (4, 0)
        assert [told.figures["took", "confirm", le] for le in ("2", "5", "30", "60", "+Inf")] == [0, 2, 2, 3, 3]
        assert (told.figures["of_day", 3, "completed"], told.figures["of_day", 3, "placed"]) == (4, 5)
        assert told.figures["sold", "yesterday", "EUR", "refunded"] == 90
        assert told.figures["sold", "today", "EUR", "captured"] == 0
        assert {kind: told.figures["exceptions", kind] for kind in EXCEPTION_KINDS} == {
            kind: 2 * (kind == "held") for kind in EXCEPTION_KINDS
        }

    run_virtual(scenario)


def test_what_is_told_is_bounded_whatever_the_number_of_orders() -> None:
    """All days and all currencies once an hour; each minute eight days and the currencies that something was sold in."""

    async def scenario() -> None:
        views, told = Views(), Told()
        await views.add(daily_figures.NAME, f"{TODAY}/EUR", captured_minor=1)
        watch = watch_of(views, told)
        async with anyio.create_task_group() as tasks:
            await tasks.start(watch.run)
            await anyio.sleep(ALL_EVERY_S - 1)
            assert views.asked[:2] == [DAYS_BACK, 2 * len(CURRENCIES)]
            assert views.asked[2:] == [RECENT_DAYS, 2] * 59
            await anyio.sleep(2)
            assert views.asked[-2:] == [DAYS_BACK, 2 * len(CURRENCIES)]
            tasks.cancel_scope.cancel()

    run_virtual(scenario)


def test_midnight_moves_every_day_by_one() -> None:
    """Today begins at nothing, yesterday is what today was, and what stood since today is a day old; also between two full looks."""

    async def scenario() -> None:
        views, told = Views(), Told()
        clock = [NOON_MS]
        await views.add(daily_figures.NAME, str(TODAY), placed=7, in_CONFIRMED=6)
        await views.add(daily_figures.NAME, str(ago(7)), in_CONFIRMED=3)
        await views.add(daily_figures.NAME, f"{TODAY}/EUR", captured_minor=100)
        watch = watch_of(views, told, lambda: clock[0])
        await watch.look()
        clock[0] += 12 * 3_600_000
        await watch.look()

        assert (told.figures["today", "placed"], told.figures["of_day", 1, "placed"]) == (0, 7)
        assert [told.figures["standing", "CONFIRMED", age] for age in ("0d", "1d", "7d-13d")] == [0, 6, 3]
        assert [told.figures["sold", day, "EUR", "captured"] for day in ("today", "yesterday")] == [0, 100]
        clock[0] += 24 * 3_600_000
        await watch.look()
        assert [told.figures["sold", day, "EUR", "captured"] for day in ("today", "yesterday")] == [0, 0]
        assert DAYS_BACK not in views.asked[2:]

    run_virtual(scenario)


def test_a_switch_of_generation_is_told_whole() -> None:
    """Old days of the former generation are not mixed with new ones of the next."""

    async def scenario() -> None:
        views, told = Views(), Told()
        await views.add(daily_figures.NAME, str(ago(100)), in_CONFIRMED=5)
        await views.add(daily_figures.NAME, str(ago(100)), generation=2, in_CONFIRMED=1)
        watch = watch_of(views, told)
        await watch.look()
        assert told.figures["standing", "CONFIRMED", "30d+"] == 5
        switched = Generations(current=2, former=1)
        assert await views.change_generations(daily_figures.NAME, before=Generations(), after=switched)
        await watch.look()
        assert told.figures["standing", "CONFIRMED", "30d+"] == 1

    run_virtual(scenario)


def test_a_look_that_fails_or_hangs_is_reported_and_the_next_one_works() -> None:
    """The projector that it runs beside goes on, and a full look that failed is made up for."""

    async def scenario() -> None:
        views, told = Views(), Told()
        views.trouble = "throttled"
        async with anyio.create_task_group() as tasks:
            await tasks.start(watch_of(views, told).run)
            await anyio.sleep(1)
            views.trouble = "hanging"
            await anyio.sleep(LOOK_EVERY_S + LOOK_WITHIN_S)
            assert (told.unseen, told.figures) == (["ViewStoreThrottled", "TimeoutError"], {})
            views.trouble = None
            await anyio.sleep(LOOK_EVERY_S)
            assert told.figures["exceptions", "held"] == 2
            assert DAYS_BACK in views.asked[-2:]
            tasks.cancel_scope.cancel()

    run_virtual(scenario)
