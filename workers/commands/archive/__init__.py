"""`orderstore archive …`: the log in S3. One module per command."""

import typer

from workers.commands.archive.catching_up import catch_up
from workers.commands.archive.listing import ls
from workers.commands.archive.parquet import parquet
from workers.commands.archive.restoring import restore
from workers.commands.archive.verifying import verify


def add_to(app: typer.Typer) -> None:
    """Add the group."""
    group = typer.Typer(help="The log in S3: prove it, complete it, restore from it, analyse it.", no_args_is_help=True)
    group.command()(ls)
    group.command()(verify)
    group.command(name="catch-up")(catch_up)
    group.command()(restore)
    group.command()(parquet)
    app.add_typer(group, name="archive")
