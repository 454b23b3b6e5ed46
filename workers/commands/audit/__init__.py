"""`orderstore audit …`: prove what happened. One module per command."""

import typer

from workers.commands.audit.bundle import bundle
from workers.commands.audit.diff import diff
from workers.commands.audit.history import history
from workers.commands.audit.replay import replay
from workers.commands.audit.root import root, roots
from workers.commands.audit.state import state
from workers.commands.audit.trail import trail
from workers.commands.audit.verify import verify


def add_to(app: typer.Typer) -> None:
    """Add the group."""
    group = typer.Typer(help="Prove what happened.", no_args_is_help=True)
    group.command()(bundle)
    group.command()(diff)
    group.command()(history)
    group.command(name="replay-check")(replay)
    group.command()(root)
    group.command()(roots)
    group.command()(state)
    group.command()(trail)
    group.command()(verify)
    app.add_typer(group, name="audit")
