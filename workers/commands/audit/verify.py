"""`audit verify`: whether the log is as it was written."""

import json
from dataclasses import asdict

import typer
from rich.console import Console

from orderstore.audit.verify import Finding, verify_all
from workers.commands.running import DEFAULT_STATE_DIR, AsJson, StateDir, counting, with_core
from workers.wiring import Core


def verify(*, as_json: AsJson = False, state_dir: StateDir = DEFAULT_STATE_DIR) -> None:
    """Check every order's chain of hashes. Exit 1, naming order, commit and reason, if anything is not as it was written."""
    findings: list[Finding] = []
    totals = {"orders": 0, "commits": 0}
    progress, show = counting(Console(stderr=True), "verifying")

    async def work(core: Core) -> None:
        async for verified in verify_all(core.store):
            totals["orders"] += 1
            totals["commits"] += verified.commits
            findings.extend(verified.findings)
            show(totals["orders"], f"orders, {totals['commits']:,} commits, {len(findings)} findings")

    with progress:
        with_core(state_dir, work)
    if as_json:
        typer.echo(
            json.dumps({**totals, "ok": not findings, "findings": [asdict(found) for found in findings]}, indent=2)
        )
    else:
        for found in findings:
            typer.echo(f"{found.stream} commit {found.commit}: {found.reason}: {found.detail}")
        verdict = "as they were written" if not findings else f"{len(findings)} findings"
        typer.echo(f"{totals['orders']:,} orders, {totals['commits']:,} commits: {verdict}")
    if findings:
        raise typer.Exit(1)
