"""What the commands on notifications share."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

import typer

OrderArgument = Annotated[str, typer.Argument(metavar="ORDER", help="The order's id.")]
Reason = Annotated[str, typer.Option("--reason", help="Why, such as a ticket's number. It is kept, in the clear.")]


def moment(at_ms: int) -> str:
    """A time, in UTC; nothing for 0."""
    return "" if not at_ms else datetime.fromtimestamp(at_ms / 1000, tz=UTC).strftime("%Y-%m-%d %H:%M:%S")


def block(fields: Sequence[tuple[str, str]]) -> list[str]:
    """A line for each field that says something, the values under each other; none is cut."""
    width = max((len(name) for name, _ in fields), default=0) + 2
    return [f"{name:<{width}}{value}" for name, value in fields if value]
