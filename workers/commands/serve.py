"""`demo`, `up`, `run`: start roles and serve until a signal; the first drains, the second does not wait."""

import json
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Final

import anyio
import typer
from rich.console import Console

from workers.commands import passing_on
from workers.commands.environment import LOCAL_NUMBERS, Local, only_service, start_local, stop_local
from workers.commands.running import DEFAULT_STATE_DIR, UVLOOP
from workers.demo.outcome import Summary
from workers.demo.run import Demo, DemoSettings
from workers.demo.screen import screen_for, summary_panel
from workers.logs import configure
from workers.metrics.table import Metrics
from workers.service import cancel_on
from workers.settings import ROLES, Role, Settings, SettingsError, from_environment, tracing_variables
from workers.signals import signals_heard
from workers.wiring import Running, open_service

StateDir = Annotated[Path, typer.Option("--state-dir", help="Where the embedded environment keeps its state.")]
Port = Annotated[int, typer.Option("--port", min=0, max=65_535, help="The API's port; 0 takes a free one.")]
LOG_FILE: Final = "orderstore.log.jsonl"
ORDERS_MAX: Final = 1_000_000

Work = Callable[[Running], Awaitable[None]]


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(demo)
    app.command()(up)
    app.command()(run)


def demo(
    *,
    orders: Annotated[int, typer.Option("--orders", min=1, max=ORDERS_MAX, help="How many orders to feed.")] = 200,
    seed: Annotated[int, typer.Option("--seed", help="The same seed feeds the same orders, once.")] = 1,
    exit_: Annotated[
        bool, typer.Option("--exit", help="End when every order has ended; do not go on serving.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
    state_dir: StateDir = DEFAULT_STATE_DIR,
    port: Port = 0,
) -> None:
    """Run everything on this machine, feed generated orders, and follow each to its end."""
    summaries: list[Summary] = []
    notes = Console(emoji=False, stderr=True)

    async def work(running: Running, local: Local) -> None:
        addresses = _addresses(running, local)
        settings = DemoSettings(orders=orders, seed=seed, base_url=addresses["API"], token=local.api_token)
        summary = await Demo(running, settings, screen_for(notes)).run()
        summary.addresses = addresses
        summaries.append(summary)
        if as_json:
            typer.echo(json.dumps(summary.document(), indent=2))
        else:
            Console(emoji=False).print(summary_panel(summary))
        if not exit_:
            notes.print("Serving. Ctrl-C stops; the next start goes on from here.")

    _serve_local(state_dir, port, work, then_exit=exit_, notes=notes)
    if not summaries or not summaries[0].as_it_should_be:
        raise typer.Exit(1)


def up(*, state_dir: StateDir = DEFAULT_STATE_DIR, port: Port = 8080) -> None:
    """Serve everything on this machine without feeding anything."""
    notes = Console(emoji=False, stderr=True)

    async def work(running: Running, local: Local) -> None:
        for name, address in _addresses(running, local).items():
            Console(emoji=False, soft_wrap=True).print(f"{name:<9} {address}", highlight=False)
        notes.print("Serving. Ctrl-C stops.")

    _serve_local(state_dir, port, work, then_exit=False, notes=notes)


def run(roles: Annotated[list[str], typer.Argument(help=f"Which of: {', '.join(ROLES)}.")]) -> None:
    """Run chosen roles against AWS, or any endpoint, as the ORDERSTORE_ variables say (`orderstore settings`)."""
    chosen = chosen_roles(roles)
    settings = from_environment()
    configure(level=settings.log_level)

    async def work(_running: Running) -> None:
        return

    anyio.run(partial(_serve, settings, chosen, work, then_exit=False), backend_options=UVLOOP)


def chosen_roles(names: Sequence[str]) -> tuple[Role, ...]:
    """The roles by name, in the order of the list. Raises SettingsError for one that does not exist."""
    problems = [f"there is no role {name!r}; roles are {', '.join(ROLES)}" for name in names if name not in ROLES]
    if problems:
        raise SettingsError(problems)
    return tuple(role for role in ROLES if role in names)


def _start(state_dir: Path, notes: Console) -> Local:
    with notes.status("Starting the embedded environment …"):
        local = start_local(state_dir)
    if local.adopted:
        notes.print("Took over the embedded environment that was still running.")
    return local


def _serve_local(
    state_dir: Path, port: int, work: Callable[[Running, Local], Awaitable[None]], *, then_exit: bool, notes: Console
) -> None:
    """Every role in one process over the embedded environment, which is stopped in good order at the end."""
    overrides = {"ORDERSTORE_API_PORT": str(port), **tracing_variables()}
    business = passing_on.given_here(LOCAL_NUMBERS, overrides)
    with only_service(state_dir), (state_dir / LOG_FILE).open("a", buffering=1) as log:
        _say_what_holds(state_dir, business, notes)
        passing_on.write_down(state_dir, business)
        local = _start(state_dir, notes)

        async def work_here(running: Running) -> None:
            await work(running, local)

        try:
            settings = from_environment(local.settings, overrides={**business, **overrides})
            configure(level=settings.log_level, stream=log)
            anyio.run(partial(_serve, settings, ROLES, work_here, then_exit=then_exit), backend_options=UVLOOP)
        finally:
            stop_local(local.state_dir)  # before a word is said: whoever reads may be gone
            notes.print("Stopped; state is kept.")


def _say_what_holds(state_dir: Path, business: Mapping[str, str], notes: Console) -> None:
    """Which of the shell's variables are in use, which are not, and what is otherwise than at the last start."""
    said = [f"In use: {name}={passing_on.shown(name, text)}" for name, text in sorted(business.items())]
    said += [f"Changed: {line}." for line in passing_on.changes(passing_on.written_down(state_dir), business)]
    if unused := passing_on.unused():
        said.append(f"Set, and not used here: {', '.join(unused)} (the embedded environment brings its own).")
    for line in said:
        notes.print(line, highlight=False, markup=False, soft_wrap=True)


async def _serve(settings: Settings, roles: Sequence[Role], work: Work, *, then_exit: bool) -> None:
    """Open, run, work; a signal ends the work and drains the service, a second one does not wait, and no later one spoils the end."""
    stop = anyio.Event()
    with signals_heard() as signals:
        async with open_service(settings, roles, Metrics()) as running, anyio.create_task_group() as outer:
            outer.start_soon(_obey_signals, signals, running, stop, name="signals")
            async with anyio.create_task_group() as group:
                await group.start(running.service.run, stop, name="service")
                with anyio.CancelScope() as working:
                    group.start_soon(cancel_on, stop, working, name="end the work")
                    await work(running)
                    if then_exit:
                        stop.set()
            outer.cancel_scope.cancel()


async def _obey_signals(signals: AsyncIterator[signal.Signals], running: Running, stop: anyio.Event) -> None:
    async for _ in signals:
        if stop.is_set():
            running.service.stop_now()
        stop.set()


def _addresses(running: Running, local: Local) -> dict[str, str]:
    base = f"http://{running.core.settings.api_host}:{running.http_port}"
    return {
        "API": base,
        "OpenAPI": f"{base}/docs",
        "metrics": f"{base}/metrics",
        "token": local.api_token,
        "log": str(local.state_dir / LOG_FILE),
    }
