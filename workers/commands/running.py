"""What the commands that work on a store share: to open the core, run and close; to check what was typed; to show progress and trouble."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, NoReturn, TypeVar

import anyio
import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from workers.commands.environment import find_settings
from workers.logs import configure
from workers.metrics.table import Metrics

if TYPE_CHECKING:
    from workers.core import Core

T = TypeVar("T")

AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
StateDir = Annotated[
    Path,
    typer.Option("--state-dir", help="The embedded environment to work on, when no ORDERSTORE_ variables are set."),
]
TABLE_WIDTH: Final = 170
DEFAULT_STATE_DIR: Final = Path(".orderstore")
UVLOOP: Final = {"use_uvloop": True}


def with_core(state_dir: Path, work: Callable[["Core"], Awaitable[T]], *, connections: int = 64) -> T:
    """Run `work` on the store that the settings name. Raises SettingsError, EnvironmentFailed and what `work` raises."""
    # The AWS client and all that: a command that opens no store goes without.
    from workers.core import open_core  # noqa: PLC0415 - see above

    settings = find_settings(state_dir)
    configure(level="warning")

    async def main() -> T:
        async with open_core(settings, Metrics(), connections=connections) as core:
            return await work(core)

    return anyio.run(main, backend_options=UVLOOP)


def wide_console() -> Console:
    """Standard output for a table whose cells must stay whole: a narrow terminal wraps the lines instead.

    What stands in brackets is shown as it is: much of it was written by others.
    """
    return Console(emoji=False, width=max(Console(emoji=False).width, TABLE_WIDTH), markup=False)


def checked(check: Callable[[str], str], text: str, what: str) -> str:
    """A text that will be stored in the clear, as the door would take it. Raises typer.BadParameter, which quotes nothing of it."""
    try:
        return check(text)
    except ValueError as error:
        raise typer.BadParameter(f"{what}: {error}") from None


def complain(text: str) -> None:
    """Say so on standard error: never cut, never coloured, whatever the text holds."""
    Console(emoji=False, stderr=True, soft_wrap=True, highlight=False, markup=False).print(text)


def counted(number: int, one: str, many: str) -> str:
    """How many there are, in words that fit: one is no plural."""
    return f"{number:,} {one if number == 1 else many}"


def fail(message: str) -> NoReturn:
    """Complain, and exit 1."""
    complain(message)
    raise typer.Exit(1)


def counting(what: str) -> tuple[Progress, Callable[[int, str], None]]:
    """A progress display on standard error for work whose end is not known beforehand: how many, and what was found so far."""
    progress = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
        console=Console(emoji=False, stderr=True),
        transient=True,
    )
    task = progress.add_task(what, total=None)

    def show(done: int, found: str) -> None:
        progress.update(task, description=f"{what}: {done:,} {found}")

    return progress, show
