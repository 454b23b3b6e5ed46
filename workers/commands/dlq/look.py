"""`dlq ls`, `dlq show`, `dlq log`: what lies there, one letter, and what was done."""

import json
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from workers.commands.audit.options import print_table, table_of
from workers.commands.dlq.options import (
    CauseOf,
    LetterId,
    NewerThan,
    OlderThan,
    OrderOf,
    Queue,
    TypeOf,
    ago,
    at_desk,
    not_whole,
    wanted_of,
)
from workers.commands.running import DEFAULT_STATE_DIR, AsJson, StateDir
from workers.dead_letters.desk import LISTED_MAX, Desk
from workers.dead_letters.look import LETTERS_DEFAULT, LETTERS_MAX

Document = Mapping[str, Any]


def ls(
    queue: Annotated[str | None, typer.Argument(metavar="QUEUE", help="Only this queue's.")] = None,
    *,
    each: Annotated[bool, typer.Option("--each", help="The letters one by one (of one queue), not in groups.")] = False,
    cause: CauseOf = None,
    event_type: TypeOf = None,
    order: OrderOf = None,
    older_than: OlderThan = None,
    newer_than: NewerThan = None,
    limit: Annotated[
        int | None,
        typer.Option("--limit", min=1, max=LETTERS_MAX, help="So many letters are looked at; with --each, listed."),
    ] = None,
    as_json: AsJson = False,
    state_dir: StateDir = DEFAULT_STATE_DIR,
) -> None:
    """List what lies in the dead-letter queues: in groups of one cause and event type, or one by one. Everything is put back at once."""
    wanted = wanted_of(cause=cause, event_type=event_type, order=order, older_than=older_than, newer_than=newer_than)
    if not each:
        if wanted:
            raise typer.BadParameter("groups have no filters: add --each, and name the queue")
        _groups(queue, limit or LETTERS_DEFAULT, as_json=as_json, state_dir=state_dir)
        return
    if queue is None:
        raise typer.BadParameter("--each wants a queue")
    name, listed = queue, min(limit or 100, LISTED_MAX)

    async def work(desk: Desk) -> Document:
        return await desk.letters(name, wanted, limit=listed)

    found = at_desk(state_dir, work)
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    if not found["items"]:
        typer.echo(f"No letter of {name} is meant: {found['lookedAt']:,} looked at.")
        not_whole(found["notWhole"], again="Look again in a minute.")
        return
    table = table_of("letter", "event", "order", "sent", "age", "tries", "redriven", "cause")
    for item in found["items"]:
        table.add_row(
            item["messageId"],
            item["eventType"] or "?",
            item["orderId"] or "?",
            item["sentAt"],
            ago(item["ageSeconds"]),
            "?" if item["attempts"] is None else str(item["attempts"]),
            str(item["timesRedriven"]),
            item["cause"],
        )
    print_table(table)
    typer.echo(f"{found['meant']:,} of {found['lookedAt']:,} letters of {name}; {len(found['items']):,} are shown.")
    not_whole(found["notWhole"], again="Look again in a minute.")


def show(queue: Queue, letter: LetterId, *, as_json: AsJson = False, state_dir: StateDir = DEFAULT_STATE_DIR) -> None:
    """Show one letter: cause, attempts, attributes, body; where its order stands, and what was done before."""

    async def work(desk: Desk) -> Document:
        return await desk.letter(queue, letter)

    found = at_desk(state_dir, work)
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    tries = "an unknown number of" if found["attempts"] is None else str(found["attempts"])
    lines = [
        ("letter", f"{found['messageId']} in {found['queue']}-dlq"),
        ("cause", found["cause"]),
        ("", found["meaning"]),
        ("event", f"{found['eventType'] or '?'} {found['eventId'] or '?'}"),
        ("order", f"{found['orderId'] or '?'}: {found['order']['words']}"),
        ("sent", f"{found['sentAt']} ({ago(found['ageSeconds'])} ago), received {tries} times by the worker"),
        ("redriven", f"{found['timesRedriven']} times before" if found["timesRedriven"] else "never"),
    ]
    if found["unreadable"] is not None:
        lines.insert(3, ("unreadable", found["unreadable"]))
    for name, text in lines:
        typer.echo(f"{name:<11}{text}")
    for name, value in found["attributes"].items():
        typer.echo(f"{'attribute':<11}{name} = {value}")
    typer.echo(f"{'body':<11}sha256 {found['bodySha256']}")
    typer.echo(found["body"])
    for act in found["done"]:
        typer.echo(_act(act))


def log(
    *,
    order: OrderOf = None,
    without_order: Annotated[bool, typer.Option("--without-order", help="Of letters that name no order.")] = False,
    as_json: AsJson = False,
    state_dir: StateDir = DEFAULT_STATE_DIR,
) -> None:
    """Show what was done with the letters of an order, by whom and why, oldest first."""
    if (order is None) != without_order:
        raise typer.BadParameter("name an order, or say --without-order")

    async def work(desk: Desk) -> list[Document]:
        return list(await desk.acts(order))

    acts = at_desk(state_dir, work)
    if as_json:
        typer.echo(json.dumps(acts, indent=2))
        return
    for act in acts:
        typer.echo(_act(act))
    typer.echo(f"{len(acts):,} acts")


def _groups(queue: str | None, limit: int, *, as_json: bool, state_dir: StateDir) -> None:
    async def work(desk: Desk) -> Document:
        return await desk.groups(() if queue is None else (queue,), letters_max=limit)

    found = at_desk(state_dir, work)
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    told: set[str] = set()
    for group in found["groups"]:
        counted = {"redriven before": group["redrivenBefore"], "unreadable": group["unreadable"]}
        beside = "".join(f", {count:,} {what}" for what, count in counted.items() if count)
        typer.echo(f"{group['queue']}: {group['letters']:,} x {group['eventType'] or 'no event'}{beside}")
        typer.echo(f"  cause    {group['cause']}")
        if group["cause"] not in told:
            typer.echo(f"           {group['meaning']}")
        told.add(group["cause"])
        typer.echo(
            f"  sent     {group['oldest']} to {group['newest']}; the oldest is {ago(group['oldestAgeSeconds'])} old"
        )
        typer.echo(f"  such as  orderstore dlq show {group['queue']} {group['examples'][0]}")
    typer.echo(f"{found['letters']:,} dead letters")
    for name, text in found["notWhole"].items():
        not_whole(f"{name}: {text}", again="Look again in a minute, or with a larger --limit.")


def _act(act: Document) -> str:
    what = f"{act['act']} {act['number']}" if "number" in act else act["act"]
    about = act.get("eventType", "letter")
    moved = ", although its order had moved on" if act.get("evenIfMovedOn") and act["act"] == "redrive" else ""
    return (
        f"{act['at']} {act['queue']}: {what} of {about} {act.get('event', act['letter'])} "
        f"by {act['actorType']} {act['actorId']}{moved}: {act['reason']}"
    )
