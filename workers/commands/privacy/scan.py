"""`privacy scan`: look everywhere for personal data and card data in the clear. What is found is named by its place, never repeated."""

import json
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Final

import typer

from orderstore.privacy.scanner import Finding, Scanner
from workers import privacy_places as places
from workers.commands.running import DEFAULT_STATE_DIR, AsJson, StateDir, counting, with_core
from workers.core import Core

# Of one kind in one table, bucket, queue or log: a table full of one mistake must not hide the others.
ALIKE_SHOWN_MAX: Final = 20
SHOW_EVERY: Final = 100


class Found:
    """What was found so far: all of it counted, the first few of each kind and place kept."""

    def __init__(self) -> None:
        self.looked_at: Counter[str] = Counter()
        self.kinds: Counter[str] = Counter()
        self.shown: list[Finding] = []
        self._alike: Counter[tuple[str, str]] = Counter()

    def see(self, source: str, finding: Finding | None) -> None:
        """One thing was looked at (None), or found."""
        if finding is None:
            self.looked_at[source] += 1
            return
        self.kinds[finding.kind] += 1
        alike = (finding.place.partition(",")[0], finding.kind)
        self._alike[alike] += 1
        if self._alike[alike] <= ALIKE_SHOWN_MAX:
            self.shown.append(finding)


def scan(
    *,
    canary: Annotated[
        list[str] | None,
        typer.Option("--canary", help="A value that must not turn up anywhere, in whatever form. May be given again."),
    ] = None,
    log: Annotated[
        list[Path] | None,
        typer.Option("--log", exists=True, dir_okay=False, help="A log file to look through too. May be given again."),
    ] = None,
    peek_queues: Annotated[
        bool,
        typer.Option(
            "--peek-queues",
            help="Look into the main queues too. A look counts as a receive: it may bring a message to the dead letters sooner.",
        ),
    ] = False,
    as_json: AsJson = False,
    state_dir: StateDir = DEFAULT_STATE_DIR,
) -> None:
    """Look through all tables, objects, dead letters and logs for card numbers, security codes, e-mail addresses and canaries.

    Exit 1 if anything was found. Values found are never shown.
    """
    found = Found()
    progress, show = counting("looking")

    async def work(core: Core) -> None:
        try:
            scanner = Scanner(canaries=canary or (), allowed_emails=(core.settings.mail_sender,))
        except ValueError as error:
            raise typer.BadParameter(f"--canary: {error}") from error
        for source, things in _sources(core, peek_queues=peek_queues):
            async with aclosing(things) as opened:
                async for place, thing in opened:
                    _look(scanner, found, source, place, thing)
                    if sum(found.looked_at.values()) % SHOW_EVERY == 0:
                        show(sum(found.looked_at.values()), f"things, {sum(found.kinds.values()):,} findings")
        for path in log or ():
            for place, thing in places.in_log(path):
                _look(scanner, found, "log lines", place, thing)

    with progress:
        with_core(state_dir, work)
    _tell(found, as_json=as_json)
    if found.kinds:
        raise typer.Exit(1)


def _sources(core: Core, *, peek_queues: bool) -> list[tuple[str, AsyncGenerator[places.Thing, None]]]:
    settings, clients = core.settings, core.clients
    return [
        ("items", places.in_tables(clients.dynamodb, settings.resource_prefix)),
        ("objects' lines", places.in_bucket(clients.s3, settings.blobs_bucket)),
        ("objects' lines", places.in_bucket(clients.s3, settings.audit_bucket)),
        ("messages", places.in_queues(clients.sqs, settings.resource_prefix, main_queues=peek_queues)),
    ]


def _look(scanner: Scanner, found: Found, source: str, place: str, thing: object) -> None:
    found.see(source, None)
    for finding in scanner.look(place, thing):
        found.see(source, finding)


def _tell(found: Found, *, as_json: bool) -> None:
    if as_json:
        document = {
            "ok": not found.kinds,
            "looked_at": dict(found.looked_at),
            "counts": dict(found.kinds),
            "findings": [asdict(finding) for finding in found.shown],
        }
        typer.echo(json.dumps(document, indent=2))
        return
    for finding in found.shown:
        typer.echo(f"{finding.place}: {finding.kind} ({finding.detail})")
    omitted = found.kinds.total() - len(found.shown)
    if omitted:
        typer.echo(f"… and {omitted:,} more like these")
    looked_at = ", ".join(f"{count:,} {source}" for source, count in found.looked_at.items()) or "nothing"
    kinds = ", ".join(f"{count:,} x {kind}" for kind, count in sorted(found.kinds.items()))
    typer.echo(f"looked at {looked_at}: {kinds or 'nothing in the clear'}")
