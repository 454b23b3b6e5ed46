"""`dlq redrive`: send letters on to the worker that they were for."""

import json
from collections.abc import Mapping
from typing import Annotated, Any, Final

import typer

from workers.commands.acting import By, operator
from workers.commands.dlq.options import (
    CauseOf,
    NewerThan,
    OlderThan,
    OneLetter,
    OrderOf,
    Queue,
    TypeOf,
    at_desk,
    not_whole,
    wanted_of,
)
from workers.commands.running import DEFAULT_STATE_DIR, AsJson, StateDir, counting
from workers.dead_letters.desk import Desk
from workers.dead_letters.pacing import BACKLOG_DEFAULT, RATE_DEFAULT, RATE_MAX
from workers.dead_letters.redrive import FAILED, REDRIVEN, SENT_DEFAULT, SENT_MAX

SHOWN_MAX: Final = 20


def redrive(
    queue: Queue,
    *,
    letter: OneLetter = None,
    cause: CauseOf = None,
    event_type: TypeOf = None,
    order: OrderOf = None,
    older_than: OlderThan = None,
    newer_than: NewerThan = None,
    reason: Annotated[
        str | None,
        typer.Option("--reason", help="Why, such as an incident's number. It goes on record. Not for --dry-run."),
    ] = None,
    by: By = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be sent on, and change nothing.")] = False,
    rate: Annotated[
        float, typer.Option("--rate", help="At most so many a second.", min=0.01, max=RATE_MAX)
    ] = RATE_DEFAULT,
    sent_max: Annotated[
        int, typer.Option("--max", help="At most so many in this run.", min=1, max=SENT_MAX)
    ] = SENT_DEFAULT,
    backlog: Annotated[
        int,
        typer.Option("--backlog", help="Wait while so many messages are in the worker's queue.", min=1, max=100_000),
    ] = BACKLOG_DEFAULT,
    even_if_moved_on: Annotated[
        bool,
        typer.Option("--even-if-moved-on", help="Also letters whose order no longer wants anything of this worker."),
    ] = False,
    as_json: AsJson = False,
    state_dir: StateDir = DEFAULT_STATE_DIR,
) -> None:
    """Send letters of QUEUE on: each goes on record, is sent as a new message, then deleted. Interrupted, run it again.

    Letters whose order has moved on stay. Copies of what was sent on before are deleted. Exit 1 if a letter failed.
    """
    wanted = wanted_of(
        letter=letter, cause=cause, event_type=event_type, order=order, older_than=older_than, newer_than=newer_than
    )
    actor = operator(by)
    if not dry_run and reason is None:
        raise typer.BadParameter("say why (--reason), or only look (--dry-run)")
    progress, tell = counting("sending on")

    async def work(desk: Desk) -> Mapping[str, Any]:
        return await desk.redrive(
            queue,
            wanted,
            actor=actor,
            reason=reason,
            dry_run=dry_run,
            even_if_moved_on=even_if_moved_on,
            rate_per_s=rate,
            sent_max=sent_max,
            backlog_max=backlog,
            progress=lambda report: tell(report.looked_at, f"letters looked at, {report.counts[REDRIVEN]:,} sent on"),
        )

    with progress:
        done = at_desk(state_dir, work)
    if as_json:
        typer.echo(json.dumps(done, indent=2))
    else:
        _tell(done)
    if done["counts"].get(FAILED):
        raise typer.Exit(1)


def _tell(done: Mapping[str, Any]) -> None:
    for told in done["letters"][:SHOWN_MAX]:
        outcome = _said(told["outcome"], done)
        typer.echo(
            f"{told['messageId']} {told['eventType'] or '?'} {told['orderId'] or '?'}: {outcome} ({told['why']})"
        )
    more = len(done["letters"]) - SHOWN_MAX + done["lettersOmitted"]
    if more > 0:
        typer.echo(f"… and {more:,} more")
    counts = (
        ", ".join(f"{count:,} {_said(outcome, done)}" for outcome, count in done["counts"].items())
        or "no letter is meant"
    )
    typer.echo(f"{done['queue']}: {done['lookedAt']:,} letters looked at: {counts}, {done['notMeant']:,} not meant")
    if done["dryRun"]:
        typer.echo("This was a dry run: nothing was sent, deleted or written down.")
    not_whole(done["notWhole"], again="Run it again for the rest.")


def _said(outcome: str, done: Mapping[str, Any]) -> str:
    return "would be redriven" if done["dryRun"] and outcome == REDRIVEN else outcome
