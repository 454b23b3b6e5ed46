"""`audit verify`: whether the log is as it was written, by its own chains and by its signed roots."""

import json
from pathlib import Path
from typing import Annotated

import typer

from orderstore.audit.bundle import BUNDLE_BYTES_MAX, check_bundle
from orderstore.audit.roots import ROOT_BYTES_MAX, RootUnreadable, SignedRoot, parse_root
from orderstore.audit.whole import Report, verify_log, verify_order
from orderstore.domain.ids import stream_of
from workers.commands.audit.proof import (
    Keys,
    about_keys,
    as_documents,
    log_of,
    order_id_as_stored,
    root_document,
    tell,
    told_in_words,
    trusted,
)
from workers.commands.running import DEFAULT_STATE_DIR, AsJson, StateDir, counting, fail, with_core
from workers.core import Core

Since = Annotated[
    str | None,
    typer.Option(
        metavar="ROOT",
        help="Only what came after this root: its number, or a file with the copy of it that you kept yourself.",
    ),
]
OneOrder = Annotated[
    str | None, typer.Option("--order", metavar="ID", help="Only this order, and its place in the newest root.")
]
OtherLog = Annotated[
    str | None,
    typer.Option(
        "--log", metavar="TABLE", help="The table that the roots are about, if this one is a restored copy of it."
    ),
]
Offline = Annotated[
    Path | None,
    typer.Option(metavar="BUNDLE", help="Only this bundle, as the stand-alone script does: nothing of AWS is asked."),
]


def verify(
    *,
    since: Since = None,
    order: OneOrder = None,
    offline: Offline = None,
    log: OtherLog = None,
    key: Keys = [],  # noqa: B006 - typer's way
    as_json: AsJson = False,
    state_dir: StateDir = DEFAULT_STATE_DIR,
) -> None:
    """Check every order's chain of hashes, every signed root, and that the log still has all that was signed for.

    Exit 1, naming order, commit and reason, if anything is not as it was written.
    """
    keys = trusted(key)
    if sum(option is not None for option in (since, order, offline)) > 1:
        raise typer.BadParameter("--since, --order and --offline exclude each other")
    if offline is not None:
        _offline(offline, keys, as_json=as_json)
        return
    order = None if order is None else order_id_as_stored(order)
    started = _since(since)
    progress, show = counting("verifying")

    def told(report: Report) -> None:
        show(report.orders, f"orders, {report.commits:,} commits, {len(report.findings)} findings")

    async def work(core: Core) -> Report:
        about = log or log_of(core)
        if order is not None:
            stream = stream_of(core.settings.tenant, order)
            return await verify_order(core.store, core.locked, stream, log=about, keys=keys)
        return await verify_log(core.store, core.locked, log=about, keys=keys, since=started, progress=told)

    with told_in_words(as_json=as_json), progress:
        report = with_core(state_dir, work)
    if order is not None and report.orders == 0 and not report.findings:
        fail(f"There is no order {order}.")
    _tell(report, keys, order, as_json=as_json)
    if report.findings:
        raise typer.Exit(1)


def _tell(report: Report, keys: frozenset[str], order: str | None, *, as_json: bool) -> None:
    if as_json:
        counts = {"orders": report.orders, "commits": report.commits, "roots": report.roots}
        compared = None if report.root is None else root_document(report.root)
        document = {
            **counts,
            "root": compared,
            "anchored": None if report.inclusion is None else report.inclusion.head.number,
            "pinned": bool(keys),
            "ok": not report.findings,
            "findings": as_documents(report.findings),
        }
        typer.echo(json.dumps(document, indent=2))
        return
    tell(report.findings)
    verdict = "as they were written" if not report.findings else f"{len(report.findings)} findings"
    typer.echo(f"{report.orders:,} orders, {report.commits:,} commits, {report.roots:,} roots: {verdict}")
    if report.root is None:
        typer.echo(
            "there is no signed root to compare with: a dropped order or tail cannot be seen (`orderstore audit root`)"
        )
        return
    typer.echo(f"compared with root {report.root.number} of {report.root.document.created_at}")
    if order is not None and report.inclusion is not None:
        place = f"{report.inclusion.index + 1:,} of {report.root.document.orders:,}"
        typer.echo(f"commit {report.inclusion.head.number}, and so all before it, is under that root, at place {place}")
    if order is not None and report.inclusion is None:
        typer.echo("the order is newer than that root, and in none yet")
    for line in about_keys(report.signers, keys):
        typer.echo(line)


def _since(since: str | None) -> int | SignedRoot | None:
    if since is None:
        return None
    if since.isascii() and since.isdigit() and int(since) > 0:
        return int(since)
    try:
        return parse_root(_read(Path(since), ROOT_BYTES_MAX))
    except RootUnreadable as error:
        raise typer.BadParameter(f"{since} is no root: {error}", param_hint="--since") from error


def _offline(bundle: Path, keys: frozenset[str], *, as_json: bool) -> None:
    findings, shown = check_bundle(_read(bundle, BUNDLE_BYTES_MAX), keys)
    if as_json:
        document = {"ok": not findings, "shown": shown, "findings": as_documents(findings)}
        typer.echo(json.dumps(document, indent=2))
    else:
        tell(findings)
        for line in [] if findings else shown:
            typer.echo(line)
        typer.echo("VERIFIED" if not findings else f"NOT VERIFIED: {len(findings)} findings")
    if findings:
        raise typer.Exit(1)


def _read(path: Path, bytes_max: int) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(bytes_max + 1)
    except OSError as error:
        raise typer.BadParameter(f"{path} cannot be read: {error.strerror}") from error
    if len(content) > bytes_max:
        raise typer.BadParameter(f"{path} is longer than {bytes_max} bytes")
    return content
