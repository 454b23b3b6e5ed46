"""`audit root` makes a signed root now; `audit roots` lists those that are there."""

import json

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from orderstore.audit.findings import Finding
from orderstore.audit.root_store import RootsChecked, RootStore, check_roots
from orderstore.audit.roots import SignedRoot
from workers.commands.audit.proof import (
    Keys,
    about_keys,
    as_documents,
    log_of,
    root_document,
    root_maker,
    shown_progress,
    tell,
    told_in_words,
    trusted,
)
from workers.commands.running import DEFAULT_STATE_DIR, AsJson, StateDir, complain, counting, wide_console, with_core
from workers.core import Core


def root(*, key: Keys = [], as_json: AsJson = False, state_dir: StateDir = DEFAULT_STATE_DIR) -> None:  # noqa: B006 - typer's way
    """Verify the whole log and sign a root over it, now. Exit 1, and nothing is signed, if anything is not as it was written.

    --key accepts a last root that was signed by another key than the one in use: once, after the key was changed.
    """
    accepted = trusted(key)
    progress, show = counting("verifying")

    async def work(core: Core) -> SignedRoot:
        return await root_maker(core, accepted).make(shown_progress(show))

    with told_in_words(as_json=as_json), progress:
        made = with_core(state_dir, work)
    if as_json:
        typer.echo(json.dumps({"ok": True, "root": root_document(made)}, indent=2))
        return
    document = made.document
    typer.echo(f"root {made.number} of {document.created_at}: {document.orders:,} orders, {document.commits:,} commits")
    typer.echo(f"{made.key}  SHA-256 {made.sha256}")
    typer.echo(f"signed by {made.signature.fingerprint}")


def roots(*, key: Keys = [], as_json: AsJson = False, state_dir: StateDir = DEFAULT_STATE_DIR) -> None:  # noqa: B006 - typer's way
    """List the signed roots, each checked. Exit 1 if one is missing, replaced, or signed by another key."""
    keys = trusted(key)
    listed: list[SignedRoot] = []

    async def work(core: Core) -> RootsChecked:
        return await check_roots(RootStore(core.locked), log=log_of(core), keys=keys, on_good=listed.append)

    with told_in_words(as_json=as_json):
        checked = with_core(state_dir, work)
    if as_json:
        found = {"ok": not checked.findings, "roots": [root_document(one) for one in listed]}
        typer.echo(json.dumps({**found, "findings": as_documents(checked.findings)}, indent=2))
    else:
        _show(listed, checked.findings)
        for line in about_keys(checked.signers, keys):
            typer.echo(line)
    if checked.findings:
        raise typer.Exit(1)


def _show(listed: list[SignedRoot], findings: list[Finding]) -> None:
    if not listed and not findings:
        complain("There is no root yet: `orderstore audit root` makes one.")
        return
    table = Table("root", "made", "orders", "commits", "Merkle root …", "SHA-256 of the root", box=SIMPLE_HEAD)
    for one in listed:
        document = one.document
        counts = (f"{document.orders:,}", f"{document.commits:,}")
        table.add_row(str(one.number), document.created_at, *counts, document.merkle_root[:16], one.sha256)
    wide_console().print(table)
    tell(findings)
