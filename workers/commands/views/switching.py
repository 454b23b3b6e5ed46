"""`views switch` and `views discard`."""

from functools import partial
from typing import Annotated

import anyio
import typer

from projections.batches import first_error
from projections.rebuild.runner import SETTLE_S
from projections.rebuild.state import Rebuild
from projections.rebuild.switching import READERS_FORGET_S, discard, switch
from workers.commands.running import DEFAULT_STATE_DIR, StateDir, counting
from workers.commands.views.shared import ViewName, book_of, done_with, stop_on_signal, view_named, waiting, who
from workers.core import Core, now_ms


def switch_view(
    name: ViewName,
    *,
    to: Annotated[
        int, typer.Option("--to", min=1, help="The generation: the one that was built, or the former one again.")
    ],
    accept_missing: Annotated[
        bool, typer.Option("--accept-missing", help="Also when readers lose the documents that `views ls NAME` names.")
    ] = False,
    state_dir: StateDir = DEFAULT_STATE_DIR,
) -> None:
    """Have readers use another generation, at once and together. Both are written on, so it can be taken back. Exit 1: refused."""
    view = view_named(name)

    async def work(core: Core) -> Rebuild:
        return await switch(
            core.views, book_of(core), view.name, to=to, now_ms=now_ms, accept_missing=accept_missing, waiting=waiting
        )

    done_with(state_dir, work)
    typer.echo(f"readers of {view.name} use generation {to} now (each process within a second or two)")


def discard_view(
    name: ViewName,
    *,
    write_units: Annotated[
        float | None,
        typer.Option("--write-units", min=1, help="At most so many write units a second; no limit unless said."),
    ] = None,
    state_dir: StateDir = DEFAULT_STATE_DIR,
) -> None:
    """Take away the generation that readers do not use: the former one, or one whose rebuild is given up. It cannot be taken back.

    It waits a minute first, until nobody reads or writes it any more. May be interrupted, and run again. Exit 3: interrupted.
    """
    view = view_named(name)
    progress, show = counting(f"discarding {view.name} (first a wait of {READERS_FORGET_S:.0f} s at most)")

    async def work(core: Core) -> int:
        with first_error():
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(partial(stop_on_signal, view.name), name="signals")
                deleted = await discard(
                    core.views,
                    book_of(core),
                    view.name,
                    owner=who(),
                    now_ms=now_ms,
                    settle_s=SETTLE_S,
                    write_units=write_units,
                    progress=lambda generation, count: show(count, f"documents of generation {generation}"),
                    waiting=waiting,
                )
                tasks.cancel_scope.cancel()
        return deleted

    with progress:
        deleted = done_with(state_dir, work)
    typer.echo(f"{view.name}: {deleted:,} documents and totals were deleted")
