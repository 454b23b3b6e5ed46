"""`stock wake`, and what the bookings do at their end: whoever waits for goods is looked at again."""

import json
from collections.abc import Collection
from dataclasses import asdict
from typing import Annotated

import typer

from workers.commands.running import DEFAULT_STATE_DIR, AsJson, StateDir, complain, counted, with_core
from workers.core import Core
from workers.sweepers import due_lists, order_sweep
from workers.sweeping.ports import ListsUnavailable
from workers.sweeping.rechecking import ORDERS_MAX
from workers.sweeping.waking import LOOKED_AT_MAX, Woken, wake_waiting


def add_to(group: typer.Typer) -> None:
    """Add the command."""
    group.command()(wake)


def wake(
    skus: Annotated[
        list[str] | None, typer.Argument(metavar="[SKU]...", help="Only who waits for one of these.")
    ] = None,
    *,
    as_json: AsJson = False,
    state_dir: StateDir = DEFAULT_STATE_DIR,
) -> None:
    """Have stock look at the orders that wait for goods, now; the sweeper does once an hour, and each booking does for its articles."""

    async def work(core: Core) -> Woken:
        return await wake_waiting(
            due_lists(core), core.orders, order_sweep(core), skus=skus or None, looked_at_max=ORDERS_MAX
        )

    try:
        found = with_core(state_dir, work)
    except ListsUnavailable as error:
        complain(f"the list of who waits cannot be read now: {error}; nothing was changed")
        raise typer.Exit(1) from None
    if as_json:
        typer.echo(json.dumps(asdict(found), indent=2))
        return
    for order_id in found.orders:
        typer.echo(order_id)
    typer.echo(
        f"{counted(found.looked_at, 'order waits', 'orders wait')} for goods, {len(found.orders)} of them looked at again"
    )


async def after_booking(core: Core, skus: Collection[str]) -> str:
    """Goods have come in: what is to be said of who waits for them. Booked is booked, whatever becomes of it; nothing is raised."""
    try:
        found = await wake_waiting(due_lists(core), core.orders, order_sweep(core), skus=skus)
    except Exception as error:  # noqa: BLE001 - ListsUnavailable, or any fault of a view or a log: the goods are booked in
        return f"; who waits for it could not be looked at ({type(error).__name__}): the sweeper does within the hour"
    said = (
        f"; {counted(len(found.orders), 'order', 'orders')} that waited for it looked at again" if found.orders else ""
    )
    if found.more:
        said += f"; more than {LOOKED_AT_MAX} orders wait for goods: `orderstore stock wake` looks at all of them"
    return said
