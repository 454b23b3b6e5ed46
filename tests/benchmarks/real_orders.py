"""The real orders of the data set, as this service makes them: placed, paid, reserved, shipped, cancelled and refunded by the real door,
decisions and departments, over the log in memory. The sandbox's providers answer; goods are in stock; the vault is a stand-in.
"""

from collections import defaultdict
from pathlib import Path
from typing import Final

from orderstore.store.port import Commit
from tests.workers.world import World
from workers.import_door import OrdersDoor
from workers.intake.door import instruction_key, sale_key
from workers.intake.online_retail.model import CancelOrder, Instruction, Sale
from workers.intake.online_retail.staging import stage

WHOLE_FILE: Final = Path(__file__).parents[3] / "shared" / "data" / "online_retail" / "online_retail.csv.gz"

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


async def histories_of(sales: list[tuple[Sale, list[Instruction]]]) -> Histories:
    """Live through each sale: what takes all of it back comes while it is being worked on, what takes a part back comes afterwards."""
    world = World()
    streams: dict[str, list[Commit]] = {}
    world.transactor._store.subscribe(lambda commit: streams.setdefault(commit.stream, []).append(commit))
    door = OrdersDoor(world.orders, tenant=world.orders._tenant)
    for sale, instructions in sales:
        await _live(world, door, sale, instructions)
        world.history.clear()
    return tuple(tuple(commits) for commits in streams.values())


async def _live(world: World, door: OrdersDoor, sale: Sale, instructions: list[Instruction]) -> None:
    key = sale_key(sale.invoice)
    wanted: dict[str, int] = defaultdict(int)
    for line in sale.lines:
        wanted[line.sku] += line.quantity
    await world.stock.receive(key, wanted)
    await door.place(sale, key=key)
    for instruction in instructions:
        if isinstance(instruction, CancelOrder):
            await door.cancel(instruction, key=instruction_key(instruction))
    await world.deliver()
    for instruction in instructions:
        if not isinstance(instruction, CancelOrder):
            await door.refund(instruction, key=instruction_key(instruction))
    await world.deliver()
