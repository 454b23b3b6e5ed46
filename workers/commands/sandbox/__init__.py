"""`sandbox cards|bank|dispute`: who tries the service out plays the world around it, against the sandbox's providers and no others."""

import typer

from workers.commands.sandbox.cards import cards
from workers.commands.sandbox.playing import bank, dispute


def add_to(app: typer.Typer) -> None:
    """Add the group."""
    group = typer.Typer(help="Play the bank and the cardholder, against the sandbox's providers.", no_args_is_help=True)
    for command in (cards, bank, dispute):
        group.command()(command)
    app.add_typer(group, name="sandbox")
