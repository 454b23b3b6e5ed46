"""`notifications …`: what customers and operators were told, telling it again, and who must not be written to."""

import typer

from workers.commands.notifications import suppressing
from workers.commands.notifications.listing import ls
from workers.commands.notifications.resending import resend


def add_to(app: typer.Typer) -> None:
    """Add the group."""
    group = typer.Typer(help="What was told of an order, and who must not be written to.", no_args_is_help=True)
    group.command()(ls)
    group.command()(resend)
    suppressing.add_to(group)
    app.add_typer(group, name="notifications")
