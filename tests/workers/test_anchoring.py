"""The day's root is made once a UTC day, in time, whoever else makes it; and when it cannot be, that shows and is tried again."""

import random
from collections.abc import Callable, Sequence
from functools import partial

import anyio
import pytest

from orderstore.audit.findings import Finding, Reason
from orderstore.audit.root_maker import RootContended, RootRefused
from orderstore.audit.root_store import RootStore, check_roots
from orderstore.audit.roots import SignedRoot, milliseconds
from orderstore.scratch import ScratchUnusable
from orderstore.store.errors import Throttled, Unavailable
from tests.orderstore.audit.proofs import HOUR_MS, LOG, NOON_MS, Audited, an_order
from tests.virtual_time import run_virtual
from workers.anchoring import Anchoring, AnchoringSettings

DAY_S = 24 * 3600
TO_MIDNIGHT_S = 12 * 3600
REFUSED = RootRefused([Finding("test/order-a", 3, Reason.DROPPED_TAIL, "gone")])


class Clock:
    """The wall clock, driven by the virtual one."""

    def __init__(self) -> None:
        self.start = anyio.current_time()
        self.set_forward_ms = 0

    def now_ms(self) -> int:
        return NOON_MS + round((anyio.current_time() - self.start) * 1000) + self.set_forward_ms


class Facts:
    """An observer that remembers."""

    def __init__(self) -> None:
        self.ages: list[float] = []
        self.made: list[int] = []
        self.refused: list[int] = []
        self.failed: list[Exception] = []

    def root_age(self, seconds: float) -> None:
        self.ages.append(seconds)

    def root_made(self, number: int, orders: int, commits: int) -> None:
        self.made.append(number)

    def root_refused(self, findings: int) -> None:
        self.refused.append(findings)

    def root_failed(self, error: Exception) -> None:
        self.failed.append(error)


class Troubled:
    """Makes roots after so many failures."""

    def __init__(self, audited: Audited, failures: Sequence[Exception]) -> None:
        self._maker = audited.maker()
        self._failures = list(failures)
        self.tries: list[float] = []

    async def make_daily(self) -> tuple[SignedRoot, bool]:
        self.tries.append(anyio.current_time())
        if self._failures:
            raise self._failures.pop(0)
        return await self._maker.make_daily()

    async def newest(self) -> SignedRoot | None:
        return await self._maker.newest()


async def instance(
    audited: Audited,
    clock: Clock,
    *,
    seed: int = 1,
    failures: Sequence[Exception] = (),
    for_s: float,
    settings: AnchoringSettings | None = None,
) -> tuple[Facts, Troubled]:
    """One instance for so long."""
    facts, maker = Facts(), Troubled(audited, failures)
    part = Anchoring(maker, now_ms=clock.now_ms, random=random.Random(seed), observer=facts, settings=settings)
    with anyio.move_on_after(for_s):
        await part.run()
    return facts, maker


async def a_log() -> tuple[Audited, Clock]:
    clock = Clock()
    audited = Audited()
    audited.now_ms = clock.now_ms  # type: ignore[method-assign]  # a clock that runs
    await audited.append(*an_order("a"))
    return audited, clock


def days(audited: Audited) -> list[str]:
    return [key for key in audited.objects.contents if key.startswith("roots/")]


@pytest.mark.thorough
def test_a_clock_that_ran_a_year_ahead_costs_no_year_of_roots() -> None:
    """Once it is set right, the days have their roots again."""

    async def scenario() -> None:
        audited, clock = await a_log()
        clock.set_forward_ms += 365 * 24 * HOUR_MS

        async with anyio.create_task_group() as group:
            group.start_soon(partial(instance, audited, clock, for_s=2 * DAY_S + TO_MIDNIGHT_S))
            await anyio.sleep(3_600)
            clock.set_forward_ms -= 365 * 24 * HOUR_MS

        days_made = [root.document.day for root in await audited.roots()]
        assert days_made == ["2027-03-01", "2026-03-01", "2026-03-02", "2026-03-03"]
        checked = await check_roots(RootStore(audited.objects), log=LOG)
        assert checked.findings == []

    run_virtual(scenario)


def test_each_day_has_its_root_soon_after_midnight() -> None:
    """At the start for the day that has none, then within minutes of every midnight, UTC."""

    async def scenario() -> None:
        audited, clock = await a_log()

        facts, _ = await instance(audited, clock, for_s=TO_MIDNIGHT_S + 2 * DAY_S + 600)

        roots = await audited.roots()
        assert facts.made == [root.number for root in roots] == [1, 2, 3, 4]
        assert [root.document.day for root in roots] == ["2026-03-01", "2026-03-02", "2026-03-03", "2026-03-04"]
        assert milliseconds(roots[0].document.created_at) <= NOON_MS + 10_000
        for number, root in enumerate(roots[1:]):
            after_midnight_ms = milliseconds(root.document.created_at) - (NOON_MS + (12 + 24 * number) * HOUR_MS)
            assert 0 <= after_midnight_ms <= 330_000

    run_virtual(scenario)


@pytest.mark.thorough
def test_ten_instances_make_one_root_a_day() -> None:
    """Whoever comes first; the others find it, and know its age."""

    async def scenario() -> None:
        audited, clock = await a_log()
        found: list[Facts] = []

        async def run(seed: int) -> None:
            calm = AnchoringSettings(
                look_s=300
            )  # ten that look every half minute for two days are most of what this costs
            found.append(
                (await instance(audited, clock, seed=seed, for_s=TO_MIDNIGHT_S + DAY_S + 600, settings=calm))[0]
            )

        async with anyio.create_task_group() as group:
            for seed in range(10):
                group.start_soon(run, seed)

        assert sorted(number for facts in found for number in facts.made) == [1, 2, 3]
        assert len(days(audited)) == 3
        assert all(facts.failed == [] and facts.ages[-1] < 900 for facts in found)

    run_virtual(scenario)


