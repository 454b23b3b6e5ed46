"""`orderstore returns …`: what comes back, from its announcement to its inspection."""

import typer

from workers.commands.returns.handling import approve, cancel, decline, inspect, receive
from workers.commands.returns.requesting import request


def add_to(app: typer.Typer) -> None:
    """Add the group."""
    group = typer.Typer(
        help="Returns and exchanges: announce, allow, receive, inspect; all on record.", no_args_is_help=True
    )
    for command in (request, approve, decline, cancel, receive, inspect):
        group.command()(command)
    app.add_typer(group, name="returns")
