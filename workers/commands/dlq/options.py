"""What the commands on dead letters share."""

import re
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

import typer

from workers.commands.running import with_core
from workers.core import Core
from workers.dead_letters.desk import Desk
from workers.dead_letters.errors import NotAllowed, UnknownQueue
from workers.dead_letters.opening import desk_of

T = TypeVar("T")

_UNITS: Final[Mapping[str, int]] = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}

Queue = Annotated[
    str,
    typer.Argument(
        metavar="QUEUE", help="payment, inventory, shipping, billing, notification, archive, webhooks, intake."
    ),
]
LetterId = Annotated[
    str, typer.Argument(metavar="LETTER", help="The letter's message id, as `dlq ls QUEUE --each` shows it.")
]
OneLetter = Annotated[str | None, typer.Option("--id", metavar="LETTER", help="Only this letter.")]
CauseOf = Annotated[
    str | None, typer.Option("--cause", metavar="TEXT", help="Only letters whose cause has this text in it.")
]
TypeOf = Annotated[str | None, typer.Option("--type", metavar="EVENT", help="Only letters of this event type.")]
OrderOf = Annotated[str | None, typer.Option("--order", metavar="ORDER", help="Only letters of this order.")]
OlderThan = Annotated[str | None, typer.Option("--older-than", metavar="AGE", help="Such as 90s, 15m, 2h or 3d.")]
NewerThan = Annotated[str | None, typer.Option("--newer-than", metavar="AGE", help="Such as 90s, 15m, 2h or 3d.")]
Reason = Annotated[
    str, typer.Option("--reason", help="Why, such as an incident's number. It goes on record, in the clear.")
]


def wanted_of(
    *,
    letter: str | None = None,
    cause: str | None = None,
    event_type: str | None = None,
    order: str | None = None,
    older_than: str | None = None,
    newer_than: str | None = None,
) -> dict[str, Any]:
    """The letters that are meant, for the desk. Raises typer.BadParameter."""
    said = {
        "message_id": letter,
        "cause": cause,
        "event_type": event_type,
        "order_id": order,
        "older_than_s": None if older_than is None else _seconds(older_than, "--older-than"),
        "newer_than_s": None if newer_than is None else _seconds(newer_than, "--newer-than"),
    }
    return {name: value for name, value in said.items() if value is not None}


def at_desk(state_dir: Path, work: Callable[[Desk], Awaitable[T]]) -> T:
    """Do something at the desk; what is wrong with the request is told as any wrong option is. Raises typer.BadParameter."""

    async def main(core: Core) -> T:
        return await work(desk_of(core))

    try:
        return with_core(state_dir, main)
    except (NotAllowed, UnknownQueue) as error:
        raise typer.BadParameter(str(error)) from error


def not_whole(text: str | None, *, again: str) -> None:
    """Say that it was not the whole queue."""
    if text is not None:
        typer.echo(f"This was not the whole queue: {text}. {again}")


def ago(seconds: int) -> str:
    """An age, in two units at most."""
    days, rest = divmod(seconds, 86_400)
    hours, rest = divmod(rest, 3_600)
    minutes, left = divmod(rest, 60)
    parts = [f"{count}{unit}" for count, unit in ((days, "d"), (hours, "h"), (minutes, "m"), (left, "s")) if count]
    return " ".join(parts[:2]) or "0s"


def _seconds(text: str, option: str) -> float:
    found = re.fullmatch(r"(\d{1,7})([smhd])", text.strip())
    if found is None:
        raise typer.BadParameter(f"{option}: an age is a number and a unit, such as 90s, 15m, 2h or 3d")
    return float(int(found[1]) * _UNITS[found[2]])
