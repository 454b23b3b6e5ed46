"""What must be true when the faults are over and everything has drained. Each problem is a sentence that names where to look."""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from typing import TYPE_CHECKING, Final

from orderstore import codec
from orderstore.contract import publish
from orderstore.domain import events as e
from orderstore.domain import next_steps
from orderstore.domain.rejections import UnknownOrder
from orderstore.domain.state import NotPlaced, State, fold
from orderstore.history import History
from orderstore.orders import Orders, placed
from orderstore.recorded import Recorded
from orderstore.store.errors import StoreError
from orderstore.transact import Transactor
from projections.comparing.compare import compare
from projections.projecting.targets import current_targets
from tests.projections.stream.fake_stream import wall_ms
from tests.simulation.documents import documents
from tests.simulation.goods import goods, parcels
from tests.simulation.money import money, reconciled
from tests.simulation.processes import TENANT
from tests.simulation.resting import ran_out, resting
from tests.simulation.told import Told
from workers.sandbox.ledger import TableLedger

if TYPE_CHECKING:
    from tests.simulation.run import Run

STEPS: Final[Mapping[str, Callable[[State], object | None]]] = {
    "payment": next_steps.payment_step,
    "inventory": next_steps.inventory_step,
    "shipping": next_steps.shipping_step,
    "billing": next_steps.billing_step,
}
UNREADABLE: Final = (StoreError, codec.CodecError, UnknownOrder)


