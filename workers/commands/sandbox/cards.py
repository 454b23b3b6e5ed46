"""`sandbox cards`: what an order may be paid with in the sandbox."""

import json

import typer

from orderstore.sandbox_cards import MEANINGS
from workers.commands.running import AsJson


def cards(*, as_json: AsJson = False) -> None:
    """List the payment methods of the sandbox, each with what it does. Every other token, and none, is a good card."""
    if as_json:
        typer.echo(json.dumps(MEANINGS, indent=2))
        return
    width = max(map(len, MEANINGS))
    for method, meaning in MEANINGS.items():
        typer.echo(f"{method:<{width}}  {meaning}")
