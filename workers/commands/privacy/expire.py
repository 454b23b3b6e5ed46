"""`privacy expire`: destroy the fiscal keys whose time is over."""

import json
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Annotated

import typer

from orderstore.privacy import expiry
from workers.commands.running import DEFAULT_STATE_DIR, AsJson, StateDir, with_core
from workers.core import Core, now_ms


def expire(
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Name the keys, and destroy none.")] = False,
    as_json: AsJson = False,
    state_dir: StateDir = DEFAULT_STATE_DIR,
) -> None:
    """Destroy every fiscal key whose year ended ORDERSTORE_FISCAL_RETENTION_YEARS ago: its invoices name nobody any more."""

    async def work(core: Core) -> list[str]:
        now = datetime.fromtimestamp(now_ms() / 1000, tz=UTC)
        years = core.settings.fiscal_retention_years
        found = expiry.expire(core.keys, now=now, retention_years=years, dry_run=dry_run)
        async with aclosing(found) as subjects:
            return [subject async for subject in subjects]

    expired = with_core(state_dir, work)
    if as_json:
        typer.echo(json.dumps({"dry_run": dry_run, "expired": expired}, indent=2))
        return
    for subject in expired:
        typer.echo(subject)
    typer.echo(f"{len(expired)} fiscal keys {'would be' if dry_run else 'were'} destroyed")
