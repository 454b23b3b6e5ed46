"""`exceptions ls|show|retry|skip|resume|cancel`: the orders that want somebody, and what is done about them."""

import typer

from workers.commands.exceptions.acting import cancel, resume, retry, skip
from workers.commands.exceptions.looking import ls, show


def add_to(app: typer.Typer) -> None:
    """Add the group."""
    group = typer.Typer(
        help="Orders that want somebody: late, held, disputed, not as they should be.", no_args_is_help=True
    )
    for command in (ls, show, retry, skip, resume, cancel):
        group.command()(command)
    app.add_typer(group, name="exceptions")
