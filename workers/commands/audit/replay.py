"""`audit replay-check`: whether this build can take over all stored history. The gate before a deploy."""

import json
from dataclasses import asdict
from typing import Any, Final

import anyio
import typer

from projections.comparing.differences import Difference
from projections.comparing.replay_check import ReplayReport, replay_check
from projections.projecting.targets import current_targets
from workers.commands.running import DEFAULT_STATE_DIR, AsJson, StateDir, counted, counting, with_core
from workers.core import Core

SHOWN_PER_CAUSE: Final = 10


def replay(*, as_json: AsJson = False, state_dir: StateDir = DEFAULT_STATE_DIR) -> None:
    """Fold all stored history with this build and compare with what is served. Exit 1 naming each order that differs. Writes nothing."""
    progress, show = counting("replaying")

    async def work(core: Core) -> tuple[ReplayReport, float]:
        started = anyio.current_time()

        def told(report: ReplayReport) -> None:
            rate = report.events / max(anyio.current_time() - started, 0.001)
            show(report.orders, f"orders, {rate:,.0f} events/s, {report.differences_count} differences")

        report = await replay_check(core.store, core.views, await current_targets(core.views), progress=told)
        return report, anyio.current_time() - started

    with progress:
        report, seconds = with_core(state_dir, work)
    if as_json:
        typer.echo(json.dumps(_document(report, seconds), indent=2, default=str))
    else:
        _tell(report, seconds)
    if not report.equal:
        raise typer.Exit(1)


def _document(report: ReplayReport, seconds: float) -> dict[str, Any]:
    return {
        "ok": report.equal,
        "orders": report.orders,
        "events": report.events,
        "documents": report.documents,
        "seconds": round(seconds, 3),
        "events_per_s": round(report.events / max(seconds, 0.001)),
        "will_be_rebuilt": report.rebuilds,
        "differences_count": report.differences_count,
        "causes": [
            {"cause": cause, "count": group.count, "orders": [asdict(one) for one in group.examples]}
            for cause, group in report.groups.items()
        ],
    }


def _tell(report: ReplayReport, seconds: float) -> None:
    for cause, group in sorted(report.groups.items(), key=lambda item: -item[1].count):
        typer.echo(f"{cause}: {group.count:,}")
        for one in group.examples[:SHOWN_PER_CAUSE]:
            typer.echo(f"  {line_of(one)}")
        if group.count > SHOWN_PER_CAUSE:
            typer.echo(f"  and {group.count - SHOWN_PER_CAUSE:,} more (--json keeps more of them)")
    for view, count in report.rebuilds.items():
        typer.echo(f"{view}: {count:,} documents of another schema: this build will fold them anew")
    rate = f"{report.orders / max(seconds, 0.001):,.0f} orders/s, {report.events / max(seconds, 0.001):,.0f} events/s"
    differences = counted(report.differences_count, "difference", "differences")
    verdict = "this build can take over" if report.equal else f"{differences}: do not deploy"
    typer.echo(f"{report.orders:,} orders, {report.events:,} events ({rate}): {verdict}")


def line_of(difference: Difference) -> str:
    """One difference, in a line."""
    where = f"{difference.stream} commit {difference.commit}" if difference.commit else difference.stream
    if difference.detail:
        return difference.detail if difference.stream in difference.detail else f"{where}: {difference.detail}"
    if difference.fields:
        told = (f"{one.field} is {one.found}, should be {one.expected}" for one in difference.fields)
        return f"{where}: {'; '.join(told)}"
    return f"{where} of {difference.log_commit}"
