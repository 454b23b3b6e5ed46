"""`settings`: every variable with its meaning, default and unit; `version`."""

import json
from dataclasses import MISSING, fields
from importlib.metadata import version as version_of
from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from workers.commands.running import wide_console
from workers.settings import Settings, variable


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(settings)
    app.command()(version)


def settings(*, as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False) -> None:
    """List every environment variable that the service reads. Those with a * also hold for `up` and `demo`, which bring the others."""
    rows = [
        {
            "variable": variable(known),
            "meaning": known.metadata["meaning"],
            "default": _as_given(known.default),
            "required": known.default is MISSING,
            "unit": known.metadata["unit"],
            "alsoOnALaptop": known.metadata["business"],
        }
        for known in fields(Settings)
    ]
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    table = Table("variable", "default", "unit", "meaning", box=SIMPLE_HEAD)
    for row in rows:
        default = "(required)" if row["required"] else row["default"] or "(none)"
        name = f"{row['variable']}{' *' if row['alsoOnALaptop'] else ''}"
        table.add_row(name, str(default), str(row["unit"]), str(row["meaning"]))
    console = wide_console()
    console.print(table)
    console.print("* also for `orderstore up` and `orderstore demo`: the embedded environment brings the others.")


def _as_given(default: object) -> str | None:
    """A default as one would write it into the environment; None for none."""
    if default in (MISSING, None):
        return None
    return str(default).lower() if isinstance(default, bool) else str(default)


def version() -> None:
    """Print the version."""
    typer.echo(version_of("orderstore"))
