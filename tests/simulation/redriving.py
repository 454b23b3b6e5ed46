"""The operator who sends dead letters on, through the same code as `orderstore dlq redrive`."""

from random import Random
from typing import TYPE_CHECKING

from orderstore.domain.ids import stream_of
from orderstore.orders import Orders
from orderstore.recorded import Actor
from orderstore.store.errors import StoreError
from orderstore.transact import Transactor
from tests.projections.stream.fake_stream import wall_ms
from tests.simulation.faults import CALM, Faults
from tests.simulation.processes import TENANT
from tests.simulation.wire import Wire
from workers.dead_letters.filters import Filter
from workers.dead_letters.look import Box
from workers.dead_letters.records import Mandate, Records
from workers.dead_letters.redrive import Plan, Redriver
from workers.dead_letters.standing import Judge
from workers.notification.records import FINAL_STATES
from workers.runtime.queue import QueueError
from workers.tables.errors import TableError

if TYPE_CHECKING:
    from tests.simulation.run import Run

FAULTS = Faults(throttle=0.05, lost_request=0.1, lost_answer=0.1)
"""Of the operator's own calls, also when all else is well: most letters are sent on only then."""
RUN_S_MAX = 30.0
"""Letters that a tool had in hand when it died are seen again `LETTERS_HIDDEN_S` after this."""
MANDATE = Mandate(Actor("operator", "ada"), "the faults are over", even_if_moved_on=True)


class Operator:
    """Sends every letter on, also those that their orders do not want any more: that must be harmless."""

    def __init__(self, run: "Run") -> None:
        self._run = run
        self._wire = Wire(run, "operator", Random(f"operator {run.seed}"))
        self._wire.own_faults = FAULTS
        outside, wire = run.outside, self._wire
        orders = Orders(
            Transactor(wire.port("log", outside.log), now_ms=wall_ms),
            tenant=TENANT,
            vault=outside.vault,
            hooks_allowed=True,
            now_ms=wall_ms,
        )
        self._judge = Judge(orders, tenant=TENANT, told=self._told, archived=self._archived)
        self._records = Records(wire.port("objects", outside.locked), tenant=TENANT, now_ms=wall_ms)

    def steady(self) -> None:
        """From now on nothing goes wrong for the operator either."""
        self._wire.own_faults = CALM

    async def redrive(self) -> None:
        """Every queue once. Where the tool dies or fails, somebody starts it again another time."""
        outside, wire = self._run.outside, self._wire
        for name, letters in outside.dead.items():
            wire.dead = False
            if not (await letters.depths()).visible:
                continue
            box = Box(
                source=wire.port("queue", outside.queues[name]),
                letters=wire.port("queue", letters),
                receive_count_max=3,
                poll_wait_s=0,
            )
            redriver = Redriver(
                box, judge=self._judge, records=self._records, now_ms=wall_ms, source=Random(self._run.seed)
            )
            plan = Plan(wanted=Filter(), mandate=MANDATE, even_if_moved_on=True, seconds_max=RUN_S_MAX)
            try:
                report = await redriver.run(plan)
            except (QueueError, StoreError, TableError) as error:
                self._run.note("operator", f"{name}: {type(error).__name__}")
                continue
            self._run.note("operator", f"sends on {name}: {dict(report.counts)}")

    async def _told(self, order_id: str, event_id: str) -> bool:
        found = self._run.outside.tables["notifications"]
        rows = [row async for row in found.scan() if row["order"] == order_id]
        states = [row["state"] for row in rows if row["notification"].startswith(f"{event_id}:")]
        return bool(states) and all(state in FINAL_STATES for state in states)

    async def _archived(self, order_id: str) -> int:
        stream = stream_of(TENANT, order_id)
        found = (await self._run.outside.positions.get([stream])).get(stream)
        return 0 if found is None else found.through
