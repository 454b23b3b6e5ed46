"""`stock show`, `count`, `move`, `damage`, `write-off`: what people do with goods, each once by an id that they choose."""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from orderstore.request_fields import check_identifier
from orderstore.requests import QUANTITY_MAX
from workers.commands import stock_waking
from workers.commands.running import DEFAULT_STATE_DIR, AsJson, StateDir, checked, fail, with_core
from workers.core import Core
from workers.departments import stock_of
from workers.inventory.stock import MAIN, Level, NotThere, Place, UsedOtherwise

Pieces = Annotated[int, typer.Argument(min=1, max=QUANTITY_MAX)]
Once = Annotated[str, typer.Option("--id", help="A name of your own for this: doing it twice does it once.")]
At = Annotated[str, typer.Option("--at", help="The location.")]


def add_to(group: typer.Typer) -> None:
    """Add the commands."""
    group.command()(show)
    group.command()(count)
    group.command()(move)
    group.command()(damage)
    group.command("write-off")(write_off)


def show(skus: list[str], *, as_json: AsJson = False, state_dir: StateDir = DEFAULT_STATE_DIR) -> None:
    """Show how much there is of each SKU at every location."""

    async def work(core: Core) -> tuple[Mapping[str, Level], ...]:
        return await stock_of(core).everywhere(skus)

    found = dict(zip(skus, with_core(state_dir, work), strict=True))
    if as_json:
        documents = {sku: {name: asdict(level) for name, level in at.items()} for sku, at in found.items()}
        typer.echo(json.dumps(documents, indent=2))
        return
    for sku, at in found.items():
        for name, level in at.items():
            parts = ", ".join(f"{part.replace('_', ' ')} {pieces}" for part, pieces in asdict(level).items())
            typer.echo(f"{sku} at {name}: {parts}")
        if not at:
            typer.echo(f"{sku}: untracked")


def count(
    sku: str,
    pieces: Annotated[int, typer.Argument(min=0, max=QUANTITY_MAX, help="What lies there, set aside and damaged too.")],
    *,
    name: Once,
    at: At = MAIN,
    new: Annotated[bool, typer.Option("--new", help="Begin to keep stock of an article that was untracked.")] = False,
    state_dir: StateDir = DEFAULT_STATE_DIR,
) -> None:
    """Say how many PIECES of SKU lie at a location; the difference is in what is available."""

    async def act(core: Core) -> str:
        stock = stock_of(core)
        (known,) = await stock.everywhere([sku])
        if not known and not new:
            fail(
                f"{sku}: stock does not know it at any location, and orders of it go by ORDERSTORE_UNTRACKED_SKU; "
                "nothing was changed. --new begins to keep it"
            )
        await stock.count(name, Place(at, sku), pieces)
        return await stock_waking.after_booking(core, [sku])

    said = _once(state_dir, sku, name, act, at)
    typer.echo(f"{name}: {pieces} x {sku} lie at {at}{said}")


def move(
    sku: str,
    pieces: Pieces,
    *,
    source: Annotated[str, typer.Option("--from", help="The location that they leave.")],
    target: Annotated[str, typer.Option("--to", help="The location that they come to.")],
    name: Once,
    state_dir: StateDir = DEFAULT_STATE_DIR,
) -> None:
    """Carry available PIECES of SKU from one location to another."""
    if source == target:
        raise typer.BadParameter("--to: another location than --from")

    async def act(core: Core) -> str:
        await stock_of(core).move(name, sku, pieces, source=source, target=target)
        return ""

    _once(state_dir, sku, name, act, source, target)
    typer.echo(f"{name}: {pieces} x {sku} from {source} to {target}")


def damage(sku: str, pieces: Pieces, *, name: Once, at: At = MAIN, state_dir: StateDir = DEFAULT_STATE_DIR) -> None:
    """Take available PIECES of SKU out of sale: they are damaged."""

    async def act(core: Core) -> str:
        await stock_of(core).mark_damaged(name, Place(at, sku), pieces)
        return ""

    _once(state_dir, sku, name, act, at)
    typer.echo(f"{name}: {pieces} x {sku} at {at} are damaged")


def write_off(sku: str, pieces: Pieces, *, name: Once, at: At = MAIN, state_dir: StateDir = DEFAULT_STATE_DIR) -> None:
    """Damaged PIECES of SKU are gone."""

    async def act(core: Core) -> str:
        await stock_of(core).write_off(name, Place(at, sku), pieces)
        return ""

    _once(state_dir, sku, name, act, at)
    typer.echo(f"{name}: {pieces} damaged x {sku} at {at} are written off")


def check_location(core: Core, *locations: str) -> None:
    """Goods at a place that the settings do not name would be sold to nobody."""
    known = [part.partition("=")[0].strip() for part in core.settings.stock_locations.split(",")]
    for location in locations:
        if location not in known:
            fail(f"{location}: no location of ORDERSTORE_STOCK_LOCATIONS ({', '.join(known)}); nothing was changed")


def _once(state_dir: Path, sku: str, name: str, act: Callable[[Core], Awaitable[str]], *locations: str) -> str:
    """Do it; what is to be said beside."""
    checked(check_identifier, sku, "SKU")
    checked(check_identifier, name, "--id")

    async def work(core: Core) -> str:
        check_location(core, *locations)
        return await act(core)

    try:
        return with_core(state_dir, work)
    except (NotThere, UsedOtherwise) as error:
        fail(f"{error}; nothing was changed.")
