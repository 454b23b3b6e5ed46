"""`views compare`: proves that each view equals a fold of the log."""

import json
from dataclasses import asdict

import typer

from projections.apply import current_targets
from projections.compare import Report, compare
from workers.commands.running import DEFAULT_STATE_DIR, AsJson, StateDir, counting, with_core
from workers.core import Core


def add_to(app: typer.Typer) -> None:
    """Add the group."""
    group = typer.Typer(help="The views that the log is projected into.", no_args_is_help=True)
    group.callback()(_group)
    group.command(name="compare")(compare_views)
    app.add_typer(group, name="views")


def _group() -> None:
    """The views that the log is projected into."""  # without it typer makes a group of one command that command itself


def compare_views(*, as_json: AsJson = False, state_dir: StateDir = DEFAULT_STATE_DIR) -> None:
    """Compare every document of every view with a fold of the log. Exit 1 if any differs."""
    progress, show = counting("comparing")

    async def work(core: Core) -> Report:
        return await compare(
            core.store,
            core.views,
            await current_targets(core.views),
            progress=lambda report: show(report.orders, f"orders, {report.differences_count} differences"),
        )

    with progress:
        report = with_core(state_dir, work)
    if as_json:
        typer.echo(json.dumps({**asdict(report), "ok": report.equal}, indent=2, default=str))
    else:
        for found in report.differences:
            typer.echo(str(found))
        verdict = "every view equals the log" if report.equal else f"{report.differences_count} differences"
        typer.echo(f"{report.orders:,} orders: {verdict}")
    if not report.equal:
        raise typer.Exit(1)
