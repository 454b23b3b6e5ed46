"""`dlq correct`, `dlq purge`: a right body for a wrong one, and deleting for good."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import click
import typer

from workers.commands.acting import By, operator
from workers.commands.dlq.options import (
    CauseOf,
    LetterId,
    NewerThan,
    OlderThan,
    OneLetter,
    OrderOf,
    Queue,
    Reason,
    TypeOf,
    ago,
    at_desk,
    not_whole,
    wanted_of,
)
from workers.commands.running import DEFAULT_STATE_DIR, AsJson, StateDir, fail
from workers.dead_letters.desk import Desk
from workers.dead_letters.letter import sha256_of
from workers.dead_letters.mending import PURGE_MAX

BODY_BYTES_MAX: Final = 512 * 1024
SHOWN_MAX: Final = 20


def correct(
    queue: Queue,
    letter: LetterId,
    *,
    reason: Reason,
    file: Annotated[
        Path | None, typer.Option("--file", metavar="FILE", exists=True, dir_okay=False, help="The right body.")
    ] = None,
    edit: Annotated[bool, typer.Option("--edit", help="Edit the body that it has, with $EDITOR.")] = False,
    from_log: Annotated[bool, typer.Option("--from-log", help="Take the body that the log has for its event.")] = False,
    by: By = None,
    as_json: AsJson = False,
    state_dir: StateDir = DEFAULT_STATE_DIR,
) -> None:
    """Replace the body of a letter. It stays among the dead letters, with its cause, under a new id: redrive it then.

    The new body must be an envelope that the worker can read, of the same event and order, and the event must be in the order's log.
    """
    if [file is not None, edit, from_log].count(True) != 1:
        raise typer.BadParameter("say where the right body comes from: --file, --edit or --from-log")
    actor = operator(by)
    body: str | None = None
    if file is not None:
        body = _text_of(file)
    elif edit:
        body = _edited(state_dir, queue, letter)

    async def work(desk: Desk) -> Mapping[str, Any]:
        return await desk.correct(queue, letter, body, actor=actor, reason=reason)

    done = at_desk(state_dir, work)
    if as_json:
        typer.echo(json.dumps(done, indent=2))
        return
    typer.echo(f"{letter} is now {done['messageId']}: body {done['oldBodySha256']} became {done['newBodySha256']}")
    typer.echo(f"send it on: orderstore dlq redrive {queue} --id {done['messageId']} --reason …")


def purge(
    queue: Queue,
    *,
    reason: Reason,
    letter: OneLetter = None,
    cause: CauseOf = None,
    event_type: TypeOf = None,
    order: OrderOf = None,
    older_than: OlderThan = None,
    newer_than: NewerThan = None,
    confirm: Annotated[
        int | None,
        typer.Option(
            "--confirm", min=1, max=PURGE_MAX, help="How many letters these are; else they are shown, and it asks."
        ),
    ] = None,
    by: By = None,
    as_json: AsJson = False,
    state_dir: StateDir = DEFAULT_STATE_DIR,
) -> None:
    """Delete letters for good. Each is looked at and put on record first; if they are not exactly as many as confirmed, none is deleted."""
    wanted = wanted_of(
        letter=letter, cause=cause, event_type=event_type, order=order, older_than=older_than, newer_than=newer_than
    )
    actor = operator(by)
    shown: str | None = None

    async def work(desk: Desk) -> Mapping[str, Any]:
        return await desk.purge(queue, wanted, actor=actor, reason=reason, confirm=confirm, shown=shown)

    if confirm is None:
        meant = at_desk(state_dir, work)
        _tell(meant)
        if not meant["count"]:
            raise typer.Exit
        typer.confirm(f"Delete these {meant['count']:,} letters of {queue} for good?", abort=True)
        confirm, shown = meant["count"], meant["shown"]
    done = at_desk(state_dir, work)
    if as_json:
        typer.echo(json.dumps(done, indent=2))
    else:
        typer.echo(f"{done['count']:,} letters of {queue} are deleted, and on record")
        not_whole(done["notWhole"], again="There may be more.")


def _tell(meant: Mapping[str, Any]) -> None:
    for item in meant["letters"][:SHOWN_MAX]:
        about = f"{item['eventType'] or '?'} {item['orderId'] or '?'}"
        typer.echo(f"{item['messageId']} {about}, {ago(item['ageSeconds'])} old: {item['cause']}")
    if meant["count"] > SHOWN_MAX:
        typer.echo(f"… and {meant['count'] - SHOWN_MAX:,} more")
    typer.echo(f"{meant['count']:,} letters are meant")
    not_whole(meant["notWhole"], again="There may be more.")


def _edited(state_dir: Path, queue: str, letter: str) -> str:
    async def work(desk: Desk) -> Mapping[str, Any]:
        return await desk.letter(queue, letter)

    found = at_desk(state_dir, work)
    if sha256_of(found["body"]) != found["bodySha256"]:
        fail("This body is too long, or too strange, for an editor: write the right one to a file, and give --file.")
    text: str | None = click.edit(found["body"], extension=".json")
    if text is None:
        fail("The body was left as it is; nothing was changed.")
    return str(text).strip()


def _text_of(file: Path) -> str:
    if file.stat().st_size > BODY_BYTES_MAX:
        raise typer.BadParameter(f"--file: a body has at most {BODY_BYTES_MAX:,} bytes")
    try:
        return file.read_text(encoding="utf-8").strip()
    except UnicodeDecodeError as error:
        raise typer.BadParameter("--file: it is not UTF-8") from error
