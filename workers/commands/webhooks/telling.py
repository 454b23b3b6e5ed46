"""`webhooks attempts`, `replay`, `redeliver`, `test`."""

import json
from collections.abc import Mapping
from typing import Annotated, Any, Final

import anyio
import typer

from workers.commands.acting import By, operator
from workers.commands.running import DEFAULT_STATE_DIR, AsJson, StateDir, counting
from workers.commands.webhooks.options import EndpointId, Reason, Types, at_desk, following, moment_ms, tell_delivery
from workers.webhooks.delivery import STATES, UNDELIVERED, DeliveryState
from workers.webhooks.desk import LISTED_MAX, WebhooksDesk
from workers.webhooks.replaying import RATE_DEFAULT, RATE_MAX, REPLAYED_DEFAULT, REPLAYED_MAX

TEST_WAIT_S: Final = 30.0
TEST_LOOK_S: Final = 1.0

From = Annotated[str, typer.Option("--from", metavar="TIME", help="Events that occurred from then on, UTC.")]
To = Annotated[str, typer.Option("--to", metavar="TIME", help="… and before then.")]


def attempts(
    endpoint: EndpointId,
    *,
    event: Annotated[str | None, typer.Option("--event", help="Only this event's, with every attempt.")] = None,
    state: Annotated[str | None, typer.Option("--state", help=f"Only those that are {', '.join(STATES)}.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=LISTED_MAX, help="How many at most.")] = 20,
    as_json: AsJson = False,
    state_dir: StateDir = DEFAULT_STATE_DIR,
) -> None:
    """What an endpoint was told of, newest first; with --event all attempts, and what the endpoint answered."""
    if event is not None:
        tell_delivery(at_desk(state_dir, lambda desk: desk.delivery(endpoint, event)), as_json=as_json)
        return
    wanted = None if state is None else _state(state)

    async def work(desk: WebhooksDesk) -> Mapping[str, Any]:
        return await desk.deliveries(endpoint, state=wanted, limit=limit)

    found = at_desk(state_dir, work)
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    for one in found["deliveries"]:
        tries = f"{one['tries']} tries" if one["tries"] else "not tried"
        last = f", last answer {one['lastStatus'] or 'none'}" if one["tries"] else ""
        typer.echo(
            f"{one['occurredAt']} {one['eventId']} {one['eventType']} {one['orderId'] or ''}: "
            f"{one['state']}, {tries}{last}{following(one)}"
        )
    more = " (there are more)" if found["nextCursor"] else ""
    typer.echo(f"{len(found['deliveries'])} deliveries{more}")


def replay(
    endpoint: EndpointId,
    *,
    from_: From,
    to: To,
    event_types: Types = None,
    states: Annotated[
        list[str] | None,
        typer.Option("--state", help=f"Which; may be said several times. Else {', '.join(UNDELIVERED)}."),
    ] = None,
    from_log: Annotated[
        bool, typer.Option("--from-log", help="Also what happened before the endpoint was there; reads the whole log.")
    ] = False,
    name: Annotated[
        str | None, typer.Option("--name", help="The same name goes on where it ended; else it is made of the range.")
    ] = None,
    reason: Annotated[str | None, typer.Option("--reason", help="Why. It goes on record. Not for --dry-run.")] = None,
    by: By = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be sent, and change nothing.")] = False,
    rate: Annotated[
        float, typer.Option("--rate", help="At most so many a second.", min=0.01, max=RATE_MAX)
    ] = RATE_DEFAULT,
    most: Annotated[
        int, typer.Option("--max", help="At most so many in this run.", min=1, max=REPLAYED_MAX)
    ] = REPLAYED_DEFAULT,
    as_json: AsJson = False,
    state_dir: StateDir = DEFAULT_STATE_DIR,
) -> None:
    """Send a range of events again, under the same webhook ids. Interrupted, run it again: nothing is sent a third time."""
    if not dry_run and reason is None:
        raise typer.BadParameter("say why (--reason), or only look (--dry-run)")
    actor = operator(by)
    from_ms, until_ms = moment_ms(from_, "--from"), moment_ms(to, "--to")
    wanted = tuple(_state(one) for one in states) if states else UNDELIVERED
    progress, show = counting("replaying")

    async def work(desk: WebhooksDesk) -> Mapping[str, Any]:
        return await desk.replay(
            endpoint,
            from_ms=from_ms,
            until_ms=until_ms,
            event_types=event_types or (),
            states=wanted,
            from_log=from_log,
            name=name,
            dry_run=dry_run,
            rate_per_s=rate,
            most=most,
            actor=actor,
            reason=reason,
            progress=lambda report: show(report.replayed, "events"),
        )

    with progress:
        done = at_desk(state_dir, work)
    if as_json:
        typer.echo(json.dumps(done, indent=2))
        return
    for event_type, count in done["byType"].items():
        typer.echo(f"{count:>9,} {event_type}")
    would = "would be " if dry_run else ""
    typer.echo(
        f"{done['replayed']:,} events {would}sent again ({done['made']:,} for the first time), {done['waiting']:,} wait already, "
        f"{done['doneBefore']:,} were done before, {done['notMeant']:,} are not meant; replay {done['replay']}"
    )
    if done["unreadableOrders"]:
        typer.echo(f"{done['unreadableOrders']:,} orders cannot be read as they are stored: orderstore audit verify")
    if not done["whole"]:
        typer.echo("There may be more: run it again.")


def redeliver(
    endpoint: EndpointId,
    event: Annotated[str, typer.Argument(metavar="EVENT", help="The event's id.")],
    *,
    reason: Reason,
    by: By = None,
    as_json: AsJson = False,
    state_dir: StateDir = DEFAULT_STATE_DIR,
) -> None:
    """Send one event again, whatever became of it."""
    actor = operator(by)

    async def work(desk: WebhooksDesk) -> Mapping[str, Any]:
        return await desk.redeliver(endpoint, event, actor=actor, reason=reason)

    tell_delivery(at_desk(state_dir, work), as_json=as_json)


def send_test(endpoint: EndpointId, *, as_json: AsJson = False, state_dir: StateDir = DEFAULT_STATE_DIR) -> None:
    """Send an endpoint something that means nothing, also while it is held, and show what it says. Exit 1 unless it took it."""

    async def work(desk: WebhooksDesk) -> Mapping[str, Any]:
        found = await desk.test(endpoint)
        with anyio.move_on_after(TEST_WAIT_S):
            while not found["attempts"]:
                await anyio.sleep(TEST_LOOK_S)
                found = await desk.delivery(endpoint, found["eventId"])
        return found

    found = at_desk(state_dir, work)
    tell_delivery(found, as_json=as_json)
    if not found["attempts"] and not as_json:
        typer.echo(
            f"Nobody has tried it within {TEST_WAIT_S:.0f} s. A test is not held while the endpoint is down: either no process of "
            "the role webhooks runs, or its attempts to this endpoint are all under way. "
            f"Look again: orderstore webhooks attempts {endpoint} --event {found['eventId']}"
        )
    if found["state"] != "delivered":
        raise typer.Exit(1)


def _state(text: str) -> DeliveryState:
    if text not in STATES:
        raise typer.BadParameter(f"--state: one of {', '.join(STATES)}")
    return text
