"""`intake send`, `intake file`, `intake status`: order requests for the bus, files of them for the bucket, and what became of a file."""

import typer

from workers.commands.intake.files import put_file, status
from workers.commands.intake.sending import send


def add_to(app: typer.Typer) -> None:
    """Add the group."""
    group = typer.Typer(help="Order requests as events and as files (docs/intake.md).", no_args_is_help=True)
    group.command()(send)
    group.command(name="file")(put_file)
    group.command()(status)
    app.add_typer(group, name="intake")
