"""`audit bundle`: one order with everything that proves it, for somebody who has nothing of ours."""

from pathlib import Path
from typing import Annotated, Final

import typer

from orderstore.audit.bundle import check_bundle, make_bundle
from orderstore.audit.findings import Finding
from orderstore.audit.leaves import LeavesWrong, prove
from orderstore.audit.root_store import RootStore
from orderstore.audit.roots import RootUnreadable, SignedRoot
from orderstore.audit.whole import newest_root
from orderstore.domain.ids import stream_of
from orderstore.store.errors import CorruptCommit
from projections.answers.orders import open_queries
from projections.answers.ports import ViewsUnavailable
from workers.commands.audit.options import OrderArgument
from workers.commands.audit.proof import (
    log_of,
    order_id_as_stored,
    root_maker,
    shown_progress,
    tell,
    told_in_words,
)
from workers.commands.running import DEFAULT_STATE_DIR, StateDir, complain, counting, with_core
from workers.core import Core

ROOTS_MAX: Final = 1_000
Output = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="FILE", help="Where to; standard output if not given.")
]
Anchor = Annotated[bool, typer.Option("--anchor", help="Make a signed root first, so that every commit is under one.")]
From = Annotated[
    int | None,
    typer.Option(
        "--since", metavar="NUMBER", min=1, help="Put in every root from this one on, for somebody who kept it."
    ),
]


class _Refused(Exception):
    """There is no bundle to give. With what is wrong, if anything is."""

    def __init__(self, message: str, findings: list[Finding]) -> None:
        super().__init__(message)
        self.findings = findings


def bundle(
    order: OrderArgument,
    *,
    output: Output = None,
    anchor: Anchor = False,
    since: From = None,
    state_dir: StateDir = DEFAULT_STATE_DIR,
) -> None:
    """Write everything that proves ORDER into one file: its commits, its place under a signed root, its invoices.

    Anybody checks it with verify_bundle.py, or with `orderstore audit verify --offline`. Exit 1, and nothing is written, if it would not
    pass.
    """
    order = order_id_as_stored(order)
    progress, show = counting("verifying")

    async def work(core: Core) -> bytes:
        if anchor:
            await root_maker(core).make(shown_progress(show))
        return await _bundle(core, order, since)

    try:
        with told_in_words(), progress:
            content = with_core(state_dir, work)
    except _Refused as refused:
        tell(refused.findings)
        complain(f"{refused}\nNothing was written.")
        raise typer.Exit(1) from refused
    if output is None:
        typer.echo(content.decode(), nl=False)
        return
    try:
        output.write_bytes(content)
    except OSError as error:
        raise typer.BadParameter(f"{output} cannot be written: {error.strerror}", param_hint="--output") from error
    complain(f"{output}: {len(content):,} bytes; check it with: orderstore audit verify --offline {output}")


async def _bundle(core: Core, order: str, since: int | None) -> bytes:
    stream = stream_of(core.settings.tenant, order)
    try:
        commits = await core.store.read(stream)
    except CorruptCommit as error:
        raise _Refused(f"{error}; `orderstore audit verify --order {order}` names every fault.", []) from error
    if not commits:
        raise _Refused(f"There is no order {order}.", [])
    report = await newest_root(core.locked, log=log_of(core))
    if report.findings or report.root is None:
        reason = (
            "The newest root is not as it was written." if report.findings else "There is no signed root yet: --anchor."
        )
        raise _Refused(reason, report.findings)
    try:
        inclusion = await prove(core.locked, report.root.document, stream)
    except LeavesWrong as wrong:
        finding = wrong.finding(report.root.number)
        raise _Refused("The root's leaves are not as they were written.", [finding]) from wrong
    if inclusion is None:
        raise _Refused("The order is newer than the newest root: make one with --anchor, or wait for the day's.", [])
    roots = await _roots(core, report.root, since)
    try:
        queries = await open_queries(core.views, tenant=core.settings.tenant)
        invoices = await queries.invoices_of_order(order)
    except ViewsUnavailable as error:
        raise _Refused(f"The invoices cannot be read now: {error}", []) from error
    content = make_bundle(commits, inclusion, roots, invoices)
    findings, _ = check_bundle(content)
    if findings:
        raise _Refused("It would not pass. A view that is a moment behind is one cause: try again.", findings)
    return content


async def _roots(core: Core, newest: SignedRoot, since: int | None) -> list[SignedRoot]:
    """The roots up to the newest: from the one asked for, else from the one before it."""
    first = max(1, newest.number - 1) if since is None else since
    if not newest.number - ROOTS_MAX < first <= newest.number:
        raise _Refused(f"--since is at most {newest.number}, and {ROOTS_MAX:,} roots back.", [])
    roots: list[SignedRoot] = []
    store = RootStore(core.locked)
    for number in range(first, newest.number):
        try:
            root = await store.get(number)
        except RootUnreadable as error:
            raise _Refused(f"Root {number} is not as it was written: {error}.", []) from error
        if root is None:
            raise _Refused(f"Root {number} is missing.", [])
        roots.append(root)
    return [*roots, newest]
