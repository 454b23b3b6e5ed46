"""`orderstore dlq …`: work with dead letters. Every act is on record, and every command but `purge` can be repeated safely."""

import typer

from workers.commands.dlq.look import log, ls, show
from workers.commands.dlq.mend import correct, purge
from workers.commands.dlq.redrive import redrive


def add_to(app: typer.Typer) -> None:
    """Add the group."""
    group = typer.Typer(help="Dead letters: look, send on, correct, delete; all on record.", no_args_is_help=True)
    for command in (ls, show, redrive, correct, purge, log):
        group.command()(command)
    app.add_typer(group, name="dlq")
