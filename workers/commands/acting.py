"""Who acts, and why: what every command asks for that changes something by a person's decision."""

import getpass
from typing import Annotated, Final

import typer

from orderstore.recorded import Actor
from orderstore.request_fields import check_clear_text, check_identifier
from workers.commands.running import checked

REASON_CHARACTERS_MAX: Final = 500

By = Annotated[str | None, typer.Option("--by", help="Who does it; else the user of this machine.")]


def operator(by: str | None) -> Actor:
    """Who acts. Raises typer.BadParameter: it is no identifier, or nobody is named and this machine's user has no name."""
    return Actor("operator", checked(check_identifier, by or _user_here(), "--by"))


def reason_of(text: str, *, characters_max: int = REASON_CHARACTERS_MAX) -> str:
    """Why, as it may stand on record in the clear. Raises typer.BadParameter."""
    if len(text) > characters_max:
        raise typer.BadParameter(f"--reason has at most {characters_max} characters")
    return checked(check_clear_text, text, "--reason")


def _user_here() -> str:
    """The user of this machine, who has a name where people work and none in a container."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError) as error:
        raise typer.BadParameter("this user has no name here: say who does it (--by)") from error
