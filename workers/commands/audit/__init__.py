"""`orderstore audit …`: prove what happened. One module per command."""

import typer

from workers.commands.audit.history import history
from workers.commands.audit.verify import verify


def add_to(app: typer.Typer) -> None:
    """Add the group."""
    group = typer.Typer(help="Prove what happened.", no_args_is_help=True)
    group.command()(history)
    group.command()(verify)
    app.add_typer(group, name="audit")
