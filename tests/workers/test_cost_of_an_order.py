"""What an order costs in the log is known: so many commits, each of one write unit. Whoever adds one sees it here."""

import pytest

from orderstore.store import items
from tests.virtual_time import run_virtual
from tests.workers.world import World


async def commits_of(world: World, order_id: str) -> list[int]:
    """The write units of each commit of an order."""
    history = await world.orders.load(order_id)
    commits = await world.transactor._store.read(history.stream)
    return [items.write_units(items.encode(commit).item) for commit in commits]


@pytest.mark.parametrize(
    ("hooks", "commits"),
    [({}, 10), ({"payment_outcome": "declined"}, 4), ({"inventory_outcome": "out_of_stock"}, 4)],
    ids=["happy", "declined", "out of stock"],
)
def test_an_order_costs_so_many_commits_of_one_write_unit(hooks: dict[str, str], commits: int) -> None:
    """DynamoDB charges a write unit per started KB; the invoice's transaction doubles one of them."""

    async def scenario() -> None:
        world = World()
        order_id = await world.place(**hooks)
        await world.deliver()

        assert await commits_of(world, order_id) == [1] * commits

    run_virtual(scenario)
