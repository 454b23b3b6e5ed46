"""Play runs by seed: `python -m tests.simulation --seeds 0:1000`; one with its trace; or each deliberate bug until it is caught."""

import json
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from tests.simulation.bugs import BUGS
from tests.simulation.bugs import BY_NAME as BUGS_BY_NAME
from tests.simulation.run import Verdict, play

HASH_SEED: Final = "0"
"""The order of a set is part of a run: every process that plays one has this PYTHONHASHSEED."""
SEEDS_PER_TASK: Final = 5
BUG_SEEDS_MAX: Final = 200
PROBLEMS_SHOWN: Final = 5


def command(seed: int) -> str:
    """What plays one run again, with its trace."""
    return f"python -m tests.simulation --seed {seed} --trace"


def main(
    *,
    seeds: Annotated[str, typer.Option(help="FIRST:LAST, the last one not included.")] = "0:200",
    seed: Annotated[int | None, typer.Option(help="Only this one.")] = None,
    trace: Annotated[bool, typer.Option("--trace", help="Print what happened, moment by moment.")] = False,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes.")] = 2,
    bug: Annotated[str | None, typer.Option(help="Play with this deliberate bug.")] = None,
    bugs: Annotated[bool, typer.Option("--bugs", help="Play every deliberate bug until it is caught.")] = False,
    digests: Annotated[bool, typer.Option("--digests", help="Print the digest of each run's trace.")] = False,
) -> None:
    """Exits with 1 when a promise was broken (with --bugs: when a bug was not caught)."""
    if bug is not None and bug not in BUGS_BY_NAME:
        raise typer.BadParameter(f"there is no bug of that name; there are: {', '.join(BUGS_BY_NAME)}")
    if bugs:
        raise typer.Exit(_catch_all(workers))
    if seed is not None:
        raise typer.Exit(_one(seed, bug=bug, trace=trace))
    first, _, last = seeds.partition(":")
    if not (first.isdigit() and last.isdigit() and int(first) < int(last)):
        raise typer.BadParameter("--seeds: two numbers such as 0:1000, the first below the last")
    raise typer.Exit(_many(range(int(first), int(last)), workers=workers, bug=bug, digests=digests))


def _one(seed: int, *, bug: str | None, trace: bool) -> int:
    verdict = _played(seed, bug)
    if trace:
        typer.echo(f"{verdict.faults}")
        typer.echo("\n".join(verdict.trace))
    typer.echo(
        f"seed {seed}: {verdict.orders} orders, {verdict.virtual_s:.0f} virtual seconds, digest {verdict.digest}"
    )
    for problem in verdict.problems:
        typer.echo(f"BROKEN  {problem}")
    return 1 if verdict.problems else 0


def _many(seeds: range, *, workers: int, bug: str | None, digests: bool) -> int:
    console = Console(stderr=True)
    failed = 0
    began_s = time.monotonic()
    columns = (
        TextColumn("simulating"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[failed]} broken"),
    )
    with Progress(*columns, console=console) as progress, ProcessPoolExecutor(workers) as pool:
        task = progress.add_task("runs", total=len(seeds), failed=0)
        for short in pool.map(_short, seeds, [bug] * len(seeds), chunksize=SEEDS_PER_TASK):
            if digests:
                typer.echo(json.dumps({"seed": short[0], "digest": short[1]}))
            if short[2]:
                failed += 1
                progress.console.print(f"seed {short[0]}: {len(short[2])} promises broken", highlight=False)
                for problem in short[2][:PROBLEMS_SHOWN]:
                    progress.console.print(f"  {problem}", highlight=False, markup=False)
                progress.console.print(f"  again: {command(short[0])}", highlight=False)
            progress.update(task, advance=1, failed=failed)
    typer.echo(f"{len(seeds)} runs in {time.monotonic() - began_s:.0f} s, {failed} with a broken promise")
    return 1 if failed else 0


def _catch_all(workers: int) -> int:
    """A line for each bug: the first seed that catches it, and by what."""
    missed = 0
    with ProcessPoolExecutor(workers) as pool:
        for name, (seed, problem) in zip(BUGS_BY_NAME, pool.map(caught_by, BUGS_BY_NAME), strict=True):
            missed += seed is None
            typer.echo(f"{name}: " + ("NOT CAUGHT" if seed is None else f"seed {seed}: {problem}"))
    typer.echo(f"{len(BUGS) - missed} of {len(BUGS)} bugs are caught")
    return 1 if missed else 0


def caught_by(name: str, seeds: range = range(BUG_SEEDS_MAX)) -> tuple[int | None, str]:
    """The first of these seeds whose run shows the bug, and what it shows."""
    for seed in seeds:
        problems = _short(seed, name)[2]
        if problems:
            return seed, problems[0]
    return None, ""


def _short(seed: int, bug: str | None) -> tuple[int, str, tuple[str, ...]]:
    """What another process needs to know of a run."""
    try:
        verdict = _played(seed, bug)
    except Exception as error:  # noqa: BLE001 - a run that breaks off is a broken promise, whatever it was
        return seed, "", (f"the run broke off: {error!r}",)
    return seed, verdict.digest, verdict.problems


def _played(seed: int, bug: str | None) -> Verdict:
    if bug is None:
        return play(seed)
    with BUGS_BY_NAME[bug].broken():
        return play(seed)


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != HASH_SEED:
        os.execve(  # this very program, with the one setting that cannot be changed in a running process
            sys.executable,
            [sys.executable, "-m", "tests.simulation", *sys.argv[1:]],
            {**os.environ, "PYTHONHASHSEED": HASH_SEED},
        )
    typer.run(main)
