"""What the commands about views share: a view by its name, who is at work, the book, and how trouble is told."""

import os
import signal
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar
from uuid import uuid4

import anyio
import typer

from projections.rebuild.dynamo_book import DynamoRebuildBook
from projections.rebuild.errors import RebuildError, Stopped
from projections.views import VIEWS
from projections.views.view import View
from workers.commands.running import complain, fail, with_core
from workers.core import Core

T = TypeVar("T")

EXIT_PAUSED: Final = 3

ViewName = Annotated[str, typer.Argument(metavar="NAME", help=f"One of: {', '.join(view.name for view in VIEWS)}.")]


def view_named(name: str) -> View[Any]:
    """The view. Raises typer.BadParameter, with the names that there are."""
    for view in VIEWS:
        if view.name == name:
            return view
    raise typer.BadParameter(f"there is no view {name!r}; there are: {', '.join(view.name for view in VIEWS)}")


def book_of(core: Core) -> DynamoRebuildBook:
    """Where the rows of rebuilds lie."""
    return DynamoRebuildBook(core.clients.dynamodb, table=core.settings.table("views"), random=core.random)


def who() -> str:
    """A name for this process that no other one has."""
    return f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}"


def waiting(owner: str) -> None:
    """Told before the wait for an owner who may be dead."""
    complain(f"{owner} owns this; looking for 15 s whether that process is still alive …")


def done_with(state_dir: Path, work: Callable[[Core], Awaitable[T]]) -> T:
    """Run it; what keeps it from going on is said in a sentence, and gives the exit code."""
    try:
        return with_core(state_dir, work)
    except Stopped as stopped:
        complain(str(stopped))
        raise typer.Exit(EXIT_PAUSED) from None
    except RebuildError as error:
        fail(str(error))


async def stop_on_signal(name: str) -> None:
    """The first Ctrl-C (or SIGTERM) is a pause: what was done is stored. Raises Stopped."""
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            complain("pausing …")
            raise Stopped(name)
