"""The sweeper's role as production composes it, as a process that dies and is started again like the others."""

from typing import Any, Final

import anyio

from orderstore.history import History
from projections.answers.current_generations import CurrentGenerations
from projections.answers.due_orders import VIEWS as LISTED
from projections.answers.due_orders import DueOrders
from tests.simulation.processes import TENANT, Process, orders_of
from tests.simulation.wire import Wire
from workers.hinting import message_for
from workers.runtime.queue import QueueError
from workers.sweepers import ViewLists
from workers.sweeping.observe import SilentSweepObserver
from workers.sweeping.order_sweep import OrderSweep
from workers.sweeping.ports import HintNotTaken
from workers.sweeping.rechecking import Rechecking
from workers.sweeping.sweeper import Sweeper

EVERY_S: Final = 8.0


class _Hints:
    """Puts messages on the departments' queues, as `workers.hinting.QueueHints` does over SQS."""

    def __init__(self, queues: Any, wire: Wire) -> None:
        self._queues = queues
        self._wire = wire

    async def hint(self, department: str, history: History) -> None:
        """See `workers.sweeping.ports.Hints`."""
        try:
            await self._wire.port("queue", self._queues[department]).send(message_for(department, history))
        except QueueError as error:
            raise HintNotTaken(f"{department}: {type(error).__name__}") from error


class _Swept(SilentSweepObserver):
    """Notes in the trace what time has brought."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def swept(self, what: str) -> None:
        """See `SweepObserver`."""
        self._process.run.swept[what] += 1
        self._process.run.note(self._process.name, f"swept {what}")


def order_sweep(process: Process, wire: Wire) -> OrderSweep:
    """What sees to one order, and wakes its departments."""
    hints = _Hints(process.run.outside.queues, wire)
    return OrderSweep(orders_of(process, wire), hints, now_ms=process.now_ms, observer=_Swept(process))


async def sweepers(process: Process, wire: Wire) -> None:
    """Deadlines, and orders that wait for goods."""
    views, sweep, observer = wire.port("views", process.run.outside.views), order_sweep(process, wire), _Swept(process)
    lists = ViewLists(DueOrders(views, tenant=TENANT, generations=CurrentGenerations(views, LISTED)))
    sweeper = Sweeper(lists, sweep, now_ms=process.now_ms, random=process.random, observer=observer, every_s=EVERY_S)
    rechecking = Rechecking(lists, orders_of(process, wire), sweep, random=process.random, observer=observer)
    async with anyio.create_task_group() as tasks:
        process.stop = tasks.cancel_scope.cancel
        tasks.start_soon(sweeper.run, name=f"{wire.name} sweeper")
        tasks.start_soon(rechecking.run, name=f"{wire.name} rechecking")
