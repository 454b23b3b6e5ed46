"""`views ls`: each view's generations, and how its rebuild stands; with a name, everything that is known of that one."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from projections.rebuild.state import Rebuild, Trouble
from projections.views import VIEWS
from projections.views.view import Generations
from workers.commands.running import DEFAULT_STATE_DIR, AsJson, StateDir
from workers.commands.views.shared import book_of, done_with, view_named
from workers.core import Core

MOVING_SHOWN: Final = 10


def ls(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Only this one, with the orders in its way.")
    ] = None,
    *,
    as_json: AsJson = False,
    state_dir: StateDir = DEFAULT_STATE_DIR,
) -> None:
    """List the views: which generation readers use, which others are written, and how a rebuild stands."""
    views = VIEWS if name is None else (view_named(name),)

    async def work(core: Core) -> list[tuple[str, int, Generations, Rebuild | None]]:
        generations = await core.views.generations([view.name for view in views])
        book = book_of(core)
        return [(view.name, view.schema, generations[view.name], await book.read(view.name)) for view in views]

    found = done_with(state_dir, work)
    if as_json:
        rows = [
            {
                "view": view,
                "schema": schema,
                "generations": asdict(generations),
                "rebuild": None if row is None else asdict(row),
            }
            for view, schema, generations, row in found
        ]
        typer.echo(json.dumps(rows, indent=2))
        return
    table = Table("view", "schema", "current", "building", "former", "rebuild", box=SIMPLE_HEAD)
    for view, schema, generations, row in found:
        others = (str(number or "") for number in (generations.building, generations.former))
        table.add_row(view, str(schema), str(generations.current), *others, _state(row))
    Console(emoji=False).print(table)
    if name is not None and found[0][3] is not None:
        for line in told_of(found[0][3]):
            typer.echo(line)


def _state(row: Rebuild | None) -> str:
    if row is None:
        return ""
    number = row.discarding if row.state in ("discarding", "discarded") else row.generation
    words = f"{row.state} {number}" if row.state != "switched" else "switched"
    if row.unfinished:
        words += f", {row.orders:,} orders"
    return words + (f" ({row.owner})" if row.owner else "")


def told_of(row: Rebuild) -> list[str]:
    """A row in lines."""
    changed = datetime.fromtimestamp(row.changed_at_ms / 1000, UTC).isoformat(timespec="seconds")
    lines = [
        f"generation {row.generation} from the {row.source}: {row.state} since {changed}",
        f"  read {row.orders:,} orders, {row.commits:,} commits; {row.segments_done} of {len(row.segments)} segments done",
        f"  wrote {row.documents:,} documents; {row.read_units:,.0f} read and {row.write_units:,.0f} write units, {row.running_s:,.0f} s",
    ]
    if row.log_segments:
        commits = sum(segment.commits for segment in row.log_segments)
        done = sum(segment.done for segment in row.log_segments)
        lines.insert(
            2,
            f"  then of the log, for what the archive lacks, {commits:,} commits; {done} of {len(row.log_segments)} segments done",
        )
    if row.troubles:
        lines.append(f"  orders that could not be folded: {row.troubles:,}")
        lines += [f"    {_trouble(one)}" for one in row.troubled]
    if row.verdict is not None:
        lines += told_of_verdict(row)
    return lines


def told_of_verdict(row: Rebuild) -> list[str]:
    """What came of comparing, in lines."""
    verdict = row.verdict
    assert verdict is not None
    compared = (
        f"  compared {verdict.documents:,} live documents: {verdict.equal:,} equal, {verdict.other_schema:,} of another schema, "
        f"{verdict.mended:,} mended, {verdict.blocking:,} in the way; {verdict.brought_up:,} had to be brought up"
    )
    lines = [compared]
    if verdict.totals_equal or verdict.totals_moving:
        lines.append(f"  totals that are the sum of the documents: {verdict.totals_equal:,}")
    if verdict.totals_moving:
        names = ", ".join(verdict.moving_totals[:MOVING_SHOWN])
        lines.append(
            f"  totals that moved during every look, and are not proved ({verdict.totals_moving:,}): {names}; "
            f"`orderstore views compare --view {row.view} --generation {row.generation}` when they rest"
        )
    if verdict.mended:
        lines.append(f"  mended: the live document is not what the log says, the new one is ({verdict.mended:,})")
        lines += [f"    {_trouble(one)}" for one in verdict.mended_orders]
    if verdict.blocking:
        lines.append(f"  in the way of a switch: readers would lose these ({verdict.blocking:,})")
        lines += [f"    {_trouble(one)}" for one in verdict.blocking_orders]
    return lines


def _trouble(one: Trouble) -> str:
    return f"{one.stream}: {one.cause}" + (f": {one.detail}" if one.detail else "")


def summary(row: Rebuild) -> dict[str, Any]:
    """For `--json`."""
    return {
        **asdict(row),
        "orders": row.orders,
        "commits": row.commits,
        "ok": row.state == "switched" or (row.verdict is not None and row.verdict.may_switch),
    }
