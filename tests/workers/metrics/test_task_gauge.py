"""The gauge of a process's tasks."""

import anyio

from tests.virtual_time import run_virtual
from workers.metrics.table import Metrics
from workers.metrics.tasks import COUNT_EVERY_S, watching_tasks


def test_the_gauge_follows_the_tasks_up_and_down() -> None:
    """Ten more tasks show, and no longer show when they have ended."""

    def shown(metrics: Metrics) -> float:
        value = metrics.registry.get_sample_value("orderstore_tasks")
        assert value is not None
        return value

    async def watch() -> list[float]:
        metrics, seen = Metrics(), []
        async with anyio.create_task_group() as group:
            group.start_soon(watching_tasks(metrics))
            await anyio.sleep(1)
            seen.append(shown(metrics))
            async with anyio.create_task_group() as more:
                for _ in range(10):
                    more.start_soon(anyio.sleep, 1.5 * COUNT_EVERY_S)
                await anyio.sleep(1.25 * COUNT_EVERY_S)
                seen.append(shown(metrics))
            await anyio.sleep(2 * COUNT_EVERY_S)
            seen.append(shown(metrics))
            group.cancel_scope.cancel()
        return seen

    few, many, few_again = run_virtual(watch)
    assert many == few + 10
    assert few_again == few
