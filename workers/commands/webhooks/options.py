"""What the commands on webhooks share."""

import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

import typer

from workers.commands.running import with_core
from workers.core import Core
from workers.webhooks.desk import WebhooksDesk
from workers.webhooks.errors import NotPossible, UnknownDelivery, UnknownEndpoint
from workers.webhooks.opening import desk_of

T = TypeVar("T")
# Senders look every quarter of a minute; before that nobody is late.
LATE_S: Final = 20.0

EndpointId = Annotated[str, typer.Argument(metavar="ENDPOINT", help="Its id, as `webhooks ls` shows it.")]
Reason = Annotated[str, typer.Option("--reason", help="Why. It goes on record in the endpoint, in the clear.")]
Types = Annotated[
    list[str] | None, typer.Option("--type", metavar="EVENT", help="An event type; may be said several times.")
]


def at_desk(state_dir: Path, work: Callable[[WebhooksDesk], Awaitable[T]]) -> T:
    """Do something at the desk; what is wrong with the request is told as any wrong option is. Raises typer.BadParameter."""

    async def main(core: Core) -> T:
        return await work(desk_of(core))

    try:
        return with_core(state_dir, main)
    except (NotPossible, UnknownEndpoint, UnknownDelivery) as error:
        raise typer.BadParameter(str(error)) from error


def moment_ms(text: str, option: str) -> int:
    """A time as ISO 8601 has it; without an offset it is UTC. Raises typer.BadParameter."""
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        raise typer.BadParameter(f"{option}: a time such as 2026-11-20T08:00:00Z, or a day") from None
    return round((found if found.tzinfo is not None else found.replace(tzinfo=UTC)).timestamp() * 1000)


def tell(document: Mapping[str, Any], *, as_json: bool) -> None:
    """One endpoint, in words or as it is."""
    if as_json:
        typer.echo(json.dumps(document, indent=2))
        return
    cause = f" ({document['cause']})" if document["cause"] else ""
    typer.echo(f"{document['id']}  {document['url']}")
    typer.echo(f"  {document['state']}{cause} since {document['since']}; {document['description'] or 'no description'}")
    typer.echo(f"  event types: {', '.join(document['eventTypes']) or 'every public one'}")
    if document["failingSince"] is not None:
        typer.echo(f"  fails since {document['failingSince']}")
    for secret in document["secrets"]:
        until = f", signs until {secret['retiresAt']}" if secret["retiresAt"] else ""
        typer.echo(f"  secret {secret['id']} of {secret['createdAt']}{until}")
    for change in document.get("changes", ()):
        actor = change["actor"]
        typer.echo(f"  {change['at']} {actor['type']} {actor['id']}: {change['what']}: {change['reason']}")


def tell_secret(document: Mapping[str, Any]) -> None:
    """The one time that it is shown."""
    typer.echo(f"secret (shown this once): {document['secret']}")


def following(document: Mapping[str, Any], *, now: datetime | None = None) -> str:
    """When the next attempt is. Which endpoints are held, each sender knows alone: of what is late the possible causes are said."""
    if not document["nextAttemptAt"]:
        return ""
    at = datetime.fromisoformat(document["nextAttemptAt"])
    if ((now or datetime.now(UTC)) - at).total_seconds() <= LATE_S:
        return f", next attempt {document['nextAttemptAt']}"
    return f", due since {document['nextAttemptAt']}: held while the endpoint is down, or no sender runs"


def tell_delivery(document: Mapping[str, Any], *, as_json: bool) -> None:
    """One delivery with its attempts."""
    if as_json:
        typer.echo(json.dumps(document, indent=2))
        return
    typer.echo(
        f"{document['eventId']} {document['eventType']} {document['orderId'] or ''}: "
        f"{document['state']}{following(document)}"
    )
    for attempt in document["attempts"]:
        said = attempt["status"] if attempt["status"] is not None else "no answer"
        why = f" {attempt['error']}" if attempt["error"] else ""
        typer.echo(f"  {attempt['at']} {said}{why} ({attempt['durationMs']} ms)")
        if attempt["answer"].strip():
            typer.echo(f"    {attempt['answer'].strip()[:200]!r}")