class Checker:
    """Looks at what is outside, without any process of the service."""

    def __init__(self, run: "Run") -> None:
        self._run = run
        self._outside = run.outside
        self._orders = Orders(
            Transactor(run.outside.log, now_ms=wall_ms),
            tenant=TENANT,
            vault=run.outside.vault,
            hooks_allowed=True,
            now_ms=wall_ms,
        )

    async def behind(self) -> list[str]:
        """What has not arrived yet: views, publications, the archive. To be asked while the service runs."""
        published = {event.event_id for event in self._outside.topic.published}
        owed = [public.event_id for public in await self._public() if public.event_id not in published]
        if owed:
            return [f"{len(owed)} events are not published"]
        report = await compare(
            self._outside.log, self._outside.views, await current_targets(self._outside.views), looks_max=1
        )
        if not report.equal:
            return [f"{report.differences_count} views differ"]
        found = await self._outside.positions.get([stream async for stream in self._outside.log.streams()])
        late = [
            stream
            async for stream in self._outside.log.streams()
            if stream not in found or found[stream].through < len(await self._outside.log.read(stream))
        ]
        if late:
            return [f"{len(late)} orders are not archived"]
        waiting = await Told(self._run, {}).waiting()
        return [f"{waiting} deliveries wait"] if waiting else []

    async def problems(self) -> list[str]:
        """Every promise that was not kept."""
        return [problem async for problem in self._all()]

    async def _all(self) -> AsyncIterator[str]:
        histories: dict[str, History] = {}
        for order_id in self._run.customers.placed.values():
            try:
                histories[order_id] = history = await self._orders.load(order_id)
            except UNREADABLE as error:
                yield f"order {order_id} cannot be read: {error}"
                continue
            async for problem in self._of_order(order_id, history):
                yield f"order {order_id}: {problem}"
        async for stream in self._outside.log.streams():
            if stream.rpartition("order-")[2] not in self._run.customers.placed.values():
                yield f"{stream} is nobody's order"
        for found in (goods(self._run, histories, self._orders), resting(self._run, histories)):
            async for problem in found:
                yield problem
        for check in (self._invoices, self._views, self._watched, self._parked):
            async for problem in check():
                yield problem
        async for problem in reconciled(self._outside, self._orders):
            yield problem
        async for problem in Told(self._run, histories).problems():
            yield problem

    async def _of_order(self, order_id: str, history: History) -> AsyncIterator[str]:
        """Chains and density are checked by reading; here the rest."""
        order = placed(history)
        events = [recorded.event for recorded in history.events]
        ids = Counter(recorded.event_id for recorded in history.events)
        for event_id, count in ids.items():
            if count > 1:
                yield f"event {event_id} is there {count} times"
        if fold(NotPlaced(), events) != history.state:
            yield "its state is not the fold of its events"
        for name, step_of in STEPS.items():
            step = step_of(history.state)
            if step is not None and not (order.holds or (name == "payment" and ran_out(history))):
                yield f"{name} is still wanted for {step}"
        ledger = [entry async for entry in self._ledger().entries(order=order_id)]
        for problem in (*money(order, events, ledger), *parcels(order, events, ledger)):
            yield problem
        async for problem in documents(self._outside.objects, events):
            yield problem
        if strange := _refunds_of_nobody(events, self._run.customers.refunds_asked[order_id]):
            yield f"refunds are in it, and nobody asked for them: {strange}"

    async def _invoices(self) -> AsyncIterator[str]:
        numbers: dict[str, list[int]] = {}
        async for recorded in self._recorded():
            if isinstance(recorded.event, e.InvoiceIssued | e.CreditNoteIssued):
                numbers.setdefault(recorded.event.series, []).append(recorded.event.number)
        for series, taken in numbers.items():
            if sorted(taken) != list(range(1, len(taken) + 1)):
                yield f"series {series} has the numbers {sorted(taken)}"
            if await self._outside.log.counter(series) != len(taken):
                yield f"the counter of {series} is not at {len(taken)}"

    async def _views(self) -> AsyncIterator[str]:
        report = await compare(
            self._outside.log, self._outside.views, await current_targets(self._outside.views), looks_max=1
        )
        if not report.equal:
            yield f"views differ: {[*report.differences, *report.sums][:3]}"

    async def _watched(self) -> AsyncIterator[str]:
        """Mails once each; again only by who had to take the first sender for dead (workers/notification/records.py).

        Checkpoints never go back.
        """
        for problem in (*self._outside.mailbox.problems, *self._outside.leases.problems):
            yield problem

    async def _parked(self) -> AsyncIterator[str]:
        for subscription in ("views", "relay"):
            for key in await self._outside.lot.standings(subscription):
                yield f"{key} is parked for {subscription}, and no order was at fault"

    async def _recorded(self) -> AsyncIterator[Recorded]:
        async for history in self._histories():
            for recorded in history.events:
                yield recorded

    async def _histories(self) -> AsyncIterator[History]:
        """Of every order that can be read."""
        for order_id in self._run.customers.placed.values():
            try:
                yield await self._orders.load(order_id)
            except UNREADABLE:
                continue

    async def _public(self) -> list[Recorded]:
        found: list[Recorded] = []
        for order_id in self._run.customers.placed.values():
            try:
                history = await self._run.known.order(order_id)
            except UNREADABLE:
                continue
            found.extend(recorded for recorded in history.events if publish(recorded) is not None)
        return found

    def _ledger(self) -> TableLedger:
        return TableLedger(self._outside.tables["sandbox"], now_ms=wall_ms)


def _refunds_of_nobody(events: list[e.Event], asked: set[str]) -> list[str]:
    """But those that the order promises by itself, or that the desk asked for when a parcel was lost."""
    known = set(asked)
    for event in events:
        match event:
            case e.LinesCancelled() if event.refund_id is not None:
                known.add(event.refund_id)
            case e.ReturnInspected():
                known.add(f":return:{event.return_id}")
            case e.OrderCancellationRequested():
                known.add(":cancellation")
            case e.PaymentCompleted():
                known.add(":surplus")
            case e.PaymentDisputeClosed():
                known.add(f":dispute:{event.dispute_id}")
            case _:
                pass
    lost = any(isinstance(event, e.ShipmentFailed) for event in events)
    wanted = [event.refund_id for event in events if isinstance(event, e.RefundRequested)]
    strange = [
        refund_id
        for refund_id in wanted
        if refund_id not in known and refund_id[36:].partition(":cancellation")[1] == "" and refund_id[36:] not in known
    ]
    return [] if lost else strange
