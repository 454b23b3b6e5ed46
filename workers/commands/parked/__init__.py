"""`parked ls|show|retry|skip`: the orders with which a subscription could not go on, and what becomes of them."""

import typer

from workers.commands.parked.deciding import retry, skip
from workers.commands.parked.looking import ls, show


def add_to(app: typer.Typer) -> None:
    """Add the group."""
    group = typer.Typer(
        help="Orders that a subscription set aside because they cannot be applied.", no_args_is_help=True
    )
    group.command()(ls)
    group.command()(show)
    group.command()(retry)
    group.command()(skip)
    app.add_typer(group, name="parked")
