"""`stock receive`, `stock load`, `stock level`: goods in, and how much there is. The group's other commands are in modules of their own."""

import csv
import hashlib
import json
import re
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Final

import typer

from orderstore.request_fields import check_identifier
from orderstore.requests import QUANTITY_MAX
from workers.commands import stock_books, stock_keeping, stock_waking
from workers.commands.running import DEFAULT_STATE_DIR, AsJson, StateDir, checked, complain, fail, with_core
from workers.core import Core
from workers.departments import stock_of
from workers.inventory.stock import MAIN, Level, UsedOtherwise

COLUMNS: Final = ("sku", "quantity")
ROWS_MAX: Final = 1_000_000
_PIECES: Final = re.compile(r"[0-9]{1,9}")


def add_to(app: typer.Typer) -> None:
    """Add the group."""
    group = typer.Typer(help="Goods in, and how much there is.", no_args_is_help=True)
    group.command()(receive)
    group.command()(load)
    group.command()(level)
    stock_keeping.add_to(group)
    stock_waking.add_to(group)
    stock_books.add_to(group)
    app.add_typer(group, name="stock")


def receive(
    sku: str,
    quantity: Annotated[int, typer.Argument(min=1, max=QUANTITY_MAX)],
    *,
    receipt: Annotated[
        str, typer.Option("--receipt", help="The delivery's own number: booking it twice books it once.")
    ],
    at: stock_keeping.At = MAIN,
    state_dir: StateDir = DEFAULT_STATE_DIR,
) -> None:
    """Book QUANTITY pieces of SKU in, once per receipt."""
    checked(check_identifier, sku, "SKU")
    said = _book(state_dir, receipt, {sku: quantity}, at)
    typer.echo(f"receipt {receipt}: {quantity} x {sku}{'' if at == MAIN else f' at {at}'}{said}")


def load(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="CSV with the columns sku and quantity.")],
    *,
    receipt: Annotated[
        str | None, typer.Option("--receipt", help="The delivery's number; else the file's SHA-256.")
    ] = None,
    at: stock_keeping.At = MAIN,
    state_dir: StateDir = DEFAULT_STATE_DIR,
) -> None:
    """Book a whole delivery in from a CSV file. A file with a wrong row books nothing."""
    quantities = _read(file)
    name = receipt or hashlib.sha256(file.read_bytes()).hexdigest()
    said = _book(state_dir, name, quantities, at)
    typer.echo(f"receipt {name}: {len(quantities)} SKUs, {sum(quantities.values())} pieces{said}")


def level(skus: list[str], *, as_json: AsJson = False, state_dir: StateDir = DEFAULT_STATE_DIR) -> None:
    """Show how much there is of each SKU."""

    async def work(core: Core) -> tuple[Level | None, ...]:
        return await stock_of(core).levels(skus)

    found = dict(zip(skus, with_core(state_dir, work), strict=True))
    if as_json:
        typer.echo(
            json.dumps({sku: None if known is None else asdict(known) for sku, known in found.items()}, indent=2)
        )
        return
    for sku, known in found.items():
        text = "untracked" if known is None else ", ".join(f"{name} {count}" for name, count in asdict(known).items())
        typer.echo(f"{sku}: {text}")


def _book(state_dir: Path, receipt: str, quantities: dict[str, int], at: str) -> str:
    """What is to be said beside: how many orders waited for it."""
    checked(check_identifier, receipt, "--receipt")

    async def work(core: Core) -> str:
        stock_keeping.check_location(core, at)
        await stock_of(core).receive(receipt, quantities, location=at)
        return await stock_waking.after_booking(core, quantities.keys())

    try:
        return with_core(state_dir, work)
    except UsedOtherwise as error:
        fail(f"{error}; nothing was booked. Use the number of the new delivery.")


def _is_sku(text: str) -> bool:
    try:
        check_identifier(text)
    except ValueError:
        return False
    return True


def _read(file: Path) -> dict[str, int]:
    """Pieces by SKU. Ends with 2 where anything is wrong with the file."""
    try:
        return _rows_of(file)
    except (UnicodeDecodeError, csv.Error) as error:
        complain(f"{file} is no CSV file in UTF-8: {error}. Nothing was booked.")
        raise typer.Exit(2) from error


def _rows_of(file: Path) -> dict[str, int]:
    quantities: Counter[str] = Counter()
    problems = []
    with file.open(newline="", encoding="utf-8-sig") as opened:
        rows = csv.DictReader(opened)
        if rows.fieldnames is None or not set(COLUMNS) <= set(rows.fieldnames):
            problems.append(f"the first line must name the columns {' and '.join(COLUMNS)}")
        for number, row in enumerate(rows if not problems else (), start=2):
            sku, text = (row["sku"] or "").strip(), (row["quantity"] or "").strip()
            if (
                not _is_sku(sku)
                or not _PIECES.fullmatch(text)
                or not 1 <= int(text) <= QUANTITY_MAX
                or number > ROWS_MAX
            ):
                problems.append(
                    f"line {number}: an SKU and a whole number of pieces, 1 to {QUANTITY_MAX} (at most {ROWS_MAX} lines)"
                )
                continue
            quantities[sku] += int(text)
    if problems:
        complain("\n".join([*problems[:20], "Nothing was booked."]))
        raise typer.Exit(2)
    return dict(quantities)
