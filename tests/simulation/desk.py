"""The people of the shop: they read in the exceptions view what somebody is wanted for, and act by what it offers, and by nothing else.

For some orders nobody ever cares: those rest as they are, and stand in that view.
"""

from collections.abc import Awaitable, Callable, Sequence
from random import Random
from typing import TYPE_CHECKING, Any, Final

import anyio

from orderstore.change_requests import (
    ActOnStage,
    AddNote,
    DeclineReturn,
    InspectReturn,
    RetryPayment,
    ReviewOrder,
)
from orderstore.domain.rejections import CommandRejected
from orderstore.domain.state import Placed, ReturnStatus, ShipmentStatus
from orderstore.orders import Orders, placed
from orderstore.requests import CancelOrder, HoldOrder, ReleaseHold, RequestRefund
from orderstore.store.errors import StoreError
from orderstore.transact import Contended
from orderstore.wishes import answering, resuming, returning, telling, undoing
from orderstore.wishes.wish import KeyReused
from projections.answers.current_generations import CurrentGenerations
from projections.answers.open_exceptions import Entry, open_exceptions
from projections.view_store import ViewStoreError
from projections.views import deadlines, exceptions
from tests.simulation.minds import OPERATOR
from tests.simulation.processes import TENANT, Process, orders_of
from tests.simulation.sweeping import order_sweep
from tests.simulation.wire import Wire
from tests.simulation.wishing import GOOD_CARD
from workers.sweeping.order_sweep import OrderSweep

if TYPE_CHECKING:
    from tests.simulation.run import Run

LOOKS_EVERY_S: Final = 10.0
BUSY_S: Final = 6.0
"""The same while things go wrong."""
LATER: Final = 0.25
"""While things go wrong, that somebody leaves an entry for later."""
PAGE: Final = 50
OWN_HOLD: Final = "h1"
"""The customers' story has this one released, or not."""


def is_attended(run: "Run", order_id: str) -> bool:
    """Whether anybody at the desk ever cares for this order."""
    return Random(f"desk {run.seed} {order_id}").random() >= run.habits.unattended


async def desk(process: Process, wire: Wire) -> None:
    """The program that the people of the shop use, as a process like the others."""
    run, outside = process.run, process.run.outside
    views = wire.port("views", outside.views)
    generations = CurrentGenerations(views, (deadlines.NAME, exceptions.NAME))
    people = People(run, orders_of(process, wire), order_sweep(process, wire), Random(f"people {run.seed}"))
    while True:
        await anyio.sleep(process.random.expovariate(1 / BUSY_S) if not run.calm else LOOKS_EVERY_S)
        try:
            page = await open_exceptions(
                views, await generations.now(), tenant=TENANT, now_ms=process.now_ms(), limit=PAGE
            )
        except ViewStoreError:
            continue
        for found in page.exceptions:
            if is_attended(run, found.order_id):
                await people.see_to(found.order_id, found.entries)
        for order_id in list(run.customers.placed.values()):
            await people.take_in(order_id)


