"""`payments reconcile`: a day of the payment provider's books against the log."""

import json
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, Final

import typer

from workers.commands.running import DEFAULT_STATE_DIR, AsJson, StateDir, fail, with_core
from workers.core import Core
from workers.payments import payment_reconciliation
from workers.reconciliation.payments import Report

# Nobody was paid through Stripe before.
FIRST_DAY: Final = date(2011, 1, 1)


def add_to(app: typer.Typer) -> None:
    """Add the group."""
    group = typer.Typer(help="Payments and the provider's books.", no_args_is_help=True)
    group.command()(reconcile)
    group.callback()(_group)
    app.add_typer(group, name="payments")


def _group() -> None:
    """Keep `reconcile` a command of its own while it is the only one."""


def reconcile(
    *,
    day: Annotated[str | None, typer.Option("--day", help="The UTC day, such as 2026-11-20; else yesterday.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print what does not fit; append no event.")] = False,
    as_json: AsJson = False,
    state_dir: StateDir = DEFAULT_STATE_DIR,
) -> None:
    """Compare a day in both directions; what does not fit becomes an event of its order, once.

    Exits with 1 when something does not fit, or cannot be read.
    """
    chosen = _day(day)

    async def work(core: Core) -> Report:
        reconciliation = payment_reconciliation(core)
        if reconciliation is None:
            fail(
                "ORDERSTORE_PROVIDERS is sandbox, or ORDERSTORE_STRIPE_API_KEY is not set: there are no books to compare with"
            )
        return await reconciliation.reconcile(chosen, note=not dry_run)

    report = with_core(state_dir, work)
    if as_json:
        typer.echo(json.dumps(_document(report), indent=2))
    else:
        for found in report.found:
            ours, theirs = found.amounts
            amounts = f"ours {ours}, theirs {theirs}"
            place = "noted in the order" if found.noted else "not noted"
            typer.echo(f"{found.order_id}  {found.finding.kind}  {found.reference}  {amounts}  ({place})")
        for order_id in report.unreadable:
            typer.echo(f"{order_id}  not compared: it cannot be read as it is stored (orderstore audit verify)")
        typer.echo(f"{report.day}: {report.compared} payments compared, {len(report.found)} do not fit")
    if report.found or report.unreadable:
        raise typer.Exit(1)


def _day(text: str | None) -> date:
    today = datetime.now(tz=UTC).date()
    if text is None:
        return today - timedelta(days=1)
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter("--day: a date such as 2026-11-20") from None
    if day < FIRST_DAY:
        raise typer.BadParameter(f"--day: there are no books of days before {FIRST_DAY}")
    if day >= today:
        raise typer.BadParameter("--day: that day is not over yet")
    return day


def _document(report: Report) -> dict[str, Any]:
    found = [{"orderId": one.order_id, "noted": one.noted, **asdict(one.finding)} for one in report.found]
    return {
        "day": report.day.isoformat(),
        "compared": report.compared,
        "found": found,
        "unreadable": list(report.unreadable),
    }
