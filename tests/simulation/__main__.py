"""Play runs by seed: `python -m tests.simulation --seeds 0:1000`; one with its trace; or each deliberate bug until it is caught."""

import gc
import json
import logging
import os
import shlex
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from typing import Annotated, Final

import structlog
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from tests.simulation.bugs import BUGS
from tests.simulation.bugs import BY_NAME as BUGS_BY_NAME
from tests.simulation.run import Verdict, play

HASH_SEED: Final = "0"
"""The order of a set is part of a run: every process that plays one has this PYTHONHASHSEED."""
SEEDS_PER_TASK: Final = 5
COLLECTED_AFTER: Final = (50_000, 20, 50)
"""A run makes and drops objects by the hundred thousand; the defaults look through them a hundred times as often."""
BUG_SEEDS_MAX: Final = 200
LINE_EVERY_S: Final = 10.0
"""Where nobody watches a bar."""
PROBLEMS_SHOWN: Final = 5


def command(seed: int, bug: str | None) -> str:
    """What plays one run again, with its trace."""
    return f"python -m tests.simulation --seed {seed} --trace" + (f" --bug {shlex.quote(bug)}" if bug else "")


def main(
    *,
    seeds: Annotated[
        str | None, typer.Option(help="FIRST:LAST, the last one not included; 0:200 if nothing is said.")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Only this one.")] = None,
    trace: Annotated[bool, typer.Option("--trace", help="Print what happened, moment by moment.")] = False,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes.")] = 2,
    bug: Annotated[str | None, typer.Option(help="Play with this deliberate bug, until a seed shows it.")] = None,
    bugs: Annotated[bool, typer.Option("--bugs", help="Play every deliberate bug until it is caught.")] = False,
    digests: Annotated[bool, typer.Option("--digests", help="Print the digest of each run's trace.")] = False,
) -> None:
    """Exits with 1 when a promise was broken (with --bugs: when a bug was not caught)."""
    if bug is not None and bug not in BUGS_BY_NAME:
        raise typer.BadParameter(f"there is no bug of that name; there are: {', '.join(BUGS_BY_NAME)}")
    prepare()
    if bugs:
        raise typer.Exit(_catch_all(workers))
    if seed is not None and seeds is not None:
        raise typer.BadParameter("--seed and --seeds: give one of the two")
    if seed is not None:
        raise typer.Exit(_one(seed, bug=bug, trace=trace))
    first, _, last = (seeds or f"0:{BUG_SEEDS_MAX}").partition(":")
    if not (first.isdigit() and last.isdigit() and int(first) < int(last)):
        raise typer.BadParameter("--seeds: two numbers such as 0:1000, the first below the last")
    raise typer.Exit(_many(range(int(first), int(last)), workers=workers, bug=bug, digests=digests))


def prepare() -> None:
    """What makes runs of this process cheap: no log lines, and a collector that leaves alone what is there already."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECTED_AFTER)


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
    console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
    failed = 0
    began_s = told_s = time.monotonic()
    columns = (
        TextColumn("simulating"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[failed]} broken"),
    )
    progress = Progress(*columns, console=console, disable=not console.is_terminal)
    with progress, ProcessPoolExecutor(workers, initializer=prepare) as pool:
        task = progress.add_task("runs", total=len(seeds), failed=0)
        runs = pool.map(_short, seeds, [bug] * len(seeds), chunksize=SEEDS_PER_TASK)
        for done, (seed, digest, problems) in enumerate(runs, start=1):
            if digests:
                typer.echo(json.dumps({"seed": seed, "digest": digest}))
            if problems:
                failed += 1
                console.print(f"seed {seed}: {len(problems)} promises broken")
                for problem in problems[:PROBLEMS_SHOWN]:
                    console.print(f"  {problem}")
                console.print(f"  again: {command(seed, bug)}")
                if bug is not None:  # it is shown: more of it would show nothing more
                    pool.shutdown(wait=False, cancel_futures=True)
                    typer.echo(f"caught by seed {seed}, after {done} runs")
                    return 1
            progress.update(task, advance=1, failed=failed)
            if not console.is_terminal and time.monotonic() - told_s >= LINE_EVERY_S:
                told_s = time.monotonic()
                console.print(f"{done} of {len(seeds)} runs after {told_s - began_s:.0f} s, {failed} broken")
    typer.echo(f"{len(seeds)} runs in {time.monotonic() - began_s:.0f} s, {failed} with a broken promise")
    return 1 if failed else 0


def _catch_all(workers: int) -> int:
    """A line for each bug: the first seed that catches it, and by what."""
    missed = 0
    with ProcessPoolExecutor(workers, initializer=prepare) as pool:
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
