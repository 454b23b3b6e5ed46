"""`views compare`: proves that each view equals a fold of the log, and explains what does not."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from projections.comparing.compare import Report, compare
from projections.comparing.differences import Difference
from projections.projecting.targets import Target, current_targets
from projections.stream.parking import LotUnavailable, Standing
from projections.views import VIEWS
from projections.views.view import Generation
from workers.commands.running import DEFAULT_STATE_DIR, AsJson, StateDir, complain, counted, counting
from workers.commands.views.shared import done_with, view_named
from workers.core import Core
from workers.subscriptions import VIEWS_SUBSCRIPTION

VALUE_CHARACTERS_MAX = 60


def compare_views(
    *,
    view: Annotated[str | None, typer.Option("--view", help="Only this one.")] = None,
    generation: Annotated[
        int | None,
        typer.Option("--generation", min=1, help="This generation of it; the one that readers use unless said."),
    ] = None,
    as_json: AsJson = False,
    state_dir: StateDir = DEFAULT_STATE_DIR,
) -> None:
    """Compare every document of every view with a fold of the log, and every total with their sum. Exit 1 if any differs."""
    views = VIEWS if view is None else (view_named(view),)
    if generation is not None and view is None:
        raise typer.BadParameter("--generation is of one view: say which with --view")
    progress, show = counting("comparing")

    async def work(core: Core) -> tuple[Report, Mapping[str, Standing]]:
        targets = await current_targets(core.views, views)
        if generation is not None:
            there = (await core.views.generations([views[0].name]))[views[0].name].written
            if generation not in there:
                raise typer.BadParameter(
                    f"{views[0].name} has no generation {generation}; there are: {', '.join(map(str, there))}"
                )
            targets = (Target(views[0], Generation(views[0].name, generation)),)
        report = await compare(
            core.store,
            core.views,
            targets,
            progress=lambda so_far: show(so_far.orders, f"orders, {so_far.differences_count} differences"),
        )
        return report, {} if report.equal else await _parked(core)

    with progress:
        report, parked = done_with(state_dir, work)
    if as_json:
        told = {name: asdict(standing) for name, standing in parked.items() if _named(report, name)}
        typer.echo(json.dumps({**asdict(report), "parked": told, "ok": report.equal}, indent=2, default=str))
    else:
        _show(report, parked)
    if not report.equal:
        raise typer.Exit(1)


async def _parked(core: Core) -> Mapping[str, Standing]:
    try:
        return await core.parked.standings(VIEWS_SUBSCRIPTION)
    except LotUnavailable as error:
        complain(f"which orders are parked could not be read: {error}")
        return {}


def _named(report: Report, stream: str) -> bool:
    return any(found.stream == stream for found in report.differences)


def _show(report: Report, parked: Mapping[str, Standing]) -> None:
    """An order in a line, and below it what is wrong: that fits into 80 columns, and each line says something by itself."""
    console = Console(emoji=False, soft_wrap=True, highlight=False)
    for found in report.differences:
        console.print(Text(_heading(found, parked.get(found.stream))))
        if found.fields:
            Console(emoji=False, highlight=False).print(_fields(found))
    for total in report.sums:
        because = f" because of {', '.join(total.explained_by)}" if total.explained_by else ""
        typer.echo(f"{total.view} {total.bucket} {total.measure}: {total.found}, should be {total.expected}{because}")
    if report.moving:
        typer.echo(
            f"not proved, they moved all the time: {', '.join(report.moving[:10])}; compare again when they rest"
        )
    unnamed = report.differences_count - len(report.differences) - len(report.sums)
    if unnamed > 0:
        typer.echo(f"… and {unnamed:,} more")
    verdict = (
        "every view equals the log" if report.equal else counted(report.differences_count, "difference", "differences")
    )
    typer.echo(f"{report.orders:,} orders: {verdict}")


def _heading(found: Difference, standing: Standing | None) -> str:
    words = f"{found.stream} {found.view}: {found.kind.replace('_', ' ')}"
    if found.cause:
        words += f": {found.cause}: {found.detail}"
    elif not found.fields and found.log_commit:
        at = f"it stands at commit {found.commit}" if found.commit else "there is none"
        words += f": {at}, the log at {found.log_commit}"
    if standing is not None:
        order_id = found.stream.rpartition("/order-")[2]
        words += f"; {standing.state} by the projector: `orderstore parked show {VIEWS_SUBSCRIPTION} {order_id}`"
    return words


def _fields(found: Difference) -> Table:
    table = Table("  field", "is", "should be", "since commit", box=None, padding=(0, 2, 0, 0))
    for column in table.columns:
        column.overflow = "fold"
    for field in found.fields:
        table.add_row(
            Text(f"  {field.field}"), Text(_value(field.found)), Text(_value(field.expected)), str(field.commit)
        )
    return table


def _value(value: Any) -> str:  # noqa: ANN401 - whatever a document holds
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= VALUE_CHARACTERS_MAX else f"{text[: VALUE_CHARACTERS_MAX - 1]}…"
