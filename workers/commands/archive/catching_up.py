"""`archive catch-up`: archives what no hint told of."""

import json
from dataclasses import asdict

import typer

from orderstore.archive.catch_up import CaughtUp
from orderstore.archive.catch_up import catch_up as catch_up_all
from workers.archive.opening import archiver_of
from workers.commands.running import DEFAULT_STATE_DIR, AsJson, StateDir, counting, with_core
from workers.core import Core


def catch_up(*, as_json: AsJson = False, state_dir: StateDir = DEFAULT_STATE_DIR) -> None:
    """Walk over the whole log and archive what is missing. Safe beside the running worker. Exit 1 if an order cannot be archived."""
    progress, show = counting("catching up")

    async def work(core: Core) -> CaughtUp:
        return await catch_up_all(
            core.store,
            archiver_of(core),
            progress=lambda report: show(report.orders, f"orders, {report.commits:,} commits archived"),
        )

    with progress:
        report = with_core(state_dir, work)
    if as_json:
        typer.echo(json.dumps({**asdict(report), "ok": not report.faults_count}, indent=2))
    else:
        for stream, reason in report.faults.items():
            typer.echo(f"{stream}: {reason}")
        verdict = "the archive has the whole log"
        if report.faults_count:
            verdict = f"{report.faults_count} orders cannot be archived as they are: see `orderstore audit verify`"
        typer.echo(f"{report.orders:,} orders, {report.commits:,} commits archived: {verdict}")
    if report.faults_count:
        raise typer.Exit(1)
