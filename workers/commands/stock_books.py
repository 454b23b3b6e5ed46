"""`stock reconcile`, `stock close`: levels against reservations and orders, and the books of what has left."""

import json
from dataclasses import asdict
from typing import Annotated, Any

import typer

from workers.commands.running import DEFAULT_STATE_DIR, AsJson, StateDir, counted, fail, with_core
from workers.core import Core
from workers.departments import stock_of, stock_table
from workers.reconciliation.stock import LOOK_AGAIN_S, Finding, Report, TooManyDoubts
from workers.reconciliation.stock_daily import close_books
from workers.reconciliation.stock_repair import Repair, repair
from workers.stockkeeping import stock_reconciliation


def add_to(group: typer.Typer) -> None:
    """Add the commands."""
    group.command()(reconcile)
    group.command()(close)


def reconcile(
    *,
    with_repair: Annotated[bool, typer.Option("--repair", help="Put right what can be known from the rows.")] = False,
    look_again: Annotated[
        float, typer.Option("--look-again", min=0, help="Seconds until what does not fit is looked at again.")
    ] = LOOK_AGAIN_S,
    as_json: AsJson = False,
    state_dir: StateDir = DEFAULT_STATE_DIR,
) -> None:
    """Compare every level with what the reservations hold, and these with their orders.

    Exits with 1 when something does not fit, but what `--repair` put right.
    """

    async def work(core: Core) -> tuple[Report, tuple[Repair, ...]]:
        report = await stock_reconciliation(core, look_again_s=look_again).reconcile()
        repairs = await repair(stock_table(core), stock_of(core), report) if with_repair else ()
        return report, repairs

    try:
        report, repairs = with_core(state_dir, work)
    except TooManyDoubts as error:
        fail(f"{error} Nothing was changed.")
    if as_json:
        typer.echo(json.dumps(_document(report, repairs), indent=2))
    else:
        _tell(report, repairs)
    if len(report.findings) > sum(one.done for one in repairs):
        raise typer.Exit(1)


def close(*, state_dir: StateDir = DEFAULT_STATE_DIR) -> None:
    """Close the books: take what has left with parcels off what is on hand. The inventory role does it each day."""

    async def work(core: Core) -> int:
        return await close_books(stock_table(core), stock_of(core))

    typer.echo(f"{counted(with_core(state_dir, work), 'piece', 'pieces')} that had left: off what is on hand")


def _tell(report: Report, repairs: tuple[Repair, ...]) -> None:
    told = {id(one.finding): one for one in repairs}
    for finding in report.findings:
        about = f"  {finding.subject}" if finding.subject else ""
        what_now = told.get(id(finding))
        outcome = "" if what_now is None else f"  ({what_now.told})"
        about_what = f"{finding.sku} at {finding.location}"
        typer.echo(f"{about_what}  {finding.kind}  ours {finding.ours}, theirs {finding.theirs}{about}{outcome}")
    for place in report.unsettled:
        typer.echo(f"{place.sku} at {place.location}  moved all the while: not compared")
    levels = counted(report.levels, "level", "levels")
    typer.echo(f"{levels}, {counted(len(report.findings), 'thing does', 'things do')} not fit")


def _document(report: Report, repairs: tuple[Repair, ...]) -> dict[str, Any]:
    told = {id(one.finding): one for one in repairs}
    return {
        "levels": report.levels,
        "holding": report.holding,
        "findings": [_finding(finding, told.get(id(finding))) for finding in report.findings],
        "unsettled": [place._asdict() for place in report.unsettled],
    }


def _finding(finding: Finding, outcome: Repair | None) -> dict[str, Any]:
    told = {name: value for name, value in asdict(finding).items() if name != "seen"}
    return told if outcome is None else {**told, "repaired": outcome.done, "outcome": outcome.told}
