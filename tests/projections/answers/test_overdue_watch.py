"""The figures of what is late: every stage once a minute, from the generation that readers use, and through any failure."""

from collections.abc import Mapping, Sequence

import anyio

from orderstore.domain.allowances import STAGES, Stage
from projections.answers.overdue_watch import LOOK_EVERY_S, LOOK_WITHIN_S, OverdueWatch
from projections.observe import SilentObserver
from projections.view_store import ViewStoreThrottled
from projections.views import deadlines
from projections.views.view import Generations
from tests.projections.answers.test_overdue import NOON_MS, Views, order
from tests.projections.histories import TENANT, order_number
from tests.virtual_time import run_virtual


class Told(SilentObserver):
    """What was told last of each stage; how many looks told anything, and how many failed."""

    def __init__(self) -> None:
        self.stages: dict[str, tuple[int, float]] = {}
        self.told = 0
        self.unseen: list[str] = []

    def overdue(self, *, stage: Stage, orders: int, oldest_s: float) -> None:
        self.stages[stage] = (orders, oldest_s)
        self.told += 1

    def overdue_unseen(self, *, error: Exception) -> None:
        self.unseen.append(type(error).__name__)


class Trouble(Views):
    """Refuses or hangs while it is told to."""

    throttled = False
    hanging = False

    async def generations(self, views: Sequence[str]) -> Mapping[str, Generations]:
        if self.hanging:
            await anyio.sleep_forever()
        if self.throttled:
            raise ViewStoreThrottled("away")
        return await super().generations(views)


def test_every_stage_is_told_once_a_minute() -> None:
    """With what is late in it, by the wall clock of that minute; a stage without any is told as none, so that an alarm ends."""

    async def scenario() -> None:
        views, told = Views(), Told()
        await views.put(order_number(1), order(order_id=order_number(1)))
        began_s = anyio.current_time()

        def now_ms() -> int:
            return NOON_MS + 14 * 60_000 + int((anyio.current_time() - began_s) * 1_000)

        watch = OverdueWatch(views, tenant=TENANT, now_ms=now_ms, observer=told)
        async with anyio.create_task_group() as tasks:
            await tasks.start(watch.run)
            await anyio.sleep(1)
            assert told.stages == dict.fromkeys(STAGES, (0, 0.0))
            await anyio.sleep(LOOK_EVERY_S * 2)
            assert told.stages["outcomes"] == (1, 60.0)
            assert told.told == 3 * len(STAGES)
            tasks.cancel_scope.cancel()

    run_virtual(scenario)


def test_a_look_that_fails_or_hangs_is_reported_and_the_next_one_works() -> None:
    """Throttled, hanging, or a document of a schema to come: the projector that it runs beside goes on."""

    async def scenario() -> None:
        views, told = Trouble(), Told()
        watch = OverdueWatch(views, tenant=TENANT, now_ms=lambda: NOON_MS, observer=told)
        async with anyio.create_task_group() as tasks:
            views.throttled = True
            await tasks.start(watch.run)
            await anyio.sleep(1)
            views.throttled, views.hanging = False, True
            await anyio.sleep(LOOK_EVERY_S + LOOK_WITHIN_S)
            assert (told.unseen, told.told) == (["ViewStoreThrottled", "TimeoutError"], 0)
            views.hanging = False
            await anyio.sleep(LOOK_EVERY_S)
            assert told.told == len(STAGES)
            tasks.cancel_scope.cancel()

    run_virtual(scenario)


def test_the_figures_are_those_of_the_generation_that_readers_use() -> None:
    """One that is being built knows half of the orders."""

    async def scenario() -> None:
        views, told = Views(), Told()
        await views.put(order_number(1), order(order_id=order_number(1)), generation=1)
        await views.put(order_number(2), order(order_id=order_number(2)), generation=2)
        await views.put(order_number(3), order(order_id=order_number(3)), generation=2)
        later_ms = NOON_MS + 3_600_000
        watch = OverdueWatch(views, tenant=TENANT, now_ms=lambda: later_ms, observer=told)
        await watch.look()
        assert told.stages["outcomes"][0] == 1
        switched = Generations(current=2, former=1)
        assert await views.change_generations(deadlines.NAME, before=Generations(), after=switched)
        await watch.look()
        assert told.stages["outcomes"][0] == 2

    run_virtual(scenario)
