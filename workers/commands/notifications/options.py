"""What the commands on notifications share."""

from datetime import UTC, datetime
from typing import Annotated

import typer

OrderArgument = Annotated[str, typer.Argument(metavar="ORDER", help="The order's id.")]
Reason = Annotated[str, typer.Option("--reason", help="Why, such as a ticket's number. It is kept, in the clear.")]


def moment(at_ms: int) -> str:
    """A time, in UTC; nothing for 0."""
    return "" if not at_ms else datetime.fromtimestamp(at_ms / 1000, tz=UTC).strftime("%Y-%m-%d %H:%M:%S")
