"""`import online-retail`: real sales become orders through the same door as the API's."""

import json
import signal
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Annotated, Any, Final

import anyio
import typer
from anyio.abc import TaskStatus
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from workers.commands.running import DEFAULT_STATE_DIR, AsJson, StateDir, with_core
from workers.core import Core
from workers.import_door import OrdersDoor
from workers.intake.importer import import_orders
from workers.intake.online_retail.model import IntakeError
from workers.intake.tally import ImportHalted, ImportResult, ImportSettings
from workers.intake.tally import Progress as ImportProgress

CONCURRENCY_MAX = 256
EXIT_INTERRUPTED: Final = 130  # as a shell reports what Ctrl-C ended


def add_to(app: typer.Typer) -> None:
    """Add the group."""
    group = typer.Typer(help="Bring in what other systems have.", no_args_is_help=True)
    group.callback()(_group)
    group.command(name="online-retail")(online_retail)
    app.add_typer(group, name="import")


def _group() -> None:
    """Bring in what other systems have."""  # without it typer makes a group of one command that command itself


def online_retail(
    file: Annotated[Path, typer.Argument(help="online_retail.csv or online_retail.csv.gz.")],
    *,
    limit: Annotated[
        int | None, typer.Option("--limit", min=0, help="Only the first sales, and what cancels them.")
    ] = None,
    concurrency: Annotated[
        int, typer.Option("--concurrency", min=1, max=CONCURRENCY_MAX, help="Requests at once.")
    ] = 16,
    returns: Annotated[
        bool,
        typer.Option(
            "--returns",
            help="Let what takes goods back wait until they have arrived, so that they come back as returns; run it again for those.",
        ),
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read, match and count; send nothing.")] = False,
    as_json: AsJson = False,
    report: Annotated[
        Path | None, typer.Option("--report", help="Where every rejected line goes, with its reason.")
    ] = None,
    state_dir: StateDir = DEFAULT_STATE_DIR,
) -> None:
    """Turn each real sale into an order. Cancellations that can be matched cancel orders or lines, or become returns and refunds.

    Run it again to resume: every request carries a key from the file, so nothing is made twice.
    """
    errors = Console(emoji=False, stderr=True, highlight=False, soft_wrap=True)
    settings = ImportSettings(limit=limit, concurrency=concurrency, dry_run=dry_run)
    progress, show = _progress(errors)

    async def work(core: Core) -> ImportResult:
        door = OrdersDoor(core.orders, tenant=core.settings.tenant, patient=returns)
        return await _run(file, door, settings, show, report)

    async def dry() -> ImportResult:
        return await _run(file, OrdersDoor(None, tenant=""), settings, show, report)

    halted = False
    try:
        with progress:
            result = anyio.run(dry) if dry_run else with_core(state_dir, work, connections=concurrency + 16)
    except ImportHalted as error:
        errors.print(f"{error}. What was sent is kept; run the same command again to go on.")
        result, halted = error.result, True
    except IntakeError as error:
        errors.print(f"{error}\nNothing was sent.")
        raise typer.Exit(1) from error
    document = document_of(result)
    if as_json:
        typer.echo(json.dumps(document, indent=2))
    else:
        _print(document)
    if result.counts.waiting:
        errors.print(
            "Some goods have not arrived yet. Run the same command again when they have: what waits comes back then."
        )
    if result.stopped:
        errors.print("Stopped. What was sent is kept; run the same command again to go on.")
        raise typer.Exit(EXIT_INTERRUPTED)
    if halted:
        raise typer.Exit(1)


async def _run(
    file: Path,
    door: OrdersDoor,
    settings: ImportSettings,
    show: Callable[[ImportProgress], None],
    report: Path | None,
) -> ImportResult:
    """Import until done or told to stop. Errors come out as they are, not as a group."""
    stop = anyio.Event()
    outcome: ImportResult | ImportHalted | IntakeError
    async with anyio.create_task_group() as group:
        await group.start(_stop_on_signal, stop)
        try:
            outcome = await import_orders(
                file,
                door=door,
                settings=settings,
                random=Random(),  # noqa: S311 - spreads retries
                on_progress=show,
                report_path=report,
                stop=stop,
            )
        except (ImportHalted, IntakeError) as error:
            outcome = error
        group.cancel_scope.cancel()
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


async def _stop_on_signal(stop: anyio.Event, *, task_status: TaskStatus[None]) -> None:
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        task_status.started()
        async for _ in signals:
            stop.set()


def document_of(result: ImportResult) -> dict[str, Any]:
    """What `--json` prints: the file's totals, then what was sent, then what was rejected and why."""
    totals, counts = result.totals, result.counts
    document: dict[str, Any] = {}
    if totals is not None:
        document |= {
            "sales": totals.sales,
            "sale_lines": totals.sale_lines,
            "cancellations": totals.cancellations,
            "cancellation_lines": totals.cancellation_lines,
            "cancellation_lines_matched": totals.matched_cancellation_lines,
            "cancellation_lines_unmatched": totals.cancellation_lines - totals.matched_cancellation_lines,
            "write_offs": totals.write_offs,
            "zero_value": totals.zero_value,
            "adjustments": totals.adjustments,
            "net_total": _plain(totals.net_total),
            "sales_total": _plain(totals.sales_total),
        }
    document["planned"] = {"orders": result.sales_planned, "requests": result.instructions_planned}
    document |= {
        "imported": {
            "orders_new": counts.sales_new,
            "orders_already": counts.sales_already,
            "orders_refused": counts.sales_refused,
            "cancellations_new": counts.cancels_new,
            "cancellations_already": counts.cancels_already,
            "cancellations_refused": counts.cancels_refused,
            "refunds_new": counts.refunds_new,
            "refunds_already": counts.refunds_already,
            "refunds_refused": counts.refunds_refused,
            "returns_new": counts.returns_new,
            "returns_already": counts.returns_already,
            "line_cancellations_new": counts.line_cancels_new,
            "line_cancellations_already": counts.line_cancels_already,
            "waiting": counts.waiting,
            "skipped": counts.skipped,
            "retries": counts.retries,
            "total": _plain(counts.accepted_total),
        },
        "rejected": dict(result.rejects),
        "dry_run": result.dry_run,
        "stopped": result.stopped,
    }
    return document


def _plain(amount: Decimal) -> str:
    return format(amount, "f")


def _print(document: dict[str, Any]) -> None:
    console = Console(emoji=False, highlight=False)
    for name, value in document.items():
        if isinstance(value, dict):
            console.print(f"{name}:")
            for inner, count in value.items():
                console.print(f"  {inner:<26} {count}")
        else:
            console.print(f"{name:<28} {value}")


def _progress(console: Console) -> tuple[Progress, Callable[[ImportProgress], None]]:
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
    )
    tasks: dict[str, TaskID] = {}

    def show(now: ImportProgress) -> None:
        phase = str(now.phase)
        if phase not in tasks:
            tasks[phase] = progress.add_task(phase, total=now.total)
        progress.update(tasks[phase], completed=now.done, total=now.total)

    return progress, show