def test_a_process_that_is_started_anew_does_not_make_the_newest_root_look_new() -> None:
    """Or a log that is refused for days would stay quiet wherever tasks come and go."""

    async def scenario() -> None:
        audited, clock = await a_log()
        await audited.maker().make()
        await anyio.sleep(2 * DAY_S)

        facts, _ = await instance(audited, clock, failures=[REFUSED] * 5, for_s=600)

        assert min(facts.ages) >= 2 * DAY_S

    run_virtual(scenario)


def test_a_root_made_by_hand_is_the_days_root() -> None:
    """The promise is one root a day at least, not one more than is there."""

    async def scenario() -> None:
        audited, clock = await a_log()
        await audited.maker().make()

        facts, _ = await instance(audited, clock, for_s=3600)

        assert facts.made == []
        assert len(days(audited)) == 1

    run_virtual(scenario)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Unavailable("Query", tries=8, ambiguous=False),
        lambda: Throttled("Scan", tries=8),
        lambda: Unavailable("PutObject", tries=8, ambiguous=True),
        lambda: ScratchUnusable("disk full"),
        RootContended,
    ],
)
def test_trouble_is_tried_again_later_and_later(make: Callable[[], Exception]) -> None:
    """Told each time, with growing pauses up to a bound; the process lives, and the root comes."""

    async def scenario() -> None:
        audited, clock = await a_log()

        facts, maker = await instance(audited, clock, failures=[make() for _ in range(12)], for_s=TO_MIDNIGHT_S)

        assert len(facts.failed) == 12
        assert facts.made == [1]
        pauses = [later - earlier for earlier, later in zip(maker.tries[:12], maker.tries[1:13], strict=True)]
        settings = AnchoringSettings()
        assert all(pause <= settings.retry_max_s for pause in pauses)
        assert pauses[0] <= settings.retry_base_s < settings.retry_max_s / 2 <= min(pauses[7:])

    run_virtual(scenario)


def test_a_day_that_went_well_ends_the_row_of_failures() -> None:
    """The next day's first failure is tried again as soon as any first one."""

    class TroubledEachDay(Troubled):
        async def make_daily(self) -> tuple[SignedRoot, bool]:
            made = await super().make_daily()
            self._failures = [Unavailable("Query", tries=8, ambiguous=False) for _ in range(5)]
            return made

    async def scenario() -> None:
        audited, clock = await a_log()
        maker = TroubledEachDay(audited, [Unavailable("Query", tries=8, ambiguous=False)] * 5)
        part = Anchoring(maker, now_ms=clock.now_ms, random=random.Random(1), observer=Facts())
        with anyio.move_on_after(TO_MIDNIGHT_S + DAY_S / 2):
            await part.run()

        second_day = [at for at in maker.tries if at - clock.start > TO_MIDNIGHT_S]
        assert len(second_day) == 6
        assert second_day[1] - second_day[0] <= AnchoringSettings().retry_base_s

    run_virtual(scenario)


def test_a_refusal_is_told_and_not_repeated_at_once() -> None:
    """It reads the whole log: once an hour is enough for what a person must look at."""

    async def scenario() -> None:
        audited, clock = await a_log()

        facts, maker = await instance(audited, clock, failures=[REFUSED] * 5, for_s=TO_MIDNIGHT_S)

        assert facts.refused == [1] * 5
        assert facts.made == [1]
        pauses = [later - earlier for earlier, later in zip(maker.tries[:5], maker.tries[1:6], strict=True)]
        assert all(1_800 <= pause <= 3_600 for pause in pauses)

    run_virtual(scenario)


def test_the_age_grows_while_no_root_can_be_made() -> None:
    """From the start of the process while none is known: what an alarm is set on. And it is told all the time, not only after a try."""

    async def scenario() -> None:
        audited, clock = await a_log()

        facts, _ = await instance(audited, clock, failures=[REFUSED] * 100, for_s=2 * DAY_S)

        assert facts.ages == sorted(facts.ages)
        assert facts.ages[-1] > 2 * DAY_S - 60
        assert len(facts.ages) >= 2 * DAY_S / 30 - 1

    run_virtual(scenario)


def test_a_clock_that_jumps_over_midnight_is_noticed() -> None:
    """A laptop that slept: the day's root comes within minutes of waking."""

    async def scenario() -> None:
        audited, clock = await a_log()

        async def sleep_through() -> None:
            await anyio.sleep(600)
            clock.set_forward_ms = DAY_S * 1000

        async with anyio.create_task_group() as group:
            group.start_soon(sleep_through)
            facts, _ = await instance(audited, clock, for_s=1_200)

        assert facts.made == [1, 2]

    run_virtual(scenario)


def test_a_bug_is_not_taken_for_trouble() -> None:
    """What is no known trouble comes out: it is not retried for ever in silence."""

    async def scenario() -> None:
        audited, clock = await a_log()
        with pytest.raises(ExceptionGroup):
            await instance(audited, clock, failures=[KeyError("bug")], for_s=60)

    run_virtual(scenario)


@pytest.mark.parametrize("wrong", [{"spread_s": -1}, {"look_s": 0}, {"retry_base_s": 0}, {"retry_max_s": 1}])
def test_times_that_do_not_go_together_are_refused(wrong: dict[str, float]) -> None:
    """At the start, not at midnight."""
    with pytest.raises(ValueError, match=r"positive|retry_base_s"):
        AnchoringSettings(**wrong)
