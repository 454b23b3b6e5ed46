"""`webhooks ls`, `add`, `show`, `change`, `enable`, `disable`, `remove`, `rotate`."""

import json
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from workers.commands.acting import By, operator
from workers.commands.running import DEFAULT_STATE_DIR, AsJson, StateDir
from workers.commands.webhooks.options import EndpointId, Reason, Types, at_desk, tell, tell_secret
from workers.webhooks.desk import WebhooksDesk
from workers.webhooks.endpoint_desk import OVERLAP_S_DEFAULT, OVERLAP_S_MAX

HOUR_S = 3_600

Description = Annotated[str | None, typer.Option("--description", help="Whose it is, and what for.")]


def listing(*, as_json: AsJson = False, state_dir: StateDir = DEFAULT_STATE_DIR) -> None:
    """All endpoints, with their state."""

    async def work(desk: WebhooksDesk) -> Mapping[str, Any]:
        return await desk.endpoints()

    found = at_desk(state_dir, work)
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    for one in found["endpoints"]:
        tell(one, as_json=False)
    typer.echo(f"{len(found['endpoints'])} endpoints")


def add(
    url: Annotated[str, typer.Argument(metavar="URL", help="An https address on a public host.")],
    *,
    reason: Reason,
    event_types: Types = None,
    description: Description = None,
    by: By = None,
    as_json: AsJson = False,
    state_dir: StateDir = DEFAULT_STATE_DIR,
) -> None:
    """Add an endpoint; without --type it is told of every public event. Its secret is shown this once."""
    actor = operator(by)

    async def work(desk: WebhooksDesk) -> Mapping[str, Any]:
        return await desk.add(
            url=url, event_types=event_types or (), description=description or "", actor=actor, reason=reason
        )

    _tell_with_secret(at_desk(state_dir, work), as_json=as_json)


def show(endpoint: EndpointId, *, as_json: AsJson = False, state_dir: StateDir = DEFAULT_STATE_DIR) -> None:
    """One endpoint, and who changed what."""

    async def work(desk: WebhooksDesk) -> Mapping[str, Any]:
        return await desk.endpoint(endpoint)

    tell(at_desk(state_dir, work), as_json=as_json)


def change(
    endpoint: EndpointId,
    *,
    reason: Reason,
    url: Annotated[str | None, typer.Option("--url", help="Another address; what waits goes there.")] = None,
    event_types: Types = None,
    every_type: Annotated[bool, typer.Option("--every-type", help="Of every public event.")] = False,
    description: Description = None,
    by: By = None,
    as_json: AsJson = False,
    state_dir: StateDir = DEFAULT_STATE_DIR,
) -> None:
    """Change an endpoint's address, event types or description."""
    if every_type and event_types:
        raise typer.BadParameter("say --type or --every-type, not both")
    actor = operator(by)
    types = () if every_type else event_types or None

    async def work(desk: WebhooksDesk) -> Mapping[str, Any]:
        return await desk.change(
            endpoint, url=url, event_types=types, description=description, actor=actor, reason=reason
        )

    tell(at_desk(state_dir, work), as_json=as_json)


def enable(
    endpoint: EndpointId,
    *,
    reason: Reason,
    by: By = None,
    as_json: AsJson = False,
    state_dir: StateDir = DEFAULT_STATE_DIR,
) -> None:
    """Send to it again. What was put aside meanwhile is not sent by itself: `webhooks replay`."""
    actor = operator(by)
    tell(
        at_desk(state_dir, lambda desk: desk.enable(endpoint, actor=actor, reason=reason)),
        as_json=as_json,
    )


def disable(
    endpoint: EndpointId,
    *,
    reason: Reason,
    by: By = None,
    as_json: AsJson = False,
    state_dir: StateDir = DEFAULT_STATE_DIR,
) -> None:
    """Send nothing to it. For two weeks what happens is put aside, to be replayed."""
    actor = operator(by)
    tell(
        at_desk(state_dir, lambda desk: desk.disable(endpoint, actor=actor, reason=reason)),
        as_json=as_json,
    )


def remove(
    endpoint: EndpointId,
    *,
    reason: Reason,
    by: By = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    state_dir: StateDir = DEFAULT_STATE_DIR,
) -> None:
    """Remove an endpoint for good, its secrets with it."""
    actor = operator(by)
    if not yes:
        typer.confirm(f"Remove {endpoint} for good?", abort=True)
    at_desk(state_dir, lambda desk: desk.remove(endpoint, actor=actor, reason=reason))
    typer.echo(f"{endpoint} is removed")


def rotate(
    endpoint: EndpointId,
    *,
    reason: Reason,
    overlap_h: Annotated[
        float,
        typer.Option("--overlap-hours", min=0, max=OVERLAP_S_MAX / HOUR_S, help="So long both sign; 0 if it leaked."),
    ] = OVERLAP_S_DEFAULT / HOUR_S,
    by: By = None,
    as_json: AsJson = False,
    state_dir: StateDir = DEFAULT_STATE_DIR,
) -> None:
    """Make a new secret, shown this once; the one before signs beside it for a while."""
    actor, overlap_s = operator(by), round(overlap_h * HOUR_S)

    async def work(desk: WebhooksDesk) -> Mapping[str, Any]:
        return await desk.rotate(endpoint, overlap_s=overlap_s, actor=actor, reason=reason)

    _tell_with_secret(at_desk(state_dir, work), as_json=as_json)


def _tell_with_secret(document: Mapping[str, Any], *, as_json: bool) -> None:
    tell(document, as_json=as_json)
    if not as_json:
        tell_secret(document)
