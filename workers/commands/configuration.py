"""`settings`: every variable with its meaning, default and unit; `version`."""

import json
from dataclasses import MISSING, fields
from importlib.metadata import version as version_of
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from workers.settings import Settings, variable


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(settings)
    app.command()(version)


def settings(*, as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False) -> None:
    """List every environment variable that the service reads."""
    rows = [
        {
            "variable": variable(known),
            "meaning": known.metadata["meaning"],
            "default": None if known.default in (MISSING, None) else str(known.default),
            "required": known.default is MISSING,
            "unit": known.metadata["unit"],
        }
        for known in fields(Settings)
    ]
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    table = Table("variable", "default", "unit", "meaning")
    for row in rows:
        default = "(required)" if row["required"] else row["default"] or "(none)"
        table.add_row(str(row["variable"]), str(default), str(row["unit"]), str(row["meaning"]))
    Console().print(table)


def version() -> None:
    """Print the version."""
    typer.echo(version_of("orderstore"))
