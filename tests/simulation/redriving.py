"""The operator who sends dead letters on, through the same code as `orderstore dlq redrive`."""

from random import Random
from typing import TYPE_CHECKING

from orderstore.domain.ids import stream_of
from orderstore.orders import Orders
from orderstore.recorded import Actor
from orderstore.transact import Transactor
from tests.projections.stream.fake_stream import wall_ms
from tests.simulation.processes import TENANT
from workers.dead_letters.filters import Filter
from workers.dead_letters.look import Box
from workers.dead_letters.records import Mandate, Records
from workers.dead_letters.redrive import Plan, Redriver
from workers.dead_letters.standing import Judge
from workers.notification.records import FINAL_STATES

if TYPE_CHECKING:
    from tests.simulation.run import Run

MANDATE = Mandate(Actor("operator", "ada"), "the faults are over", even_if_moved_on=True)


async def redrive_everything(run: "Run") -> None:
    """Send every letter on, also those that their orders do not want any more: that must be harmless."""
    outside = run.outside
    orders = Orders(
        Transactor(outside.log, now_ms=wall_ms),
        tenant=TENANT,
        vault=outside.vault,
        hooks_allowed=True,
        now_ms=wall_ms,
    )

    async def told(order_id: str, event_id: str) -> bool:
        rows = [row async for row in outside.tables["notifications"].scan() if row["order"] == order_id]
        states = [row["state"] for row in rows if row["notification"].startswith(f"{event_id}:")]
        return bool(states) and all(state in FINAL_STATES for state in states)

    async def archived(order_id: str) -> int:
        stream = stream_of(TENANT, order_id)
        found = (await outside.positions.get([stream])).get(stream)
        return 0 if found is None else found.through

    judge = Judge(orders, tenant=TENANT, told=told, archived=archived)
    records = Records(outside.locked, tenant=TENANT, now_ms=wall_ms)
    for name, letters in outside.dead.items():
        box = Box(source=outside.queues[name], letters=letters, receive_count_max=3, poll_wait_s=0)
        redriver = Redriver(box, judge=judge, records=records, now_ms=wall_ms, source=Random(run.seed))
        report = await redriver.run(Plan(wanted=Filter(), mandate=MANDATE, even_if_moved_on=True))
        if report.looked_at:
            run.note("operator", f"sends on {name}: {dict(report.counts)}")