class People:
    """Whoever sits at the desk."""

    def __init__(self, run: "Run", orders: Orders, sweep: OrderSweep, random: Random) -> None:
        self._run = run
        self._orders = orders
        self._sweep = sweep
        self._random = random

    async def see_to(self, order_id: str, entries: Sequence[Entry]) -> None:
        """What one order wants somebody for."""
        for entry in entries:
            if self._run.calm or self._random.random() >= LATER:
                await self._try(f"{order_id[-4:]} {entry.kind}", lambda entry=entry: self._act(order_id, entry))  # type: ignore[misc]  # the default binds the loop's value

    async def take_in(self, order_id: str) -> None:
        """Parcels that come back are taken in, most of them."""
        if self._random.random() < LATER or not is_attended(self._run, order_id):
            return

        async def receive() -> None:
            for return_id in await self._on_their_way(order_id):
                await self._orders.ask(order_id, returning.receive(return_id), actor=OPERATOR)

        await self._try(f"{order_id[-4:]} comes back", receive)

    async def _on_their_way(self, order_id: str) -> list[str]:
        """The returns that stand at the door: whoever takes them in sees them there."""
        order = placed(await self._run.known.order(order_id))
        return [one.return_id for one in order.returns if one.status is ReturnStatus.APPROVED]

    async def _try(self, what: str, act: Callable[[], Awaitable[None]]) -> None:
        try:
            await act()
        except (CommandRejected, KeyReused, StoreError, Contended) as error:
            self._run.note("desk", f"{what}: {type(error).__name__}")

    async def _act(self, order_id: str, entry: Entry) -> None:
        ask, random, reference = self._orders.ask, self._random, entry.reference or ""
        match entry.kind:
            case "held":
                if reference == OWN_HOLD:
                    return
                await self._held(order_id, reference)
            case "review":
                outcome = random.choice(("passed", "passed", "failed"))
                await ask(order_id, answering.review(ReviewOrder(outcome=outcome)), actor=OPERATOR)
            case "stalled" | "compensation_failed":
                await self._stage(order_id, entry)
            case "payment_unknown":
                await self._resume(order_id, "outcomes", "retry", None, entry.since)
            case "unpaid":
                pay = answering.retry_payment(RetryPayment(payment_method=GOOD_CARD), idempotency_key=f"d{entry.since}")
                await ask(order_id, pay, actor=OPERATOR)
            case "refund_failed":
                key = f"d{random.getrandbits(32)}"
                await ask(order_id, undoing.retry_refund(reference, idempotency_key=key), actor=OPERATOR)
            case "shipment_failed":
                await self._lost(order_id, reference)
            case "return":
                await self._return(order_id, reference, requested=entry.cause == "requested")
            case "discrepancy":
                note = AddNote(note="seen to")
                await ask(order_id, telling.note(order_id, note, idempotency_key=f"d{entry.since}"), actor=OPERATOR)
            case "cancellation_declined":
                asked = HoldOrder.model_validate({"holdId": "too-late", "reason": "operator"})
                await self._orders.hold(order_id, asked, actor=OPERATOR, idempotency_key="too-late")
            case _:  # a dispute is the bank's, and nobody is parked here
                return
        self._run.note("desk", f"{order_id[-4:]} {entry.kind} {entry.cause}")

    async def _held(self, order_id: str, hold_id: str) -> None:
        order = placed(await self._orders.load(order_id))
        open_ones = {f"dispute:{one.dispute_id}" for one in order.payment.disputes if one.status == "open"}
        if hold_id in open_ones:
            return
        if self._random.random() < 0.2:
            await self._try("undone", lambda: self._cancel(order_id))
        await self._orders.release_hold(order_id, hold_id, ReleaseHold(), actor=OPERATOR)

    async def _cancel(self, order_id: str) -> None:
        await self._orders.cancel(order_id, CancelOrder(), actor=OPERATOR)

    async def _stage(self, order_id: str, entry: Entry) -> None:
        offered = [action for action in entry.actions if action in ("retry", "resume", "skip", "cancel")]
        action = self._random.choice([*offered, "retry", "retry"])
        await self._resume(order_id, entry.cause, action, entry.reference, entry.since)

    async def _resume(self, order_id: str, stage: Any, action: Any, subject: str | None, since: str) -> None:
        request = ActOnStage(stage=stage, action=action, subject=subject, reason="looked at")
        wish = resuming.act(request, idempotency_key=f"{since}:{action}")
        granted = await self._orders.ask(order_id, wish, actor=OPERATOR)
        if action == "retry":
            await self._sweep.wake(granted.history)

    async def _lost(self, order_id: str, shipment_id: str) -> None:
        """What was lost is refunded, piece by piece, as far as nobody has given its money back before."""
        order = placed(await self._orders.load(order_id))
        for line, quantity in _lost_pieces(order, shipment_id):
            for count in range(quantity, 0, -1):
                asked = RequestRefund.model_validate({"lines": [{"line": line, "quantity": count}]})
                key = f"lost-{shipment_id}-{line}-{count}"
                try:
                    await self._orders.request_refund(order_id, asked, actor=OPERATOR, idempotency_key=key)
                except CommandRejected:
                    continue
                break

    async def _return(self, order_id: str, return_id: str, *, requested: bool) -> None:
        if requested:
            declined = self._random.random() < 0.3
            wish = returning.decline(return_id, DeclineReturn()) if declined else returning.approve(return_id)
            await self._orders.ask(order_id, wish, actor=OPERATOR)
            return
        order = placed(await self._orders.load(order_id))
        pieces = [
            {
                "line": part.line,
                "quantity": part.quantity,
                "condition": Random(return_id).choice(("sellable", "sellable", "damaged", "dismissed")),
            }
            for one in order.returns
            if one.return_id == return_id
            for part in one.lines
        ]
        wish = returning.inspect(return_id, InspectReturn.model_validate({"pieces": pieces}))
        await self._orders.ask(order_id, wish, actor=OPERATOR)


def _lost_pieces(order: Placed, shipment_id: str) -> list[tuple[int, int]]:
    for shipment in order.shipments:
        if shipment.shipment_id == shipment_id and shipment.status is ShipmentStatus.LOST:
            if shipment.lines:
                return [(part.line, part.quantity) for part in shipment.lines]
            return [(at, line.quantity) for at, line in enumerate(order.order.lines)]
    return []
