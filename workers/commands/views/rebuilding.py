"""`views rebuild` and `views pause`."""

import json
from functools import partial
from typing import Annotated, Final

import anyio
import typer
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from projections.batches import first_error
from projections.rebuild.keeper import ask_for_pause
from projections.rebuild.runner import SEGMENTS, SEGMENTS_MAX, Rebuilder, Wanted
from projections.rebuild.state import Rebuild, Source
from workers.commands.archive.places import FromBucket, objects_of
from workers.commands.running import DEFAULT_STATE_DIR, AsJson, StateDir, complain
from workers.commands.views.listing import summary, told_of
from workers.commands.views.shared import ViewName, book_of, done_with, stop_on_signal, view_named, waiting, who
from workers.core import Core, now_ms

LINE_EVERY_S: Final = 10.0


def rebuild_view(
    name: ViewName,
    *,
    source: Annotated[
        str | None,
        typer.Option(
            "--from",
            help="`log` (the default) scans the table, `archive` reads the archive in S3, then the table for the rest.",
        ),
    ] = None,
    from_bucket: FromBucket = None,
    segments: Annotated[
        int | None,
        typer.Option(
            "--segments",
            min=1,
            max=SEGMENTS_MAX,
            help=f"Parts of the table's scan, side by side; {SEGMENTS} unless said.",
        ),
    ] = None,
    read_units: Annotated[
        float | None,
        typer.Option("--read-units", min=1, help="At most so many read units a second; no limit unless said."),
    ] = None,
    write_units: Annotated[
        float | None,
        typer.Option("--write-units", min=1, help="At most so many write units a second; no limit unless said."),
    ] = None,
    switch: Annotated[
        bool, typer.Option("--switch/--no-switch", help="Whether readers switch when it is found good.")
    ] = True,
    as_json: AsJson = False,
    state_dir: StateDir = DEFAULT_STATE_DIR,
) -> None:
    """Fill the next generation of a view beside live traffic, compare it with the live one, and switch readers to it.

    Ctrl-C and `views pause` stop it; the same command goes on where it stopped. Exit 0: done. 1: it failed, or readers would lose
    something by the switch (which is not made then). 2: what was typed makes no sense. 3: paused.
    """
    view = view_named(name)
    if source not in (None, "log", "archive"):
        raise typer.BadParameter(f"--from is `log` or `archive`, not {source!r}")
    if from_bucket is not None and source != "archive":
        raise typer.BadParameter("--from-bucket is for `--from archive`")
    chosen: Source | None = "archive" if source == "archive" else "log" if source == "log" else None
    show = _Show(Console(emoji=False, stderr=True))

    async def work(core: Core) -> tuple[Rebuild, int | None]:
        rebuilder = Rebuilder(
            log=core.store,
            views=core.views,
            book=book_of(core),
            archive=objects_of(core, from_bucket),
            owner=who(),
            now_ms=now_ms,
            progress=show.row,
            waiting=waiting,
        )
        wanted = Wanted(
            source=chosen,
            segments=segments,
            read_units=read_units,
            write_units=write_units,
            switch=switch,
            commits_expected=await _commits_in_table(core),
        )
        with first_error():
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(partial(stop_on_signal, view.name), name="signals")
                row = await rebuilder.run(view, wanted)
                tasks.cancel_scope.cancel()
        return row, (await core.views.generations([view.name]))[view.name].former

    with show.progress:
        row, former = done_with(state_dir, work)
    if as_json:
        typer.echo(json.dumps(summary(row), indent=2))
    else:
        for line in told_of(row):
            typer.echo(line)
        typer.echo(_what_next(row, former))
    if row.state != "switched" and not (row.verdict is not None and row.verdict.may_switch):
        raise typer.Exit(1)


def pause_view(name: ViewName, *, state_dir: StateDir = DEFAULT_STATE_DIR) -> None:
    """Have the process that works on a view's rebuild stop, within a second or two. Nothing of it is lost. Exit 1 when nobody does."""
    view = view_named(name)

    async def work(core: Core) -> Rebuild:
        return await ask_for_pause(book_of(core), view.name)

    row = done_with(state_dir, work)
    typer.echo(f"{row.owner} was asked to pause; `orderstore views rebuild {view.name}` goes on where it stops")


def _what_next(row: Rebuild, former: int | None) -> str:
    name = row.view
    if row.state == "switched":
        return (
            f"readers use generation {row.generation} now. Back: `orderstore views switch {name} --to {former}`; "
            f"when nobody wants to go back any more: `orderstore views discard {name}`"
        )
    if row.verdict is not None and row.verdict.may_switch:
        return f"ready: `orderstore views switch {name} --to {row.generation}`"
    return (
        f"not switched. Mend the orders and run `orderstore views rebuild {name}` again, "
        f"or accept that they are missing: `orderstore views switch {name} --to {row.generation} --accept-missing`"
    )


async def _commits_in_table(core: Core) -> int | None:
    """About how many commits there are; AWS counts every six hours. None where this role may not ask: then no end is foretold."""
    try:
        table = await core.clients.dynamodb.describe_table(TableName=core.settings.table("events"))
    except (ClientError, BotoCoreError):
        return None
    return table["Table"].get("ItemCount") or None


class _Show:
    """The progress on standard error: one moving line on a terminal; a line every 10 s in a file."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self.progress = Progress(
            SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=console, transient=True,
            disable=not console.is_terminal,
        )  # fmt: skip
        self._task = self.progress.add_task("…", total=None)
        self._began: tuple[float, int] | None = None
        self._said: tuple[tuple[str, bool], float] = (("", False), 0.0)

    def row(self, row: Rebuild) -> None:
        """Show how it stands."""
        now_s = anyio.current_time()
        if self._began is None:
            self._began = (now_s, row.orders)
        text = self._text(row, now_s)
        self.progress.update(self._task, description=text)
        state, said_at_s = self._said
        if not self._console.is_terminal and ((row.state, row.settled) != state or now_s - said_at_s >= LINE_EVERY_S):
            self._said = ((row.state, row.settled), now_s)
            complain(text)

    def _text(self, row: Rebuild, now_s: float) -> str:
        assert self._began is not None
        if row.state == "comparing" and row.verdict is not None:
            verdict = row.verdict
            return f"comparing {row.view} {row.generation}: {verdict.documents:,}, {verdict.blocking:,} in the way"
        if row.state != "filling":
            return f"{row.view} {row.generation}: {row.state}"
        if not row.settled:
            return f"{row.view} {row.generation}: waiting until every projector writes it"
        seconds = now_s - self._began[0]
        rate = (row.orders - self._began[1]) / seconds if seconds > 0 else 0.0
        text = f"filling {row.view} {row.generation}: {row.orders:,} orders"
        if rate:
            text += f", {rate:,.0f}/s"
        if row.log_segments and row.segments_done == len(row.segments):
            done = sum(segment.done for segment in row.log_segments)
            return f"{text}; of the log, for what the archive lacks: {done}/{len(row.log_segments)} segments"
        text += (
            f", {row.segments_done}/{len(row.segments)} segments, {row.read_units:,.0f} RU {row.write_units:,.0f} WU"
        )
        if row.commits_expected and row.orders and rate:
            left = max(0, row.commits_expected - row.commits) * row.orders / max(1, row.commits) / rate
            text += f", {left:,.0f} s left"
        return text + (f", {row.troubles:,} not folded" if row.troubles else "")
