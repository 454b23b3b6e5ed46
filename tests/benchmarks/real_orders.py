"""The real orders of the data set, as this service makes them: placed, paid, reserved, shipped, cancelled and refunded by the real door,
decisions and departments, over the log in memory. The sandbox's providers answer; goods are in stock; the vault is a stand-in.

Without the data set the orders are made up (`workers/intake/generator.py`): as many lines, as dear and as often sent back as the real ones.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from orderstore.store.port import Commit
from tests.workers.world import World
from workers.import_door import OrdersDoor
from workers.intake.door import instruction_key, sale_key
from workers.intake.generator import Expectation, GeneratedOrder, GeneratorSettings, OrderGenerator
from workers.intake.online_retail.model import CancelOrder, Instruction, Line, RefundLine, RefundLines, Sale
from workers.intake.online_retail.staging import stage

WHOLE_FILE: Final = Path(__file__).parents[3] / "shared" / "data" / "online_retail" / "online_retail.csv.gz"

YEAR_BEGINS: Final = datetime(2011, 1, 1, tzinfo=UTC)
MADE_UP_SEED: Final = 20_111_209
REFUNDED_ONE_IN: Final = 5
"""Of the real orders 836 of 4,000 had something sent back."""

Histories = tuple[tuple[Commit, ...], ...]


async def real_histories(orders: int, path: Path = WHOLE_FILE) -> Histories:
    """The commits of so many orders, spread evenly over the year."""
    with stage(path) as staged:
        instructions: dict[str, list[Instruction]] = defaultdict(list)
        for instruction in staged.instructions():
            instructions[instruction.sale].append(instruction)
        every = max(1, staged.totals.sales // orders)
        sales = [sale for place, sale in enumerate(staged.sales()) if place % every == 0][:orders]
    return await histories_of([(sale, instructions[sale.invoice]) for sale in sales])


async def made_up_histories(orders: int) -> Histories:
    """The commits of so many generated orders: the same at every call."""
    generator = OrderGenerator(GeneratorSettings(seed=MADE_UP_SEED))
    return await histories_of([_made_up(order) for order in generator.orders(orders)])


def _made_up(order: GeneratedOrder) -> tuple[Sale, list[Instruction]]:
    """Some are cancelled while they are worked on, and of one in five the first line is sent back."""
    invoice, placed_at = str(600_000 + order.index), YEAR_BEGINS + timedelta(minutes=order.index)
    lines = tuple(
        Line(
            line_number=place,
            sku=line.sku,
            description=line.description,
            quantity=line.quantity,
            unit_price=line.unit_price,
        )
        for place, line in enumerate(order.lines)
    )
    sale = Sale(invoice=invoice, placed_at=placed_at, customer_id=order.customer_id, country=order.country, lines=lines)
    back: dict[str, Any] = {"sale": invoice, "cancellation": f"C{invoice}", "requested_at": placed_at, "line_number": 0}
    if order.expectation is Expectation.CANCEL_REQUESTED:
        return sale, [CancelOrder(**back)]
    first = lines[0]
    if order.index % REFUNDED_ONE_IN == 0 and first.quantity * first.unit_price > 0:
        refund = RefundLine(line_index=0, sku=first.sku, quantity=1, unit_price=first.unit_price)
        return sale, [RefundLines(**back, lines=(refund,))]
    return sale, []


async def histories_of(
    sales: list[tuple[Sale, list[Instruction]]], *, arrived: bool = False, imports: int = 1
) -> Histories:
    """Live through each sale: what takes all of it back comes while it is being worked on (or, like what takes a part back, when the goods
    have `arrived`). What takes something back is imported so often."""
    world = World()
    streams: dict[str, list[Commit]] = {}
    world.transactor._store.subscribe(lambda commit: streams.setdefault(commit.stream, []).append(commit))
    door = OrdersDoor(world.orders, tenant=world.orders._tenant)
    for sale, instructions in sales:
        await _live(world, door, sale, instructions, arrived=arrived)
        for _ in range(imports - 1):
            await _take_back(door, instructions)
            await world.deliver()
        world.history.clear()
    return tuple(tuple(commits) for commits in streams.values())


async def _live(world: World, door: OrdersDoor, sale: Sale, instructions: list[Instruction], *, arrived: bool) -> None:
    key = sale_key(sale.invoice)
    wanted: dict[str, int] = defaultdict(int)
    for line in sale.lines:
        wanted[line.sku] += line.quantity
    await world.stock.receive(key, wanted)
    await door.place(sale, key=key)
    at_once = [one for one in instructions if isinstance(one, CancelOrder) and not arrived]
    await _take_back(door, at_once)
    await world.deliver()
    await _take_back(door, [one for one in instructions if one not in at_once])
    await world.deliver()


async def _take_back(door: OrdersDoor, instructions: Sequence[Instruction]) -> None:
    for one in instructions:
        match one:
            case CancelOrder():
                await door.cancel(one, key=instruction_key(one))
            case RefundLines():
                await door.refund(one, key=instruction_key(one))
