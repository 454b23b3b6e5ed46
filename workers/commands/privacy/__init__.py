"""`orderstore privacy …`: erase a person, show the certificate, look for personal data where none may be. One module per command."""

import typer

from workers.commands.privacy.buyer import show_buyer
from workers.commands.privacy.certificate import certificate
from workers.commands.privacy.erase import erase
from workers.commands.privacy.expire import expire
from workers.commands.privacy.scan import scan


def add_to(app: typer.Typer) -> None:
    """Add the group."""
    group = typer.Typer(help="Erase personal data, and prove that none is left.", no_args_is_help=True)
    group.command()(erase)
    group.command()(certificate)
    group.command()(scan)
    group.command()(expire)
    group.command("show-buyer")(show_buyer)
    app.add_typer(group, name="privacy")
